import type { Metadata } from '../tuf/metadata.ts'
import type { Signed } from '../tuf/signed.ts'
import { goodSignatures } from '../tuf/threshold.ts'
import type { Current } from './current.ts'
import { readPendingBootstrap } from './found.ts'
import { firstSigners } from './operations/bootstrap.ts'
import type { Repository } from './repository.ts'
import { pendingOf, pendingTargets, type SigningGroup } from './signing.ts'
import { groupOf } from './tree.ts'

/** Metadata that waits, and whose signatures it waits for. */
export interface AwaitedSignatures {
  readonly role: string
  readonly version: number
  /** ISO 8601, UTC: signed after this, it is of no use. */
  readonly expires: string
  /** Each of these has to reach its threshold: for a root, the holders of the one before and its own. */
  readonly groups: readonly AwaitedGroup[]
}

export interface AwaitedGroup {
  readonly threshold: number
  /** Keyids. */
  readonly signed: readonly string[]
  readonly unsigned: readonly string[]
}

/** What waits for signatures on top of `current`, or of nothing yet. */
export async function readAwaited(repository: Repository, current: Current | undefined): Promise<AwaitedSignatures[]> {
  if (current === undefined) return awaitedBootstrap(repository)
  const { signing, root } = current
  return Object.keys(signing.roles).flatMap((role) => {
    if (role === 'root') {
      const pending = pendingOf(signing, role, 'root')
      if (pending === undefined) return []
      const groups = [pending.signed, root.signed].map((one) => groupOf(one, 'root'))
      return [awaited(role, pending, groups)]
    }
    const pending = pendingTargets(signing, role)
    return pending === undefined ? [] : [awaited(role, pending.metadata, [pending.group])]
  })
}

async function awaitedBootstrap(repository: Repository): Promise<AwaitedSignatures[]> {
  const pending = await readPendingBootstrap(repository)
  if (pending === undefined) return []
  const first = [['root', pending.root] as const, ...pending.offline]
  return first.map(([role, metadata]) => awaited(role, metadata, firstSigners(pending, role)))
}

function awaited(role: string, metadata: Signed<Metadata>, groups: readonly SigningGroup[]): AwaitedSignatures {
  const { signed, signedBytes, signatures } = metadata
  const shown = groups.map(({ roleKeys, keys }) => {
    const good = goodSignatures(roleKeys, keys, signedBytes, signatures)
    return {
      threshold: roleKeys.threshold,
      signed: good,
      unsigned: roleKeys.keyids.filter((keyid) => !good.includes(keyid)),
    }
  })
  const distinct = new Map(shown.map((group) => [JSON.stringify(group), group]))
  return { role, version: signed.version, expires: signed.expires, groups: [...distinct.values()] }
}
