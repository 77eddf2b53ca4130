import type { ClientId } from '../../shared/repository/clients.ts'
import type { BinDelegation } from '../../shared/tuf/bins.ts'
import { expiresIn } from '../../shared/tuf/expiry.ts'
import { type JsonObject, parseJson } from '../../shared/tuf/json.ts'
import { type Key, keyid } from '../../shared/tuf/keys.ts'
import { type RoleKeys, type Root, specVersion } from '../../shared/tuf/metadata.ts'
import { rolesBelowRoot } from '../../shared/tuf/names.ts'
import type { Signed } from '../../shared/tuf/signed.ts'
import type { RootPayload } from '../root-payload.ts'

/** What a ceremony decides, besides the keys. Expirations are in days. */
export interface Decisions {
  readonly expiration: Readonly<Record<'root' | 'targets' | 'snapshot' | 'timestamp', number>>
  readonly delegations: HashBinsDecision | { readonly roles: readonly CustomRole[] }
  /** Signatures that a root needs. */
  readonly threshold: number
  /** Who signs targets, and how many of them must; absent: the service. */
  readonly targets?: OfflineTargets
  /** The TUF clients that the deployment is to serve; absent: as the service has it. */
  readonly clients?: readonly ClientId[]
}

export interface OfflineTargets {
  readonly keys: readonly Key[]
  readonly threshold: number
}

export interface HashBinsDecision {
  readonly number: number
  readonly delegation: BinDelegation
  readonly expiration: number
}

/** A delegated role that the service signs with its online key. */
export interface CustomRole {
  readonly name: string
  /** Patterns: `*` and `?` match within one segment. */
  readonly paths: readonly string[]
  readonly expiration: number
  readonly terminating: boolean
}

/** The keys with which the service signs, and which of them signs what. */
export interface OnlineKeys {
  readonly keys: ReadonlyMap<string, Key>
  readonly roles: Readonly<Record<OnlineRole, RoleKeys>>
}

type OnlineRole = (typeof rolesBelowRoot)[number]

/** Those that the service signs: not targets, where that has keys of its own. */
export function onlineRolesOf({ roles }: Root): OnlineRole[] {
  const held = [...roles.snapshot.keyids, ...roles.timestamp.keyids]
  return rolesBelowRoot.filter((role) => roles[role].keyids.some((id) => held.includes(id)))
}

/** The body of `POST /bootstrap`, as RSTUF has it; but for `clients` and `predecessor`, which are ours. */
export interface Payload extends RootPayload {
  readonly settings: { readonly roles: JsonObject; readonly clients?: readonly ClientId[] }
  readonly predecessor?: PredecessorPayload
}

/** As `POST /bootstrap` takes it. */
export interface PredecessorPayload {
  readonly roots: readonly string[]
  readonly highest_version: number
}

/** The root that a ceremony's decisions come to. */
export function firstRoot(
  { expiration, threshold, targets }: Decisions,
  rootKeys: readonly Key[],
  online: OnlineKeys,
  now: Date,
): Root {
  const rootIds = rootKeys.map((key) => [keyid(key), key] as const)
  const targetsIds = (targets?.keys ?? []).map((key) => [keyid(key), key] as const)
  const offline = targets && { targets: { keyids: targetsIds.map(([id]) => id), threshold: targets.threshold } }
  const roles = { root: { keyids: rootIds.map(([id]) => id), threshold }, ...online.roles, ...offline }
  const used = new Set(Object.values(roles).flatMap(({ keyids }) => keyids))
  return {
    _type: 'root',
    spec_version: specVersion,
    version: 1,
    expires: expiresIn(now, expiration.root),
    consistent_snapshot: true,
    keys: new Map([...rootIds, ...targetsIds, ...online.keys].filter(([id]) => used.has(id))),
    roles,
  }
}

export function payloadOf(decisions: Decisions, root: Signed<Root>, predecessor?: PredecessorPayload): Payload {
  const { expiration, delegations, clients } = decisions
  const days = Object.fromEntries(Object.entries(expiration).map(([role, days]) => [role, { expiration: days }]))
  return {
    settings: { roles: { ...days, ...delegationSettings(delegations) }, ...(clients && { clients }) },
    metadata: { root: parseJson(root.bytes) },
    ...(predecessor && { predecessor }),
  }
}

function delegationSettings(delegations: Decisions['delegations']): JsonObject {
  if ('roles' in delegations) {
    const roles = delegations.roles.map(({ name, paths, expiration, terminating }) => ({
      name,
      terminating,
      keyids: [],
      threshold: 1,
      paths,
      'x-rstuf-expire-policy': expiration,
    }))
    return { delegations: { keys: {}, roles } }
  }
  const { number, delegation, expiration } = delegations
  return { bins: { expiration, number_of_delegated_bins: number, delegation } }
}
