import { hash } from 'node:crypto'
import { binNames, binOf, type HashBins, hashBins, isBinOf } from './bins.ts'
import type { DelegatedRole, Delegations, RoleKeys, SuccinctRoles, Targets } from './metadata.ts'
import { matchesPattern, type PatternIndex, patternIndex, patternsLike } from './patterns.ts'

/** A role that is trusted with a path, in the order in which clients ask them (specification, section 5.6.7). */
export interface TrustedRole extends RoleKeys {
  readonly name: string
  /** Absent where it is trusted by hash. */
  readonly paths?: readonly string[]
  /** A client that has looked here, and below, looks nowhere else. */
  readonly terminating: boolean
}

/** The roles that `delegations` trusts with `path`, in order. */
export function rolesTrustedWith(path: string, delegations: Delegations): TrustedRole[] {
  if (delegations.succinct_roles !== undefined) {
    const { keyids, threshold } = delegations.succinct_roles
    return [{ name: binOf(binsOf(delegations.succinct_roles), path), keyids, threshold, terminating: true }]
  }
  const { roles = [] } = delegations
  const { byHash, byPattern } = indexOf(delegations)
  const found = byPattern.matching(path)
  if (byHash.size > 0) {
    const digest = hash('sha256', path)
    for (const [length, prefixes] of byHash) found.push(...(prefixes.get(digest.slice(0, length)) ?? []))
  }
  return [...new Set(found)].sort((one, other) => one - other).flatMap((at) => roles[at] ?? [])
}

/** The places of roles in a delegation's list, which spares going through 16,384 hash bins, or patterns, for each path. */
interface RoleIndex {
  /** By the length of a hash prefix, then by the prefix. */
  readonly byHash: ReadonlyMap<number, ReadonlyMap<string, readonly number[]>>
  readonly byPattern: PatternIndex<number>
  readonly byName: ReadonlyMap<string, DelegatedRole>
}

const indexes = new WeakMap<Delegations, RoleIndex>()

function indexOf(delegations: Delegations): RoleIndex {
  const known = indexes.get(delegations)
  if (known !== undefined) return known
  const byHash = new Map<number, Map<string, number[]>>()
  const byName = new Map<string, DelegatedRole>()
  for (const [at, role] of (delegations.roles ?? []).entries()) {
    byName.set(role.name, role)
    for (const prefix of role.path_hash_prefixes ?? []) {
      const prefixes = byHash.get(prefix.length) ?? new Map<string, number[]>()
      byHash.set(prefix.length, prefixes)
      prefixes.set(prefix, [...(prefixes.get(prefix) ?? []), at])
    }
  }
  const byPaths = (delegations.roles ?? []).map(({ path_hash_prefixes, paths = [] }) =>
    path_hash_prefixes ? [] : paths,
  )
  const byPattern = patternIndex(byPaths.flatMap((paths, at) => paths.map((pattern) => [pattern, at] as const)))
  const index = { byHash, byPattern, byName }
  indexes.set(delegations, index)
  return index
}

const anySegment = '{*,.*}'

/**
 * Patterns that together match every path of up to so many segments, for every client. tuf-js hides names with a dot in front
 * from `*`, as a shell does; it reads braces, which to the others are characters that no path has.
 */
export function everyPath(segments: number): string[] {
  return Array.from({ length: segments }, (_, above) => above + 1).flatMap((depth) =>
    ['*', anySegment].map((segment) => Array(depth).fill(segment).join('/')),
  )
}

/** Whether tuf-js, unlike other clients, sees no trust in this path: a name begins with a dot, and the pattern with a wildcard. */
export function isHiddenFromSome(path: string, { paths }: Pick<DelegatedRole, 'paths'>): boolean {
  if (paths === undefined) return false
  const segments = path.split('/')
  const isShown = (pattern: string) => {
    const parts = pattern.split('/')
    if (parts.every((part) => part === anySegment)) return true
    return (
      matchesPattern(path, pattern) && parts.every((part, at) => !(segments[at]?.[0] === '.' && /^[*?]/.test(part)))
    )
  }
  return !patternsLike(path, paths).some(isShown)
}

/** The name of every role that is delegated to here, in order. Throws TufError 'invalid-metadata' for more bins than we make. */
export function delegatedNames(delegations: Delegations): string[] {
  if (delegations.succinct_roles !== undefined) {
    const { delegation, number, namePrefix } = binsOf(delegations.succinct_roles)
    return binNames(hashBins(delegation, number, namePrefix))
  }
  return (delegations.roles ?? []).map((role) => role.name)
}

/** Which keys sign the role `name`, or nothing if it is not delegated to here. */
export function keysOfDelegated(name: string, delegations: Delegations): RoleKeys | undefined {
  const succinct = delegations.succinct_roles
  if (succinct !== undefined) return isBinOf(binsOf(succinct), name) ? succinct : undefined
  return indexOf(delegations).byName.get(name)
}

/** Unchecked: somebody else's metadata may have more bins than we make. */
function binsOf(succinct: SuccinctRoles): HashBins {
  return { delegation: 'succinct_roles', number: 2 ** succinct.bit_length, namePrefix: succinct.name_prefix }
}

/** Delegated roles that a client visits (specification, section 5.6.7.1; python-tuf's default) before it gives the target up. */
const maximumVisited = 32

/**
 * Looks for a target as a client does: depth first, in the order of the delegations, each role once. `load` gives the
 * metadata of a role that the snapshot names. Returns the role that vouches for the path, and what it says; nothing where a client
 * finds none.
 */
export async function findTarget<Loaded extends { readonly signed: Targets }>(
  path: string,
  top: Loaded,
  load: (role: string) => Promise<Loaded>,
): Promise<{ role: string; metadata: Loaded } | undefined> {
  const visited = new Set(['targets'])
  const search = async (
    name: string,
    metadata: Loaded,
  ): Promise<{ role: string; metadata: Loaded } | 'stop' | undefined> => {
    if (metadata.signed.targets.has(path)) return { role: name, metadata }
    const { delegations } = metadata.signed
    if (delegations === undefined) return undefined
    for (const role of rolesTrustedWith(path, delegations)) {
      if (!visited.has(role.name)) {
        if (visited.size > maximumVisited) return 'stop'
        visited.add(role.name)
        const found = await search(role.name, await load(role.name))
        if (found !== undefined) return found
      }
      if (role.terminating) return 'stop'
    }
    return undefined
  }
  const found = await search('targets', top)
  return found === 'stop' ? undefined : found
}
