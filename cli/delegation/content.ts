import { isSameTarget } from '../../shared/repository/artifact-rules.ts'
import { canonicalText } from '../../shared/tuf/canonical.ts'
import type { DelegatedRole, Targets } from '../../shared/tuf/metadata.ts'
import { inOneLine } from '../printable.ts'
import { plural, table } from '../table.ts'

/** All that a signature on this metadata of a role stands for, as far as it differs from what clients read now. */
export function describeContent(role: string, next: Targets, published: Targets | undefined): string {
  const facts = [
    `Role ${role}, version ${next.version}, until ${next.expires}: ${plural(next.targets.size, 'artifact')}`,
    published === undefined
      ? 'Clients read nothing of this role yet.'
      : `Clients read version ${published.version}, until ${published.expires}: ${plural(published.targets.size, 'artifact')}`,
  ]
  const changes = targetChanges(next, published)
  const delegations = canonicalText(next.delegations ?? null) !== canonicalText(published?.delegations ?? null)
  const besides = otherFields(next)
  return [
    ...facts,
    ...(changes.length === 0 && published !== undefined ? ['Its artifacts stay as they are.'] : []),
    ...(changes.length > 0 ? [table(changes)] : []),
    ...(delegations ? ['What it delegates to changes:', ...delegationLines(next, published)] : []),
    ...(besides === '{}' ? [] : [inOneLine(`It says besides: ${besides}`)]),
  ].join('\n')
}

function targetChanges(next: Targets, published: Targets | undefined): string[][] {
  const before = published?.targets
  const changed = [...next.targets].flatMap(([path, target]) => {
    const old = before?.get(path)
    if (isSameTarget(old, target)) return []
    const { length, hashes, ...others } = target
    // Whole, for what is cut short others can be found for.
    const digests = Object.entries(hashes).map(([algorithm, digest]) => `${algorithm} ${digest}`)
    const said = Object.keys(others).length === 0 ? [] : [canonicalText(others)]
    return [[`  ${old === undefined ? '+' : '~'} ${path}`, plural(length, 'byte'), ...digests, ...said]]
  })
  const gone = [...(before?.keys() ?? [])].filter((path) => !next.targets.has(path)).map((path) => [`  - ${path}`])
  return [...changed, ...gone]
}

function delegationLines(next: Targets, published: Targets | undefined): string[] {
  const [before, after] = [linesOf(published), linesOf(next)]
  const [orderBefore, order] = [orderOf(published), orderOf(next)]
  const lines = [
    ...after.filter((line) => !before.includes(line)).map((line) => `  + ${line}`),
    ...before.filter((line) => !after.includes(line)).map((line) => `  - ${line}`),
    ...(order.length < 2 || order.join() === orderBefore.join() ? [] : [`  asked in this order: ${order.join(', ')}`]),
  ]
  return lines.map(inOneLine)
}

function linesOf(role: Targets | undefined): string[] {
  const { roles = [], succinct_roles: succinct } = role?.delegations ?? {}
  if (succinct === undefined) return roles.map(describeRole)
  const { bit_length, name_prefix, threshold, keyids } = succinct
  return [`${2 ** bit_length} hash bins ${name_prefix}-…: ${threshold} of ${keyids.join(', ')}`]
}

function describeRole({
  name,
  threshold,
  keyids,
  paths,
  path_hash_prefixes: prefixes = [],
  terminating,
}: DelegatedRole) {
  const trusted = (paths ?? [`hashes from ${prefixes.join(', ')}`]).join(', ')
  return `${name}: ${threshold} of ${keyids.join(', ')}; ${trusted}${terminating ? '; terminating' : ''}`
}

/** Of roles with patterns: of hash bins only one is trusted with each path. */
function orderOf(role: Targets | undefined): string[] {
  return (role?.delegations?.roles ?? []).flatMap(({ name, paths }) => (paths === undefined ? [] : [name]))
}

function otherFields(role: Targets): string {
  const { _type, spec_version, version, expires, targets, delegations, ...others } = role
  return canonicalText(others)
}
