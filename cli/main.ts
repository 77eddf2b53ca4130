import { Command, CommanderError, Option } from 'commander'
import { defaultApi } from './context.ts'
import { CliError, exitCodes, reportFailure } from './output.ts'
import about from './package.json' with { type: 'json' }

/** Each command is loaded when it is asked for, so that none pays for what the others need. In the order of the help. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./commands/serve.ts')).serveCommand(),
  key: async () => (await import('./commands/key.ts')).keyCommand(),
  ceremony: async () => (await import('./commands/ceremony.ts')).ceremonyCommand(),
  root: async () => (await import('./commands/root.ts')).rootCommand(),
  artifact: async () => (await import('./commands/artifact.ts')).artifactCommand(),
  import: async () => (await import('./commands/import.ts')).importCommand(),
  export: async () => (await import('./commands/export.ts')).exportCommand(),
  delegation: async () => (await import('./commands/delegation.ts')).delegationCommand(),
  download: async () => (await import('./commands/download.ts')).downloadCommand(),
  config: async () => (await import('./commands/config.ts')).configCommand(),
  refresh: async () => (await import('./commands/refresh.ts')).refreshCommand(),
  revert: async () => (await import('./commands/revert.ts')).revertCommand(),
  task: async () => (await import('./commands/task.ts')).taskCommand(),
  status: async () => (await import('./commands/status.ts')).statusCommand(),
  log: async () => (await import('./commands/log.ts')).logCommand(),
  check: async () => (await import('./commands/check.ts')).checkCommand(),
  repair: async () => (await import('./commands/repair.ts')).repairCommand(),
  proxy: async () => (await import('./commands/proxy.ts')).proxyCommand(),
  token: async () => (await import('./commands/token.ts')).tokenCommand(),
}

const endings = `
Exit codes:
  0  done
  1  refused or failed: the service, or what a file holds, says no
  2  wrong usage: what was asked cannot be carried out, or a file that it names cannot be read
  3  not reachable: nobody answered, or not with what was asked for
  4  not verified: what was read is not what trusted metadata vouches for`

function rootCommand(): Command {
  return new Command('tuffet')
    .description('A serverless Repository Service for TUF.')
    .version(about.version)
    .addOption(
      new Option('--api <url>', 'the service; /api/v1 is added if missing').env('TUFFET_API').default(defaultApi),
    )
    .addOption(new Option('--metadata-url <url>', "default: the API's base plus /metadata/").env('TUFFET_METADATA_URL'))
    .option('--token-env <name>', 'the environment variable that holds the bearer token (default: TUFFET_TOKEN)')
    .addOption(
      new Option(
        '--aws-sign',
        'sign with AWS credentials unless there is a token (default: if the API is API Gateway)',
      ).env('TUFFET_AWS_SIGN'),
    )
    .option('--json', 'one JSON document on standard output')
    .option('--quiet', 'say nothing but what was asked for, and errors')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', '\nExample:\n  $ tuffet artifact add dist/app.tar.gz --base dist')
    .addHelpText('after', endings)
    .hook('preAction', (_, action) => refuseEmpty(action))
    .exitOverride()
}

/** Mostly a variable of a script that is not set. What an option left out would mean is not what was meant. */
function refuseEmpty(action: Command): void {
  const options = [action, action.parent, action.parent?.parent].flatMap((command) => command?.options ?? [])
  const values = action.optsWithGlobals()
  const empty = options.find((option) => [values[option.attributeName()]].flat().includes(''))
  const name = empty?.long ?? (action.args.includes('') ? 'An argument' : undefined)
  if (name !== undefined) throw new CliError('usage', `${name} is empty. Is a variable set that it was made of?`)
}

/** A variable of the environment that is empty is one that is not set. */
function forgetEmptyVariables(): void {
  for (const [name, value] of Object.entries(process.env))
    if (name.startsWith('TUFFET_') && value === '') delete process.env[name]
}

async function main(args: readonly string[]): Promise<number> {
  forgetEmptyVariables()
  const program = rootCommand()
  const asked = Object.keys(commands).filter((name) => args.includes(name))
  const versionAlone = args.length === 1 && (args[0] === '--version' || args[0] === '-V')
  const load = asked.length > 0 || versionAlone ? asked : Object.keys(commands)
  for (const name of load) {
    const command = await commands[name]?.()
    if (command !== undefined) program.addCommand(inheriting(command, program))
  }
  try {
    await program.parseAsync(asHelpOption(program, args), { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    const json = args.includes('--json')
    if (isEndOfReading(error)) return exitCodes.done
    if (!(error instanceof CommanderError)) return reportFailure(error, { json })
    // Commander has said it already.
    if (error.exitCode === 0) return 0
    const message =
      error.code === 'commander.help' ? 'A command is missing: see --help.' : error.message.replace(/^error: /, '')
    if (json) console.log(JSON.stringify({ error: { code: 'usage', message } }, undefined, 2))
    return exitCodes.usage
  }
}

/** `help artifact add` as `artifact add --help`: commander's own looks one command deep, and says nothing of one that is not there. */
function asHelpOption(program: Command, args: readonly string[]): readonly string[] {
  if (args[0] !== 'help') return args
  const names = args.slice(1).filter((word) => !word.startsWith('-'))
  let at = program
  for (const name of names) {
    const next = at.commands.find((command) => command.name() === name)
    if (next === undefined && at.commands.length > 0) return names
    at = next ?? at
  }
  return [...names, '--help']
}

/** A command made elsewhere, and those below it, behave as this one. */
function inheriting(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent)
  for (const child of command.commands) inheriting(child, command)
  return command
}

/** Whoever reads our output may have seen enough of it. */
function isEndOfReading(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EPIPE'
}

process.stdout.on('error', (error) => {
  if (isEndOfReading(error)) return
  process.exit(reportFailure(new CliError('refused', `Standard output cannot be written: ${error.message}.`), {}))
})

process.exitCode = await main(process.argv.slice(2))
