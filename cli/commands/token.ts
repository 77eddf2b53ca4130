import type { Stats } from 'node:fs'
import { chmod, chown, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command, InvalidArgumentError, Option } from 'commander'
import { durableFiles, freePathBeside } from '../../shared/adapters/local/durable-files.ts'
import { nodeFileSystem } from '../../shared/adapters/local/file-system.ts'
import { type Permission, permissions, principalName } from '../../shared/app/principal.ts'
import { day } from '../../shared/tuf/expiry.ts'
import { wholeNumber } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { createFile } from '../key-file.ts'
import { CliError, requireReadable, unwritable } from '../output.ts'

interface TokenOptions {
  readonly file: string
  readonly name?: string
  readonly permission: Permission
  readonly days?: number
}

export function tokenCommand(): Command {
  return new Command('token')
    .description('bearer tokens of the embedded service')
    .addCommand(newCommand())
    .addHelpText('after', '\nExample:\n  $ tuffet token new --name ci --permission publish')
}

function newCommand(): Command {
  return new Command('new')
    .description('make a token, show it once, and add what recognises it to the token file')
    .addOption(
      new Option('--file <file>', 'the token file; made if missing')
        .env('TUFFET_TOKEN_FILE')
        .default('tuffet-tokens.json'),
    )
    .addOption(new Option('--name <name>', 'who it is for; the journal shows it (default: a number)').argParser(name))
    .addOption(new Option('--permission <permission>', 'what it allows').choices(permissions).default('publish'))
    .option('--days <n>', 'until it expires (default: never)', wholeNumber(1, 36_500))
    .addHelpText('after', '\nThe file holds hashes alone. A service that runs with it takes the new token at once.')
    .addHelpText('after', '\nExample:\n  $ tuffet token new --name ci --permission publish --days 90')
    .action(async (options: TokenOptions, command: Command) => {
      const { output } = contextOf(command)
      const { decodeTokens, newToken, readTokens } = await import('../../shared/app/tokens.ts')
      const { file, permission, days } = options
      const expires = days === undefined ? undefined : new Date(Date.now() + days * day)
      const { token, entry } = await withLock(file, async (found) => {
        const before = found === undefined ? [] : await readTokens(file)
        const name = options.name ?? unusedName(permission, before)
        if (before.some((entry) => entry.name === name))
          throw new CliError(
            'refused',
            `${file} has a token for ${name} already. Take it out first, or choose another name.`,
          )
        const made = newToken(name, permission, expires)
        const content = Buffer.from(`${JSON.stringify([...before, made.entry], undefined, 2)}\n`)
        decodeTokens(content)
        await save(file, content, found)
        return made
      })
      const { name } = entry
      output.note(`Added to ${file}: ${name}, who may ${permission}. This is the only time that the token is shown:`)
      output.result({ token, file, ...entry }, token)
    })
}

function name(text: string): string {
  if (principalName.test(text)) return text
  throw new InvalidArgumentError('It has to be 1 to 100 printable ASCII characters.')
}

function unusedName(permission: Permission, before: readonly { readonly name: string }[]): string {
  let number = before.length + 1
  while (before.some(({ name }) => name === `${permission}-${number}`)) number++
  return `${permission}-${number}`
}

/** Milliseconds. Who adds a token has done so long before. */
const patience = 5000

/** While `work` reads the file and replaces it, nobody else who adds a token does: theirs would be lost. It is told what is there. */
async function withLock<Value>(file: string, work: (found: Stats | undefined) => Promise<Value>): Promise<Value> {
  const look = () => stat(file).catch(() => undefined)
  if ((await look()) !== undefined) await requireReadable(file)
  const lock = `${await realpath(file).catch(() => resolve(file))}.lock`
  const taken = () =>
    durableFiles(nodeFileSystem)
      .create(lock, new Uint8Array(), freePathBeside(lock), 0o600)
      .catch((cause: unknown) => {
        throw unwritable(file, cause)
      })
  for (let waited = 0; !(await taken()); waited += 50) {
    if (waited >= patience)
      throw new CliError('refused', `${lock} is there: somebody else adds a token. If nobody does, remove it.`)
    await sleep(50)
  }
  try {
    return await work(await look())
  } finally {
    await rm(lock, { force: true })
  }
}

/** Whoever could read the file before can do so after, above all a service that runs as another user than who adds the token. */
async function save(file: string, content: Buffer, before: Stats | undefined): Promise<void> {
  if (before === undefined) return createFile(file, content.toString(), 0o600)
  const path = await realpath(file)
  const files = durableFiles(nodeFileSystem)
  const temporary = await freePathBeside(path)()
  try {
    await files.make(temporary, content, 0o600)
    await chown(temporary, before.uid, before.gid)
    await chmod(temporary, before.mode & 0o777)
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    if ((cause as NodeJS.ErrnoException).code !== 'EPERM') throw unwritable(file, cause)
    throw new CliError('refused', `${file} belongs to another user. Add the token as that user, or as root.`, { cause })
  }
  await files.syncDirectory(dirname(path))
}
