import { Command } from 'commander'
import { TufError } from '../../shared/tuf/errors.ts'
import { collect } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { CliError } from '../output.ts'
import { plural, progressBar } from '../table.ts'
import { readRepository } from '../verified-repository.ts'
import { readVerifiedTargets, type Selection } from '../verified-targets.ts'

export function exportCommand(): Command {
  return new Command('export')
    .description(
      'write the artifacts that clients find in a TUF repository, of whatever tool, as tuffet import takes them',
    )
    .argument(
      '[where]',
      'a URL of metadata or of a service, s3://bucket, a data directory, or a directory of metadata (default: --metadata-url)',
    )
    .option('--role <name>', 'write only what this role and those below it list; repeatable', collect)
    .option('--without-role <name>', 'leave out what this role and those below it list; repeatable', collect)
    .addHelpText(
      'after',
      `
A line of JSON for each artifact. All metadata is read and verified first, from 1.root.json on; that it has expired is no reason to stop.

Examples:
  $ tuffet export https://tuf.example.com/metadata/ > artifacts.jsonl
  $ tuffet import artifacts.jsonl
  $ tuffet export https://tuf.example.com/metadata/ --without-role team > ours.jsonl`,
    )
    .action(async (where: string | undefined, options: Selection, command: Command) => {
      const { metadataUrl, output } = contextOf(command)
      const from = where ?? metadataUrl.href
      let count = 0
      try {
        const { found, lost } = await output.during(`Reading ${from}`, async (say) =>
          readVerifiedTargets(await readRepository(from), options, (read, total) =>
            say(progressBar(read, total, 'role')),
          ),
        )
        for await (const targets of found) {
          count += targets.length
          await output.part(targets, targets.map((target) => JSON.stringify(target)).join('\n'))
        }
        if (lost.length > 0) output.warn(leftOut(lost))
      } catch (cause) {
        if (!(cause instanceof TufError)) throw cause
        throw new CliError('not-verified', cause.message, { cause })
      }
      output.note(`Wrote ${plural(count, 'artifact')}.`)
    })
}

const shownAtMost = 3

function leftOut(lost: readonly { readonly role: string; readonly path: string }[]): string {
  const shown = lost.slice(0, shownAtMost).map(({ role, path }) => `${JSON.stringify(path)} (${role})`)
  const more = lost.length > shownAtMost ? ', …' : ''
  return `${plural(lost.length, 'target')} left out that no client finds, for the role is not trusted with it: ${shown.join(', ')}${more}`
}
