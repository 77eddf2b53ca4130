import { Command } from 'commander'
import { detailsOf } from '../api-client.ts'
import { contextOf } from '../context.ts'
import { CliError } from '../output.ts'

export function refreshCommand(): Command {
  return new Command('refresh')
    .description('sign online roles anew, before they are due')
    .argument('[role...]', 'targets, snapshot, timestamp, bins or a custom role; none: all')
    .addHelpText('after', '\nExample:\n  $ tuffet refresh timestamp')
    .action(async (roles: string[], _options: unknown, command: Command) => {
      const { api, output } = contextOf(command)
      if (roles.includes('root'))
        throw new CliError('usage', 'The holders of root sign it anew: tuffet root update --expiration DAYS')
      const task = await output.during('Signing', () => api.submit('POST', 'metadata/online', { roles }))
      const { updated_roles = [] } = detailsOf<{ updated_roles: readonly string[] }>(task)
      output.done({ task }, `Signed anew: ${someOf(updated_roles)}.`)
    })
}

/** Hash bins may be thousands. */
function someOf(roles: readonly string[], most = 10): string {
  const more = roles.length - most
  return more > 0 ? `${roles.slice(0, most).join(', ')} and ${more} more (--json has all)` : roles.join(', ')
}
