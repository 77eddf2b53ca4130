import { changesOf } from '../changes.ts'
import { schemaVersion, sha256 } from '../documents.ts'
import {
  type Entry,
  encodeEntry,
  parseFile,
  readableEntry,
  type StateName,
  type StoredEntry,
  stateNames,
  stateObjectName,
  stateWrittenBy,
  type TargetChange,
} from '../journal.ts'
import { inParallel } from '../parallel.ts'
import type { Repository } from '../repository.ts'

/** Every name that is stored, and every journal entry that can be read, committed or not. */
export interface Inventory {
  readonly metadata: ReadonlySet<string>
  readonly state: ReadonlySet<string>
  readonly entries: ReadonlyMap<number, StoredEntry>
}

export async function takeInventory({ ports, limits }: Repository): Promise<Inventory> {
  const [metadata, state] = await Promise.all([ports.metadata.list(''), ports.state.list('')])
  const names = state.filter((name) => name.startsWith('commits/'))
  const entries = await inParallel(names, limits.parallel, async (name) => {
    const stored = await ports.state.read(name)
    const entry = stored && readableEntry(name, stored.bytes)
    return entry && { entry, sha256: sha256(stored.bytes) }
  })
  return {
    metadata: new Set(metadata),
    state: new Set(state),
    entries: new Map(entries.filter((entry) => entry !== undefined).map((stored) => [stored.entry.number, stored])),
  }
}

/** What work ahead has noted beside its roles under these numbers, and no other entry names. */
export function notedAhead({ state, entries }: Inventory, leftovers: readonly Entry[]): string[] {
  const numbers = new Set(leftovers.filter(({ prepares }) => prepares !== undefined).map(({ number }) => number))
  const others = [...entries.values()].map(({ entry }) => entry).filter((entry) => !leftovers.includes(entry))
  const needed = new Set(others.flatMap(({ imported, listed }) => [imported?.before, listed?.file]))
  const isLeft = (name: string) => {
    const [, number] = /^bulk\/.+\.(\d+)\.(?:before|changes)$/.exec(name) ?? []
    return number !== undefined && numbers.has(Number(number)) && !needed.has(name)
  }
  return [...state].filter(isLeft)
}

/**
 * The newest commit that must have been made where `timestamp.json` does not tell: one that another builds on, or that has all of
 * its files. If it was not visible yet, all of it was there to become so.
 */
export function newestCommit({ metadata, state, entries }: Inventory): StoredEntry | undefined {
  const bases = new Set([...entries.values()].map(({ entry }) => entry.base.number))
  const isWhole = ({ entry }: StoredEntry) =>
    entry.prepares === undefined &&
    entry.creates.every((file) => metadata.has(file)) &&
    stateWrittenBy(entry).every((name) => state.has(stateObjectName(entry.number, name)))
  const newestFirst = [...entries.values()].sort((one, other) => other.entry.number - one.entry.number)
  return newestFirst.find((stored) => bases.has(stored.entry.number) || isWhole(stored))
}

/** The newest commit that another builds on, or means to; 0 if there is none. */
export function newestBase({ entries }: Inventory): number {
  return biggestOf([...entries.values()].map(({ entry }) => entry.base.number))
}

/** From the newest commit down, as far as the journal is whole; `complete` if that is the whole way. */
export function chainFrom(head: StoredEntry, { entries }: Inventory): { chain: Entry[]; complete: boolean } {
  const chain: Entry[] = []
  for (let at: StoredEntry | undefined = head; at !== undefined; at = entries.get(at.entry.base.number)) {
    chain.push(at.entry)
    if (at.entry.base.number === 0) return { chain, complete: true }
  }
  return { chain, complete: false }
}

/** An entry in place of one that is lost: what its commit did can no longer be known, what it left lies there. */
export function substituteEntry(number: number, nonce: string, now: Date, inventory: Inventory): StoredEntry {
  const below = [...inventory.entries.values()].filter(({ entry }) => entry.number < number)
  const base = below.reduce<StoredEntry | undefined>(
    (newest, one) => (newest === undefined || one.entry.number > newest.entry.number ? one : newest),
    undefined,
  )
  const newest = (name: StateName) => {
    const versions = [...inventory.state]
      .map((object) => /^state\/(\d+)\.(.+)\.json$/.exec(object))
      .flatMap((match) => (match?.[2] === name ? [Number(match[1])] : []))
    return biggestOf(versions.filter((version) => version <= number))
  }
  const entry: Entry = {
    schema: schemaVersion,
    number,
    base: { number: base?.entry.number ?? 0, sha256: base?.sha256 ?? '' },
    nonce,
    time: now.toISOString(),
    tasks: [],
    changes: [],
    creates: [...inventory.metadata].filter((file) => {
      const parsed = parseFile(file)
      return parsed?.version === number && parsed.role !== 'root'
    }),
    supersedes: [],
    state: Object.fromEntries(stateNames.map((name) => [name, newest(name)])) as Entry['state'],
  }
  return { entry, sha256: sha256(encodeEntry(entry)) }
}

/** What all targets are, as the journal tells it from the first commit on. */
export async function targetsByJournal(
  { ports }: Repository,
  chain: readonly Entry[],
): Promise<Map<string, NonNullable<TargetChange['after']>>> {
  const targets = new Map<string, NonNullable<TargetChange['after']>>()
  for (const entry of chain.toReversed()) {
    for (const { path, after } of await changesOf(ports.state, entry)) {
      if (after === undefined) targets.delete(path)
      else targets.set(path, after)
    }
  }
  return targets
}

/** The biggest number that is anywhere in what is stored. */
export function biggestNumber({ metadata, entries }: Inventory): number {
  const versions = [...metadata].map(parseFile).filter((parsed) => parsed !== undefined && parsed.role !== 'root')
  return biggestOf([...entries.keys(), ...versions.map((parsed) => parsed?.version ?? 0)])
}

/** Of more numbers than the parameters of one call may be. */
export const biggestOf = (numbers: readonly number[]) => numbers.reduce((a, b) => Math.max(a, b), 0)
