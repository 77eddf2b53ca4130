import { isReservedName } from '../../shared/repository/settings.ts'
import { describeAwaited } from '../awaited.ts'
import type { Context } from '../context.ts'
import { describeExpiry } from '../expiry.ts'
import { paint } from '../output.ts'
import { plural, table } from '../table.ts'
import { type Delegations, readDelegations, type StandingRole } from './read.ts'

export async function listRoles({ api, output }: Context): Promise<void> {
  const found = await readDelegations(api)
  output.result(found, describe(found, new Date()))
}

function describe({ roles, keys, awaited_signatures }: Delegations, now: Date): string {
  const rows = roles.flatMap((role) => rowsOf(role, now))
  const used = Object.keys(keys).flatMap((keyid) => {
    const of = roles.filter((role) => [role, role.bins].some((signers) => signers?.keyids.includes(keyid)))
    const names = of.map(({ name }) => name).join(', ')
    return of.length === 0 ? [] : [[`  ${keyid}`, keys[keyid]?.scheme ?? '', names]]
  })
  const sections = [table(rows), `${paint('bold', 'Keys')}\n${table(used)}`, describeAwaited(awaited_signatures, now)]
  return sections.filter((section) => section !== '').join('\n\n')
}

function rowsOf(role: StandingRole, now: Date): string[][] {
  const { name, paths, terminating, version, targets, bins } = role
  const indent = paths === undefined ? '' : '  '
  const notes = [
    ...(targets > 0 ? [plural(targets, 'artifact')] : []),
    ...(terminating ? ['terminating'] : []),
    ...(paths === undefined ? [] : [isReservedName(name) ? 'every other path' : shownPaths(paths)]),
  ]
  const row = [`${indent}${name}`, `version ${version}`, expiry(role.expires, now), signers(role), notes.join('; ')]
  if (bins === undefined) return [row]
  const kind = `${bins.delegation === 'succinct_roles' ? 'succinct' : 'by hash prefixes'}`
  const first = bins.expires === undefined ? '' : expiry(bins.expires, now)
  return [row, [`${indent}  ${plural(bins.number, 'hash bin')}`, '', first, signers(bins), kind]]
}

function expiry(expires: string, now: Date): string {
  const time = new Date(expires)
  const life = describeExpiry(time, now)
  return time <= now ? paint('red', life) : life
}

function signers({ online, threshold, keyids }: Pick<StandingRole, 'online' | 'threshold' | 'keyids'>): string {
  return `${threshold} of ${keyids.length}, ${online ? 'the service' : paint('yellow', 'its holders')}`
}

const pathsShown = 4

function shownPaths(paths: readonly string[]): string {
  const more = paths.length - pathsShown
  return `${paths.slice(0, pathsShown).join(', ')}${more > 0 ? `, and ${more} more patterns` : ''}`
}
