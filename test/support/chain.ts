import { sha256 } from '../../shared/repository/documents.ts'
import { type Entry, earlierOf, encodeEntry, entryName, type StoredEntry } from '../../shared/repository/journal.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'

/** Writes a journal whose commits have these numbers, in order, on nothing that lies elsewhere; its newest entry. */
export async function writeChain(state: ObjectStore, numbers: readonly number[]): Promise<StoredEntry> {
  let below: StoredEntry | undefined
  for (const number of numbers) {
    const base = { number: below?.entry.number ?? 0, sha256: below?.sha256 ?? '' }
    const earlier = earlierOf(number, base, below?.entry)
    const entry: Entry = {
      ...{ schema: 1, number, base, nonce: `${number}`, time: '2030-01-01T00:00:00.000Z' },
      ...(earlier && { earlier }),
      ...{ tasks: [], changes: [], creates: [], supersedes: [] },
      state: { root: 1, settings: 1, parked: 0, signing: 0, rotation: 0 },
    }
    const bytes = encodeEntry(entry)
    await state.create(entryName(number), bytes)
    below = { entry, sha256: sha256(bytes) }
  }
  if (below === undefined) throw new Error('A chain has at least one commit.')
  return below
}
