import { keysOfDelegated } from '../tuf/delegation.ts'
import { type Json, parseJson } from '../tuf/json.ts'
import type { DelegatedRole, RoleKeys, Targets } from '../tuf/metadata.ts'
import { unsigned } from '../tuf/signed.ts'
import { type Current, readCurrent } from './current.ts'
import { readPendingBootstrap } from './found.ts'
import type { Repository } from './repository.ts'
import type { WaitingChange } from './signing.ts'

/** What the holders of offline keys are asked to sign, each role as its whole file with the signatures that have come in. */
export interface WaitingMetadata {
  readonly roles: Readonly<Record<string, Json>>
  /** What the root that waits is to follow; absent if none waits or it is the first. */
  readonly trustedRoot?: Json
  /** Targets, naming who signs each delegated role that waits; absent if none waits. */
  readonly trustedTargets?: Json
}

export async function readWaitingMetadata(repository: Repository): Promise<WaitingMetadata> {
  const current = await readCurrent(repository)
  if (current === undefined) {
    const pending = await readPendingBootstrap(repository)
    if (pending === undefined) return { roles: {} }
    const { root, offline, predecessor } = pending
    const before = predecessor?.roots.at(-1)
    const targets = offline.get('targets')
    const json = [['root', root] as const, ...offline].map(([role, { bytes }]) => [role, parseJson(bytes)] as const)
    // Nobody has trusted it yet; it says whose keys to ask for.
    return {
      roles: Object.fromEntries(json),
      ...(before && { trustedRoot: parseJson(before.bytes) }),
      ...(targets && offline.size > 1 && { trustedTargets: parseJson(targets.bytes) }),
    }
  }
  const waiting = Object.entries(current.signing.roles)
  const changes = waiting.flatMap(([role, { change }]) => (change === undefined ? [] : [{ role, change }]))
  return {
    roles: Object.fromEntries(waiting.map(([role, { metadata }]) => [role, metadata])),
    ...(waiting.length > changes.length && { trustedRoot: parseJson(current.root.bytes) }),
    ...(changes.length > 0 && { trustedTargets: trustedTargets(current, changes) }),
  }
}

interface RoleThatWaits {
  readonly role: string
  readonly change: WaitingChange
}

/**
 * Targets as it is published where that names who signs; otherwise (a role is not delegated to before it is signed) as it
 * will be, and without signatures, for nobody has signed this. The `rstuf` command looks up there whose keys to ask for.
 */
function trustedTargets({ targets }: Current, waiting: readonly RoleThatWaits[]): Json {
  const { delegations } = targets.signed
  const named = (role: string) => delegations && keysOfDelegated(role, delegations)
  const missing = waiting.filter(({ role, change }) => role !== 'targets' && !equal(named(role), change.signers))
  if (missing.length === 0) return parseJson(targets.bytes)
  const names = new Set(missing.map(({ role }) => role))
  const amended: Targets = {
    ...targets.signed,
    delegations: {
      keys: new Map([...(delegations?.keys ?? []), ...missing.flatMap(({ change }) => Object.entries(change.keys))]),
      roles: [...(delegations?.roles ?? []).filter(({ name }) => !names.has(name)), ...missing.map(delegatedRole)],
    },
  }
  return parseJson(unsigned(amended).bytes)
}

function delegatedRole({ role, change: { request, signers } }: RoleThatWaits): DelegatedRole {
  const asked = request.kind === 'metadata_delegation' && 'roles' in request ? request.roles : []
  const { terminating = false, paths = [] } = asked.find(({ name }) => name === role) ?? {}
  const { keyids, threshold } = signers
  return { name: role, terminating, paths, keyids, threshold }
}

function equal(one: RoleKeys | undefined, other: RoleKeys): boolean {
  const ids = ({ keyids }: RoleKeys) => [...keyids].sort().join()
  return one !== undefined && one.threshold === other.threshold && ids(one) === ids(other)
}
