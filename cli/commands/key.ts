import { Command, Option } from 'commander'
import { type Key, keyid } from '../../shared/tuf/keys.ts'
import { wholeNumber } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { createKeyFiles, isEncrypted, type KeyKind, keyKinds, openKeyFile, readPublicKey } from '../key-file.ts'
import { CliError, type Output } from '../output.ts'
import { passwords, terminalPrompter } from '../prompt.ts'

export function keyCommand(): Command {
  return new Command('key')
    .description('make an encrypted key file; show a public key and its keyid')
    .addHelpText('after', '\nExample:\n  $ tuffet key new alice.pem')
    .addCommand(newCommand())
    .addCommand(showCommand())
}

interface PasswordOption {
  readonly passwordFd?: number
}

const passwordFd = () =>
  new Option('--password-fd <n>', 'read the password from this file descriptor, instead of asking').argParser(
    wholeNumber(0),
  )

function newCommand(): Command {
  return new Command('new')
    .description('make a key: FILE holds the private part, encrypted, and FILE.pub the public part')
    .argument('<file>', 'such as alice.pem')
    .addOption(new Option('--type <type>', 'the kind of key').choices(keyKinds).default('ed25519'))
    .addOption(passwordFd())
    .addHelpText(
      'after',
      `
The private part is PKCS#8, encrypted with AES-256 under a key that scrypt derives from the password
(16 MiB, a quarter of a second); only its owner may read the file. OpenSSL 1.1 and later read it too:
  $ openssl pkey -in alice.pem -noout -text

Example:
  $ tuffet key new alice.pem`,
    )
    .action(async (file: string, options: PasswordOption & { type: KeyKind }, command: Command) => {
      const { output } = contextOf(command)
      const password = await passwords(options.passwordFd, terminalPrompter()).next(`Password for ${file}`, {
        twice: true,
      })
      const files = { privateKey: file, publicKey: `${file}.pub` }
      const key = await createKeyFiles(files, options.type, password)
      const text = [
        `Made ${file}: keep it, and its password, where you alone can reach it.`,
        `Made ${files.publicKey}: for others to check your signatures.`,
        `keyid ${keyid(key)}`,
      ]
      output.done({ ...files, keyid: keyid(key), key }, text.join('\n'))
    })
}

function showCommand(): Command {
  return new Command('show')
    .description("show a key's keyid and public part; FILE may hold a private or a public key")
    .argument('<file>')
    .addOption(passwordFd())
    .addHelpText('after', '\nExample:\n  $ tuffet key show alice.pem.pub')
    .action(async (file: string, options: PasswordOption, command: Command) => {
      const { output } = contextOf(command)
      show(await publicPart(file, options), output)
    })
}

/** A private key needs its password even for this: what is not opened cannot be told from a forgery. */
async function publicPart(file: string, { passwordFd }: PasswordOption): Promise<Key> {
  if (await isEncrypted(file)) {
    const password = await passwords(passwordFd, terminalPrompter()).next(`Password for ${file}`)
    return (await openKeyFile(file, password)).key
  }
  try {
    return await readPublicKey(file)
  } catch (notPublic) {
    if (!(notPublic instanceof CliError)) throw notPublic
    return (await openKeyFile(file)).key
  }
}

function show(key: Key, output: Output): void {
  const text = [`keyid  ${keyid(key)}`, `type   ${key.keytype} (${key.scheme})`, key.keyval.public]
  output.result({ keyid: keyid(key), key }, text.join('\n'))
}
