import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { durableFiles, freePathBeside } from '../../shared/adapters/local/durable-files.ts'
import { nodeFileSystem } from '../../shared/adapters/local/file-system.ts'
import { type Permission, permissions } from '../../shared/app/principal.ts'
import { wholeNumber } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { createFile } from '../key-file.ts'
import { CliError, requireReadable } from '../output.ts'

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
      const expires = days === undefined ? undefined : new Date(Date.now() + days * 24 * 3600 * 1000)
      const exists = (await stat(file).catch(() => undefined)) !== undefined
      if (exists) await requireReadable(file)
      const before = exists ? await readTokens(file) : []
      const name = options.name ?? unusedName(permission, before)
      if (before.some((entry) => entry.name === name))
        throw new CliError(
          'refused',
          `${file} has a token for ${name} already. Take it out first, or choose another name.`,
        )
      const { token, entry } = newToken(name, permission, expires)
      const content = Buffer.from(`${JSON.stringify([...before, entry], undefined, 2)}\n`)
      decodeTokens(content)
      await save(file, content, exists)
      output.note(`Added to ${file}: ${name}, who may ${permission}. This is the only time that the token is shown:`)
      output.result({ token, file, ...entry }, token)
    })
}

function name(text: string): string {
  if (/^[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?$/.test(text)) return text
  throw new InvalidArgumentError('It has to be 1 to 100 printable ASCII characters.')
}

function unusedName(permission: Permission, before: readonly { readonly name: string }[]): string {
  let number = before.length + 1
  while (before.some(({ name }) => name === `${permission}-${number}`)) number++
  return `${permission}-${number}`
}

async function save(file: string, content: Buffer, exists: boolean): Promise<void> {
  if (!exists) return createFile(file, content.toString(), 0o600)
  const path = resolve(file)
  await durableFiles(nodeFileSystem).replace(path, content, freePathBeside(path), 0o600)
}
