import { detailsOf } from '../api-client.ts'
import type { Context } from '../context.ts'
import { readPending } from './read.ts'

/** Has the holders of these roles asked to sign them anew; see `MetadataDelegationRequest`. Throws CliError. */
export async function renewRoles(roles: readonly string[], { api, output }: Context): Promise<void> {
  const task = await output.during('Asking for signatures', () => api.submit('POST', 'delegations/renew', { roles }))
  const { pending_roles: pending = [] } = detailsOf<{ pending_roles: readonly string[] }>(task)
  const { waiting, steps } = await readPending(api, pending)
  output.done({ task, awaited_signatures: waiting }, steps.join('\n'))
}
