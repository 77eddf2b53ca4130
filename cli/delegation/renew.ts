import { detailsOf } from '../api-client.ts'
import { describeAwaited } from '../awaited.ts'
import type { Context } from '../context.ts'
import { readDelegations } from './read.ts'

/** Has the holders of these roles asked to sign them anew; see `MetadataDelegationRequest`. Throws CliError. */
export async function renewRoles(roles: readonly string[], { api, output }: Context): Promise<void> {
  const task = await output.during('Asking for signatures', () => api.submit('POST', 'delegations/renew', { roles }))
  const { pending_roles: pending = [] } = detailsOf<{ pending_roles: readonly string[] }>(task)
  const awaited = (await readDelegations(api)).awaited_signatures.filter(({ role }) => pending.includes(role))
  const lines = [
    describeAwaited(awaited, new Date()),
    ...pending.map((name) => `Each of them runs: tuffet delegation sign ${name} --key FILE`),
  ]
  output.done({ task, awaited_signatures: awaited }, lines.join('\n'))
}
