import { Command } from 'commander'
import { detailsOf } from '../api-client.ts'
import { wholeNumber } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { paint } from '../output.ts'
import { plural } from '../table.ts'

interface Details {
  readonly restored: number
  readonly removed: number
  /** Absent where these are many. */
  readonly restored_artifacts: readonly string[]
  readonly removed_artifacts: readonly string[]
}

export function revertCommand(): Command {
  return new Command('revert')
    .description('publish the targets of an earlier commit again; keys, settings and delegations stay as they are')
    .argument('<commit>', 'its number, as `tuffet log` shows it', wholeNumber(1))
    .addHelpText(
      'after',
      '\nIt is a commit like any other: `tuffet log --changes -n 1` shows what it did, and it can be reverted too.',
    )
    .addHelpText('after', '\nExample:\n  $ tuffet revert 41')
    .action(async (commit: number, _options: unknown, command: Command) => {
      const { api, output } = contextOf(command)
      const task = await output.during(`Reverting to commit ${commit}`, () => api.submit('POST', 'revert', { commit }))
      const { restored_artifacts = [], removed_artifacts = [], ...details } = detailsOf<Details>(task)
      const { restored = restored_artifacts.length, removed = removed_artifacts.length } = details
      const lines = [
        ...restored_artifacts.map((path) => `  ${paint('green', '+')} ${path}`),
        ...removed_artifacts.map((path) => `  ${paint('red', '-')} ${path}`),
      ]
      const said =
        restored + removed === 0
          ? `Targets are as commit ${commit} left them; nothing had to change.`
          : `Targets are as commit ${commit} left them: ${plural(restored, 'target')} restored, ${removed} removed.`
      output.done({ task }, [said, ...lines].join('\n'))
    })
}
