import { decodeDocument, sha256 } from './documents.ts'
import { mending, RepositoryError } from './errors.ts'
import { type Entry, entryName, type StoredEntry } from './journal.ts'
import { inParallel } from './parallel.ts'
import type { ObjectStore } from './ports.ts'

/** How many entries are read together, and how many of the reads are under way at once. */
export interface ReadingAhead {
  /** As many as are expected to be asked for. */
  readonly expected: number
  readonly parallel: number
}

/**
 * The committed entries from `top` down, each held to the hash that the one above it has of it. An entry is found by the
 * number that the one above builds on; most are one less, so they are read in blocks, and what was not committed is passed over.
 * Throws RepositoryError 'corrupt' where one is missing or is not the one that was built on.
 */
export async function* committedDown(
  state: ObjectStore,
  top: StoredEntry,
  { expected, parallel }: ReadingAhead,
): AsyncGenerator<Entry> {
  yield top.entry
  let above = top.entry
  let block = new Map<number, Uint8Array>()
  for (let left = expected - 1; above.base.number > 0; left--) {
    const { number, sha256: known } = above.base
    if (!block.has(number)) block = await readBlock(state, number, Math.min(Math.max(left, 1), parallel))
    const bytes = block.get(number)
    const name = entryName(number)
    if (bytes === undefined)
      throw new RepositoryError('corrupt', `${name} is missing, although commit ${number} was made. ${mending}`)
    if (sha256(bytes) !== known)
      throw new RepositoryError('corrupt', `${name} is not the one that commit ${above.number} builds on. ${mending}`)
    above = decodeDocument<Entry>(name, bytes)
    yield above
  }
}

/** Those that there are of so many numbers, the last of which is `last`. */
async function readBlock(state: ObjectStore, last: number, size: number): Promise<Map<number, Uint8Array>> {
  const numbers = Array.from({ length: Math.min(size, last) }, (_, at) => last - at)
  const read = await inParallel(numbers, size, async (number) => {
    const stored = await state.read(entryName(number))
    return stored === undefined ? [] : [[number, stored.bytes] as const]
  })
  return new Map(read.flat())
}
