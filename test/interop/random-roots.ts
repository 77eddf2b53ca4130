/** Who may sign what in a repository that changes at random, and roots that say so. */

import assert from 'node:assert/strict'
import type { Key } from '../../shared/tuf/keys.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { type KeyKind, makeKey, makeRoot, type TestKey } from '../support/keys.ts'
import { withTough } from './clients.ts'
import type { Random } from './scenario.ts'

const kinds: readonly KeyKind[] = ['ed25519', 'ecdsa', 'rsa']
const keysOfAllKinds = (count: number) => Array.from({ length: count }, (_, at) => makeKey(kinds[at % kinds.length]))

/** They hold root keys, or a role's; made once, for RSA takes its time. */
export const people: readonly TestKey[] = keysOfAllKinds(9)
/** What the service holds. */
export const onlineKeys: readonly TestKey[] = keysOfAllKinds(4)

export interface Group {
  readonly keys: readonly TestKey[]
  readonly threshold: number
}

export type Signers = Readonly<Record<'root' | 'targets' | 'snapshot' | 'timestamp', Group>>

/** Choices at random. */
export function chooser(random: Random) {
  const below = (limit: number) => Math.floor(random() * limit)
  const chance = (share: number) => random() < share
  const oneOf = <Item>(items: readonly Item[]): Item => items[below(items.length)] ?? assert.fail('There is no choice.')
  /** One at least. */
  const some = <Item>(items: readonly Item[], most: number): Item[] => {
    const left = [...items]
    return Array.from({ length: Math.min(1 + below(most), items.length) }, () =>
      left.splice(below(left.length), 1),
    ).flat()
  }
  const groupOf = (keys: readonly TestKey[]): Group => ({ keys, threshold: 1 + below(keys.length) })
  const anySigners = (): Signers => {
    const online = () => groupOf(some(onlineKeys, 2))
    return { root: groupOf(some(people, 4)), targets: online(), snapshot: online(), timestamp: online() }
  }
  /**
   * With names of keys, as `rstuf` gives them, and fields of its own, which are to stay as they are. tough refuses the names, for it
   * computes keyids over them.
   */
  const rootOf = (signers: Signers, version: number): Root => {
    const named = ({ key }: TestKey): Key =>
      chance(0.3) && !withTough ? { ...key, 'x-rstuf-key-name': `No. ${below(9)}` } : key
    const keyidsOf = ({ keys, threshold }: Group) => ({ keyids: keys.map(({ keyid }) => keyid), threshold })
    const keys = Object.values(signers).flatMap((group) => group.keys)
    const { root, targets, snapshot, timestamp } = signers
    return {
      ...makeRoot({ version, root: root.keys }),
      keys: new Map(keys.map((key) => [key.keyid, named(key)])),
      roles: {
        root: keyidsOf(root),
        targets: keyidsOf(targets),
        snapshot: keyidsOf(snapshot),
        timestamp: keyidsOf(timestamp),
      },
      'x-note': { of: `root ${version}`, list: [1, null, true] },
    }
  }
  return { below, chance, oneOf, some, groupOf, anySigners, rootOf }
}
