import { binsFor } from '../../shared/repository/client-rules.ts'
import { type Client, type ClientId, type DelegationKind, servedClients } from '../../shared/repository/clients.ts'
import { CliError } from '../output.ts'

/**
 * Throws CliError 'usage' if one of the clients that somebody named would find nothing behind this way of delegating, which is
 * chosen once. The service warns only: of the clients that it serves by default none of the ways reaches all.
 */
export function refuseLost(clients: readonly ClientId[], kind: DelegationKind): void {
  const served = servedClients(clients)
  const lost = served.filter(({ reads }) => !reads.includes(kind))
  const [first] = lost
  if (first === undefined) return
  const { reads } = first
  const what =
    reads.length === 0
      ? `${first.id} follows no delegations`
      : `${first.id} follows ${reads.join(' and ')}, not ${kind}`
  const ids = lost.map(({ id }) => id).join(', ')
  throw new CliError('usage', `${what}: ${[...insteadFor(served), `leave ${ids} out of the clients`].join(', or ')}.`)
}

/** What all of them follow. */
function insteadFor(served: readonly Client[]): string[] {
  const bins = binsFor(served)
  if (bins !== undefined) return [`add --delegation ${bins}`]
  return served.every(({ reads }) => reads.includes('paths')) ? ['delegate to custom roles (--role name=pattern)'] : []
}
