import type { Root } from '../tuf/metadata.ts'
import { type Current, treeOfCurrent } from './current.ts'
import type { Signer } from './ports.ts'
import { expirationClass } from './settings.ts'
import { canSign, groupOf } from './tree.ts'

/** A role that is the service's to sign, and the keys that it holds too few of. */
export interface KeysNotHeld {
  /** `bins` for all hash bins. */
  readonly role: string
  readonly keyids: readonly string[]
  readonly threshold: number
}

/**
 * What the service should sign and cannot, timestamp and snapshot first: without these two there is no commit. While online keys
 * change the newest root is what counts, and what people sign on purpose is not the service's.
 */
export function keysNotHeld(current: Current, signers: readonly Signer[]): KeysNotHeld[] {
  const { signed: root } = current.root
  const isOurs = isOfOnlineKeys(root)
  const top = (['timestamp', 'snapshot', 'targets'] as const).map((role) => ({ role, group: groupOf(root, role) }))
  const below = treeOfCurrent(current).delegations.flatMap(({ keys, roles = [], succinct_roles: succinct }) => {
    // One of the bins is enough: they are of one group.
    const all = succinct === undefined ? roles : [{ ...succinct, name: `${succinct.name_prefix}-0` }]
    return all.map((role) => ({ role: role.name, group: { roleKeys: role, keys } }))
  })
  const lacking = new Map<string, KeysNotHeld>()
  for (const { role, group } of [...top, ...below]) {
    const { keyids, threshold } = group.roleKeys
    if (canSign(group, signers) || !isOurs(keyids)) continue
    const name = expirationClass(current.settings, role)
    lacking.set(name, { role: name, keyids, threshold })
  }
  return [...lacking.values()]
}

/** Tells the keys that the service signs with, whether it has them or not, from those that people hold. */
export function isOfOnlineKeys({ roles: { snapshot, timestamp } }: Root): (keyids: readonly string[]) => boolean {
  const online = new Set([...snapshot.keyids, ...timestamp.keyids])
  return (keyids) => keyids.every((keyid) => online.has(keyid))
}

/** Such as `timestamp, snapshot (key 3f…)`, roles of the same keys together. */
export function describeKeysNotHeld(lacking: readonly KeysNotHeld[]): string {
  const groups = Map.groupBy(lacking, ({ keyids, threshold }) =>
    keyids.length === 1 ? `key ${keyids[0]}` : `${threshold} of the keys ${keyids.join(', ')}`,
  )
  return [...groups].map(([keys, roles]) => `${roles.map(({ role }) => role).join(', ')} (${keys})`).join('; ')
}
