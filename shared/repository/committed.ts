import { sha256 } from './documents.ts'
import { mending, RepositoryError } from './errors.ts'
import { decodeEntry, type Entry, entryName, type Link, type StoredEntry } from './journal.ts'
import { inParallel } from './parallel.ts'
import type { ObjectStore } from './ports.ts'

/** Which entries are asked for, and how many of the reads are under way at once. */
export interface Wanted {
  /** The number of the newest one; absent: of all. */
  readonly newest?: number
  readonly limit: number
  readonly parallel: number
}

/**
 * The committed entries from `top` down, each held to the hash that one above it has of it. An entry is found by the
 * number that the one above builds on; most are one less, so they are read in blocks, and what was not committed is passed over.
 * Throws RepositoryError 'corrupt' where one is missing or is not the one that was built on.
 */
export async function* committedDown(
  state: ObjectStore,
  top: StoredEntry,
  { newest = top.entry.number, limit, parallel }: Wanted,
): AsyncGenerator<Entry> {
  let at = top.entry
  let block = new Map<number, Uint8Array>()
  for (let left = limit; ; ) {
    if (at.number <= newest) {
      yield at
      left--
    }
    const far = at.number > newest ? furthestTo(newest, at) : undefined
    const { number } = far ?? at.base
    if (number === 0 || left === 0) return
    const expected = far === undefined ? number - Math.min(newest, number) + left : 1
    if (!block.has(number)) block = await readBlock(state, number, Math.min(expected, parallel))
    at = linkedEntry(far ?? at.base, block.get(number), at.number)
  }
}

/** The link of this entry that leads furthest down, and not below `number`. */
function furthestTo(number: number, { earlier = {} }: Entry): Link | undefined {
  const [furthest] = Object.values(earlier)
    .filter((link) => link.number >= number)
    .sort((one, other) => one.number - other.number)
  return furthest
}

function linkedEntry(link: Link, bytes: Uint8Array | undefined, above: number): Entry {
  const name = entryName(link.number)
  if (bytes === undefined)
    throw new RepositoryError('corrupt', `${name} is missing, although commit ${link.number} was made. ${mending}`)
  if (sha256(bytes) !== link.sha256)
    throw new RepositoryError('corrupt', `${name} is not the one that commit ${above} builds on. ${mending}`)
  return decodeEntry(name, bytes)
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
