import { relative } from 'node:path'
import { Command } from 'commander'
import { siblingUrl } from '../api-client.ts'
import { type Context, contextOf, folderUrl } from '../context.ts'
import { CliError, complain, exitCodes, paint } from '../output.ts'
import { plural, short, table } from '../table.ts'
import type { Downloaded, TufClient } from '../tuf-client.ts'

interface DownloadOptions {
  readonly targetsUrl?: string
  readonly root?: string
  readonly cache?: string
  readonly out: string
  readonly plain?: boolean
}

export function downloadCommand(): Command {
  return new Command('download')
    .description('a TUF client: fetch targets, and keep those whose bytes trusted metadata vouches for')
    .argument('<path...>', 'target paths')
    .option('--targets-url <url>', "where target files are (default: the API's base plus /artifacts/)")
    .option('--root <file>', 'the root to trust; without it, the first root of the repository, on first use')
    .option('--cache <dir>', 'what is known of repositories (default: tuffet/ in the cache directory of the user)')
    .option('--out <dir>', 'targets are written below it, under their paths', '.')
    .option('--plain', 'target files have plain names on their server, without a hash in front')
    .addHelpText('after', '\nExit code 4: something was not verified, and was not written.')
    .addHelpText(
      'after',
      '\nIt uses tuf-js, whose time grows with the square of the entries of a file: a snapshot of 4096 hash bins takes' +
        '\nabout 4 seconds, one of 16384 more than a minute, and twice that when one is kept and there is a newer one.',
    )
    .addHelpText('after', '\nExample:\n  $ tuffet download releases/1.2.3/app.tar.gz --root root.json --out downloads')
    .action(async (paths: string[], options: DownloadOptions, command: Command) => {
      const context = contextOf(command)
      const client = await openClient(options, context)
      await context.output.during('Verifying metadata', () => client.refresh())
      const outcomes = await fetchAll(paths, client, options, context)
      report(outcomes, client, context)
    })
}

async function openClient(options: DownloadOptions, { metadataUrl, apiBase, output }: Context): Promise<TufClient> {
  // tuf-js: not for who asks for help.
  const { defaultCache, openTufClient } = await import('../tuf-client.ts')
  const targetsUrl =
    options.targetsUrl === undefined ? siblingUrl(apiBase, 'artifacts') : folderUrl(options.targetsUrl, '--targets-url')
  const client = await openTufClient({
    metadataUrl,
    targetsUrl,
    cache: options.cache ?? defaultCache(),
    ...(options.root !== undefined && { root: options.root }),
    ...(options.plain && { plain: true }),
    note: (text) => output.note(text),
  })
  if (client.trust.by === 'first-use') {
    const root = new URL('1.root.json', metadataUrl)
    output.note(`Trusting ${root} on first use (SHA-256 ${client.trust.sha256}). A --root that you know is safer.`)
  }
  return client
}

type Outcome = Downloaded | { readonly path: string; readonly error: CliError }

/** Each path for itself: that one is refused says nothing of the others. */
async function fetchAll(paths: readonly string[], client: TufClient, { out }: DownloadOptions, { output }: Context) {
  const outcomes: Outcome[] = []
  for (const path of paths) {
    try {
      outcomes.push(await output.during(`Fetching ${path}`, () => client.download(path, out)))
    } catch (error) {
      if (!(error instanceof CliError)) throw error
      outcomes.push({ path, error })
    }
  }
  return outcomes
}

/** The exit code is the most serious one: not verified before not reachable before refused. */
function report(outcomes: readonly Outcome[], { trust }: TufClient, { output }: Context): void {
  const failures = outcomes.filter((outcome) => 'error' in outcome)
  const files = outcomes.map((outcome) =>
    'error' in outcome
      ? { path: outcome.path, error: { code: outcome.error.code, message: outcome.error.message } }
      : outcome,
  )
  const rows = outcomes.flatMap((outcome) => ('error' in outcome ? [] : [row(outcome)]))
  output.done({ trust, files }, rows.length > 0 ? table(rows) : 'Nothing was written.')
  for (const { error } of failures) complain(error.message)
  if (failures.length > 0) process.exitCode = Math.max(...failures.map(({ error }) => exitCodes[error.code]))
}

function row({ path, file, length, hashes }: Downloaded): string[] {
  const [[algorithm, digest] = ['', '']] = Object.entries(hashes)
  const here = relative(process.cwd(), file)
  const where = here.startsWith('..') ? file : here
  return [paint('green', 'verified'), path, plural(length, 'byte'), `${algorithm} ${short(digest)}`, `-> ${where}`]
}
