import { isSameTarget } from '../../shared/repository/artifact-rules.ts'
import { canonicalText } from '../../shared/tuf/canonical.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import type { DelegatedRole, SuccinctRoles, Targets } from '../../shared/tuf/metadata.ts'
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
  const [before, after] = [new Set(linesOf(published)), new Set(linesOf(next))]
  const [orderBefore, order] = [orderOf(published), orderOf(next)]
  const lines = [
    ...Array.from(after.difference(before), (line) => `  + ${line}`),
    ...Array.from(before.difference(after), (line) => `  - ${line}`),
    ...(order.length < 2 || listed(order) === listed(orderBefore)
      ? []
      : [`  asked in this order: ${describeOrder(next)}`]),
  ]
  return lines.map(inOneLine)
}

/** A line for each role, each key, and all else that is said of them. */
function linesOf(role: Targets | undefined): string[] {
  const { keys = new Map<string, Key>(), roles = [], succinct_roles, ...others } = role?.delegations ?? {}
  const bins = succinct_roles === undefined ? [] : [describeBins(succinct_roles)]
  const ofKeys = [...keys].map(
    ([keyid, { keytype, scheme, keyval, ...more }]) => `key ${keyid}: ${scheme}${saying(more)}`,
  )
  return [
    ...roles.map(describeRole),
    ...bins,
    ...ofKeys,
    ...(saying(others) === '' ? [] : [`besides${saying(others)}`]),
  ]
}

function describeBins({ bit_length, name_prefix, threshold, keyids, ...others }: SuccinctRoles) {
  return `${2 ** bit_length} hash bins ${name_prefix}-…: ${threshold} of ${listed(keyids)}${saying(others)}`
}

function describeRole(role: DelegatedRole) {
  const { name, threshold, keyids, paths, path_hash_prefixes: prefixes = [], terminating, ...others } = role
  const trusted = paths === undefined ? `hashes from ${listed(prefixes)}` : listed(paths)
  return `${listed([name])}: ${threshold} of ${listed(keyids)}; ${trusted}${terminating ? '; terminating' : ''}${saying(others)}`
}

/** Those that hold what stands between them are quoted: one must not look like two. */
const listed = (texts: readonly string[]) =>
  texts.map((text) => (/[\s,;:"]/.test(text) ? canonicalText(text) : text)).join(', ')

const saying = (others: object) => (Object.keys(others).length === 0 ? '' : `; ${canonicalText(others)}`)

const orderOf = (role: Targets | undefined) => (role?.delegations?.roles ?? []).map(({ name }) => name)

/** Of roles by hash that follow each other, which may be thousands, the first and the last. */
function describeOrder({ delegations }: Targets): string {
  const runs: DelegatedRole[][] = []
  for (const role of delegations?.roles ?? []) {
    const run = runs.at(-1)
    if (run !== undefined && role.paths === undefined && run[0]?.paths === undefined) run.push(role)
    else runs.push([role])
  }
  return runs
    .map((run) => run.map(({ name }) => name))
    .map((names) =>
      names.length === 1
        ? listed(names)
        : `${listed(names.slice(0, 1))} to ${listed(names.slice(-1))} (${names.length} by hash)`,
    )
    .join(', ')
}

function otherFields(role: Targets): string {
  const { _type, spec_version, version, expires, targets, delegations, ...others } = role
  return canonicalText(others)
}
