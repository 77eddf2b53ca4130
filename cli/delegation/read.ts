import type * as z from 'zod'
import type { delegations } from '../../shared/app/result-schemas.ts'
import { isReservedName } from '../../shared/repository/settings.ts'
import type { ApiClient } from '../api-client.ts'
import { type Awaited, describeAwaited } from '../awaited.ts'
import { CliError } from '../output.ts'

/** Targets and the roles below it, as the API shows them. */
export type Delegations = z.infer<typeof delegations>['data']
export type StandingRole = Delegations['roles'][number]

export async function readDelegations(api: ApiClient): Promise<Delegations> {
  return (await api.get<z.infer<typeof delegations>>('delegations')).data
}

/** What waits of these roles, and what to say to their holders; nothing of none. */
export async function readPending(api: ApiClient, roles: readonly string[]): Promise<Pending> {
  if (roles.length === 0) return { waiting: [], steps: [] }
  const waiting = (await readDelegations(api)).awaited_signatures.filter(({ role }) => roles.includes(role))
  const next = roles.map((role) => `Each of them runs: tuffet delegation sign ${role} --key FILE`)
  return { waiting, steps: [describeAwaited(waiting, new Date()), ...next] }
}

interface Pending {
  readonly waiting: Awaited
  readonly steps: readonly string[]
}

/** The custom role of this name. Throws CliError 'refused' that says which there are. */
export function findRole({ roles, awaited_signatures }: Delegations, name: string): StandingRole {
  const role = roles.find((role) => role.name === name && role.paths !== undefined)
  if (role !== undefined) return role
  const waits = awaited_signatures.some(({ role }) => role === name)
  if (waits) throw new CliError('refused', `Role ${name} waits for signatures, and clients do not know it before.`)
  const names = roles.flatMap((role) => (role.paths === undefined || isReservedName(role.name) ? [] : [role.name]))
  const those = names.length === 0 ? 'There are none.' : `There are ${names.join(', ')}.`
  throw new CliError('refused', `There is no delegated role ${name}. ${those}`)
}
