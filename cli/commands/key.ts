import { Command, Option } from 'commander'
import { type Key, keyid, publicPart } from '../../shared/tuf/keys.ts'
import { keyNames } from '../arguments.ts'
import { handsOf, type PasswordOption, passwordFd } from '../holder.ts'
import { createKeyFiles, type KeyKind, keyKinds, refuseToOverwrite } from '../key-file.ts'
import { CliError, type Output } from '../output.ts'
import { isFile, openSigner, readEitherPart } from '../signers.ts'

export function keyCommand(): Command {
  return new Command('key')
    .description('make an encrypted key file; show a public key and its keyid')
    .addHelpText('after', '\nExample:\n  $ tuffet key new alice.pem')
    .addCommand(newCommand())
    .addCommand(showCommand())
}

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
A few random words make a good password. Without it the key is lost, and nobody can bring it back.

Example:
  $ tuffet key new alice.pem`,
    )
    .action(async (file: string, options: PasswordOption & { type: KeyKind }, command: Command) => {
      if (!isFile(file))
        throw new CliError('usage', `${file} is no file. Make that key in KMS, or with the token's own tools.`)
      const files = { privateKey: file, publicKey: `${file}.pub` }
      // Before anybody has thought of a password.
      refuseToOverwrite(files.privateKey, files.publicKey)
      const { output, passwords } = handsOf(command, options)
      const password = await passwords.next(`Password for ${file}`, { twice: true })
      const key = await createKeyFiles(files, options.type, password)
      const text = [
        `Made ${file}, your private key: keep it, and a copy of it, where you alone can reach them.`,
        `Made ${files.publicKey}, the public part: give it to whoever prepares the ceremony,`,
        'and tell them the keyid by another way, to compare:',
        `  ${keyid(key)}`,
      ]
      output.done({ ...files, keyid: keyid(key), key }, text.join('\n'))
    })
}

function showCommand(): Command {
  return new Command('show')
    .description("show a key's keyid and public part; a private key has to sign something first")
    .argument('<key>', 'a file with a private or a public key, kms:<id, ARN or alias>, or pkcs11:<URI>')
    .addOption(passwordFd())
    .addHelpText(
      'after',
      `
${keyNames}
The document of --json is a public key file in itself, such as --public-key and --add-key take.

Examples:
  $ tuffet key show alice.pem.pub
  $ tuffet key show kms:alias/root --json > root.pub`,
    )
    .action(async (name: string, options: PasswordOption, command: Command) => {
      const { output, passwords } = handsOf(command, options)
      // A private key needs its password even for this: what is not opened cannot be told from a forgery.
      const key = isFile(name) ? await readEitherPart(name, passwords) : (await openSigner(name, passwords)).key
      show(key, output)
    })
}

function show(key: Key, output: Output): void {
  const text = [`keyid  ${keyid(key)}`, `type   ${key.keytype} (${key.scheme})`, publicPart(key)]
  output.result({ keyid: keyid(key), key }, text.join('\n'))
}
