import type { RoleKeys } from '../tuf/metadata.ts'
import { isReservedName } from './settings.ts'
import type { Signing } from './signing.ts'
import { signedBelow, type Tree } from './tree.ts'

/** A role that goes on trusting keys which roots have taken from the service, and these keys. */
export interface TrustingRole {
  /** Hash bins are not named one by one: `bins-*`. */
  readonly role: string
  readonly keyids: readonly string[]
}

/** Those below targets, and those that wait for signatures: nobody here could change, or sign, them. */
export function stillTrusting(tree: Tree, signing: Signing, removed: readonly string[] = []): TrustingRole[] {
  if (removed.length === 0) return []
  const below = signedBelow(tree).map(({ role, group }) => [role, group.roleKeys] as const)
  const waiting = Object.entries(signing.roles).flatMap(([role, { change }]): [string, RoleKeys][] =>
    change === undefined ? [] : [[role, change.signers]],
  )
  const found = new Map<string, TrustingRole>()
  for (const [role, { keyids }] of [...below, ...waiting]) {
    const trusted = keyids.filter((keyid) => removed.includes(keyid))
    const name = isReservedName(role) ? role.replace(/-[0-9a-f]+$/, '-*') : role
    if (trusted.length > 0) found.set(name, { role: name, keyids: trusted })
  }
  return [...found.values()]
}
