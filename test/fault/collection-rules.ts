import assert from 'node:assert/strict'
import type { Entry } from '../../shared/repository/journal.ts'
import type { VirtualTime } from './world.ts'

const hour = 60 * 60 * 1000

/** How long, in a world, clients may go on reading what they have seen. */
export const retention = 12 * hour
const abortedFor = 24 * hour

/** Knows what may be deleted, and since when. */
export interface CollectionRules {
  committed(entry: Entry): void
  claimed(entry: Entry): void
  /** Throws unless this object may go now. */
  mayGo(name: string): void
}

export function collectionRules(time: VirtualTime): CollectionRules {
  const superseded = new Map<string, number>()
  const claims = new Map<number, { readonly entry: Entry; readonly at: number }>()
  const committed = new Set<number>()
  /** Numbers claimed ahead of a commit that has been made: when, and which files it has. */
  const ended = new Map<number, { readonly at: number; readonly kept: ReadonlySet<string> }>()

  function wasAborted(number: number): boolean {
    const claim = claims.get(number)
    return claim !== undefined && !committed.has(number) && time.now - claim.at >= abortedFor
  }

  return {
    claimed(entry) {
      if (!claims.has(entry.number)) claims.set(entry.number, { entry, at: time.now })
    },
    committed({ number, base, supersedes, state, prepared, creates, imported, listed }) {
      committed.add(number)
      for (const claimed of prepared?.claimed ?? [])
        ended.set(claimed, {
          at: time.now,
          kept: new Set([...creates, imported?.before ?? '', listed?.file ?? '']),
        })
      for (const file of supersedes) superseded.set(file, time.now)
      const before = claims.get(base.number)?.entry.state
      for (const [name, version] of Object.entries(before ?? {}))
        if (state[name as keyof typeof state] !== version) superseded.set(`state/${version}.${name}.json`, time.now)
    },
    mayGo(name) {
      const number = Number.parseInt(name.replace(/^(commits\/|state\/|bulk\/\w+\.)/, ''), 10)
      assert.ok(!name.endsWith('.root.json') || name.startsWith('state/'), `${name} was deleted, and roots stay`)
      const claim = claims.get(number)?.entry
      if (claim?.prepares !== undefined) {
        const end = ended.get(number)
        assert.ok(end !== undefined, `${name} was signed ahead, and deleted before its commit`)
        const isKept = name.startsWith('commits/')
          ? claim.creates.some((file) => end.kept.has(file))
          : end.kept.has(name)
        if (!isKept) return
      } else if (wasAborted(number)) return
      const since = superseded.get(name)
      assert.ok(since !== undefined, `${name} was deleted, and nothing has superseded it`)
      assert.ok(time.now - since >= retention, `${name} was deleted within its retention time`)
    },
  }
}
