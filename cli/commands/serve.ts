import { delimiter } from 'node:path'
import { Command, Option } from 'commander'
import { saysNo, wholeNumber } from '../arguments.ts'
import type { ServeOptions } from '../server/serve.ts'

/** `tuffet serve`: the whole service in this process. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('serve a repository from a directory: API, metadata, publisher and refresher in one process')
    .addOption(option('--data <directory>', 'where everything lies; made if missing').default('./tuffet-data'))
    .addOption(option('--host <address>', 'where to listen').default('127.0.0.1'))
    .addOption(option('--port <number>', '0 picks a free one').argParser(wholeNumber(0, 65_535)).default(8080))
    .addOption(
      option(
        '--key <file>',
        'an online key, instead of one in the data directory; repeat it for keys to rotate to',
      ).argParser((file: string, earlier?: readonly string[]) => [...(earlier ?? []), file]),
    )
    .addOption(option('--artifacts <directory>', 'serve its files under /artifacts/'))
    .addOption(option('--token-file <file>', 'let in only who has one of these tokens: see `tuffet token new`'))
    .addOption(option('--trial', 'found a repository with trial root keys if there is none'))
    .addOption(option('--behind-proxy', 'a proxy in front of this authenticates; listen on any address'))
    .addOption(
      option(
        '--rotation-grace <seconds>',
        'how long old online keys go on signing once clients can see the root with new ones; longer than any refresh and any cache',
      )
        .argParser(wholeNumber(1, 7 * 24 * 60 * 60))
        .default(600),
    )
    .addOption(
      option(
        '--retention <hours>',
        'how long metadata stays that newer one took the place of: longer than any refresh and any cache',
      )
        .argParser(wholeNumber(1, 30 * 24))
        .default(24),
    )
    .addHelpText('after', `\nIn TUFFET_KEY, several files are separated by "${delimiter}".`)
    .addHelpText('after', '\nExample:\n  $ tuffet serve --trial --artifacts dist')
    .action(async (_, command: Command) => {
      // Fastify and all that: not for who asks for help.
      const { serve } = await import('../server/serve.ts')
      await serve(readOptions(command))
    })
}

/** An option that the environment may set too: `--token-file` is `TUFFET_TOKEN_FILE`. */
function option(flags: string, description: string): Option {
  const made = new Option(flags, description)
  return made.env(`TUFFET_${made.name().toUpperCase().replaceAll('-', '_')}`)
}

function readOptions(command: Command): ServeOptions {
  const options = command.opts<Omit<ServeOptions, 'keys'> & { readonly key?: readonly string[] }>()
  const fromEnvironment = (name: string) => command.getOptionValueSource(name) === 'env'
  const flag = (name: 'trial' | 'behindProxy', variable: string) =>
    options[name] === true && !(fromEnvironment(name) && saysNo(variable))
  const keys = (options.key ?? []).flatMap((file) => (fromEnvironment('key') ? file.split(delimiter) : [file]))
  return {
    ...options,
    keys: keys.filter((file) => file !== ''),
    trial: flag('trial', 'TUFFET_TRIAL'),
    behindProxy: flag('behindProxy', 'TUFFET_BEHIND_PROXY'),
  }
}
