import type { TargetFile } from '../tuf/metadata.ts'
import type { Block, BlockOfArtifacts } from './blocks.ts'
import type { BulkFormat } from './bulk/bulk.ts'
import { type Document, decodeDocument, encodeDocument, sha256 } from './documents.ts'
import { mending, RepositoryError } from './errors.ts'
import { inParallel } from './parallel.ts'
import type { ObjectStore } from './ports.ts'
import type { DecidedTask } from './task.ts'

/**
 * `commits/<number>.json`: the claim of a number, and what the commit of that number does. It is created before anything
 * else of the commit, and it counts only once it can be reached, through `base`, from the entry that the current
 * `timestamp.json` names by its version.
 */
export interface Entry extends Document {
  readonly number: number
  /** The commit, or for the first one the sealed bootstrap, that this one builds on, and the SHA-256 of its bytes. */
  readonly base: Link
  /** Some of the commits below it, from which those that lie far down are found: see `earlierOf`. */
  readonly earlier?: Readonly<Record<string, Link>>
  /** Sets two publishers apart that would write the same otherwise. */
  readonly nonce: string
  /** ISO 8601, UTC. */
  readonly time: string
  readonly tasks: readonly DecidedTask[]
  readonly changes: readonly TargetChange[]
  /** Names in the metadata store that this commit creates. */
  readonly creates: readonly string[]
  /** Names in the metadata store that nobody needs once this commit has been visible for the retention time. */
  readonly supersedes: readonly string[]
  /** Which `state/<number>.<name>.json` is the current one of each name. */
  readonly state: StateVersions
  /** Of their bytes, in hex: of each that was decided since entries say so. */
  readonly stateSha256?: Readonly<Partial<Record<StateName, string>>>
  /** Roles whose files come near what a served client can read, with their bytes, about. */
  readonly nearCaps?: Readonly<Record<string, number>>
  /** Changes that are told by the file in which they came, beside `changes`. */
  readonly imported?: Imported
  /** Changes that are told by a file of their own, beside `changes`. */
  readonly listed?: Listed
  /** The work ahead that ended with this commit; it is among `creates` if this commit took it over. */
  readonly prepared?: { readonly task: string; readonly claimed: readonly number[] }
  /** The newest commit below this one that ended work ahead; absent while there is none. */
  readonly ahead?: number
  /** The task for which this entry claims a number ahead of its commit. Such an entry is never committed itself. */
  readonly prepares?: string
}

export interface Link {
  readonly number: number
  /** Of the bytes of that entry, in hex. */
  readonly sha256: string
}

/** A million changes: see `imported.ts`. */
export interface Imported {
  /** An object of the state store: the file as it was sent. */
  readonly bulk: string
  /** Of that object, in hex. */
  readonly sha256: string
  readonly format: BulkFormat
  readonly artifacts: number
  /** The id that `custom` of each target got. */
  readonly addedByTaskId?: string
  /** An object of the state store: what those paths of the file held before that held something. */
  readonly before?: string
  /** Of that object, in hex; entries before they said so have none. */
  readonly beforeSha256?: string
  /**
   * All artifacts, in the order of the file; that of `before` is the same then, and that of the paths without. Entries before
   * there were blocks have none, nor do those that would have too many.
   */
  readonly blocks?: readonly BlockOfArtifacts[]
  /** Paths that later tasks had changed already: they have the last word. */
  readonly except: readonly string[]
}

/** More changes than an entry should hold: see `listed.ts`. */
export interface Listed {
  /** An object of the state store. */
  readonly file: string
  /** Of that object, in hex. */
  readonly sha256: string
  readonly changes: number
  /** All of them; entries before there were blocks have none. */
  readonly blocks?: readonly Block[]
  /** Paths that later tasks had changed already: they have the last word. */
  readonly except: readonly string[]
}

/** Files that tell what a commit changed, each with its hash as far as the entry knows it. */
export function* filesBeside({
  imported,
  listed,
}: Entry): Generator<readonly [file: string, sha256: string | undefined]> {
  if (imported !== undefined) yield [imported.bulk, imported.sha256]
  if (imported?.before !== undefined) yield [imported.before, imported.beforeSha256]
  if (listed !== undefined) yield [listed.file, listed.sha256]
}

export const stateNames = ['root', 'settings', 'parked', 'signing', 'rotation'] as const
export type StateName = (typeof stateNames)[number]
/** 0 for what no commit has decided yet. */
export type StateVersions = Readonly<Record<StateName, number>>

export interface TargetChange {
  readonly role: string
  readonly path: string
  /** Absent where the target is new. */
  readonly before?: TargetFile
  /** Absent where the target was removed. */
  readonly after?: TargetFile
}

/** Whatever role holds it. */
export type Change = Pick<TargetChange, 'path' | 'before' | 'after'>

export interface StoredEntry {
  readonly entry: Entry
  readonly sha256: string
}

/** Whether these are the bytes of a piece of private state that was current after this entry's commit, as far as it tells. */
export function isAsDecided({ stateSha256 }: Entry, name: StateName, bytes: Uint8Array): boolean {
  const decided = stateSha256?.[name]
  return decided === undefined || decided === sha256(bytes)
}

/** The pieces of private state that this entry's commit decided. */
export function stateWrittenBy({ number, state }: Entry): StateName[] {
  return stateNames.filter((name) => state[name] === number)
}

const blockLength = 64

/**
 * For 64, 64² and so on up to its number: the newest commit below an entry whose number lies in another block of so many. So any
 * commit is found from any later one by less than 64 reads for each of these powers, and all that it takes is the entry below.
 */
export function earlierOf(number: number, base: Link, below: Entry | undefined): Entry['earlier'] {
  const links: Record<string, Link> = {}
  for (let length = blockLength; length <= number && below !== undefined; length *= blockLength) {
    const isOfOther = Math.floor(base.number / length) < Math.floor(number / length)
    const link = isOfOther ? base : below.earlier?.[length]
    if (link !== undefined) links[length] = link
  }
  return Object.keys(links).length > 0 ? links : undefined
}

/** Padded, so that names sort as numbers do up to 10^12. */
export const entryName = (number: number) => `commits/${String(number).padStart(12, '0')}.json`
export const stateObjectName = (number: number, name: StateName) => `state/${number}.${name}.json`

/** The name of a metadata file: `7.bins-3.json` and the like. */
export function parseFile(file: string): { readonly version: number; readonly role: string } | undefined {
  const [, version, role] = /^([1-9]\d{0,14})\.(.+)\.json$/.exec(file) ?? []
  return version === undefined || role === undefined ? undefined : { version: Number(version), role }
}

/** The number of the newest entry after `number`, committed or not; `number` itself if there is none. */
export async function lastClaimed(state: ObjectStore, number: number): Promise<number> {
  let last = number
  for (let after: string | undefined = entryName(number); after !== undefined; ) {
    const names: string[] = await state.list('commits/', { after, limit: listedAtOnce })
    // What somebody else has put there, such as a copy, claims nothing.
    const newest = names.findLast((name) => /^commits\/\d{12,}\.json$/.test(name))
    if (newest !== undefined) last = Number.parseInt(newest.slice('commits/'.length), 10)
    after = names.at(-1)
  }
  return last
}

/** The entry of a number that may have none; nothing also where it is spoilt. Throws RepositoryError 'newer'. */
export async function findEntry(state: ObjectStore, number: number): Promise<Entry | undefined> {
  const stored = await state.read(entryName(number))
  return stored && readableEntry(entryName(number), stored.bytes)
}

/** The entry of a number that is known to have one. Throws RepositoryError 'corrupt' if it is missing or unreadable. */
export async function readEntry(state: ObjectStore, number: number): Promise<StoredEntry> {
  const name = entryName(number)
  const stored = await state.read(name)
  if (stored === undefined) {
    throw new RepositoryError('corrupt', `${name} is missing, although commit ${number} was made. ${mending}`)
  }
  return { entry: decodeEntry(name, stored.bytes), sha256: sha256(stored.bytes) }
}

/** The entry in these bytes; nothing where they are spoilt. Throws RepositoryError 'newer'. */
export function readableEntry(name: string, bytes: Uint8Array): Entry | undefined {
  try {
    return decodeEntry(name, bytes)
  } catch (error) {
    if (error instanceof RepositoryError && error.code === 'corrupt') return undefined
    throw error
  }
}

/** The same for who wants to know why. Throws RepositoryError 'corrupt' unless it is an entry, and the one of that name; or 'newer'. */
export function decodeEntry(name: string, bytes: Uint8Array): Entry {
  const entry = decodeDocument<Partial<Entry> & Document>(name, bytes)
  const { number, base, state, tasks, changes, creates, supersedes } = entry
  const isWhole =
    number !== undefined &&
    entryName(number) === name &&
    Number.isSafeInteger(base?.number) &&
    stateNames.every((part) => Number.isSafeInteger(state?.[part])) &&
    [tasks, changes, creates, supersedes].every(Array.isArray)
  if (!isWhole) throw new RepositoryError('corrupt', `${name} is not the entry of a commit. ${mending}`)
  return entry as Entry
}

const listedAtOnce = 1000

/** An entry, committed or not, with how long it has been there by the store's clock. */
export interface AgedEntry {
  readonly name: string
  readonly entry: Entry
  readonly age: number
}

/**
 * The entries after `number` up to `last`, in order. Reads ahead a little, and further the longer somebody goes on asking.
 * One that was deleted meanwhile, or is spoilt, is left out.
 */
export async function* entriesAfter(
  state: ObjectStore,
  number: number,
  last: number,
  parallel: number,
): AsyncGenerator<AgedEntry> {
  const end = entryName(last)
  let ahead = 2
  for (let after: string | undefined = entryName(number); after !== undefined; ) {
    const listed: string[] = await state.list('commits/', { after, limit: listedAtOnce })
    const names = listed.filter((name) => name <= end)
    for (let from = 0; from < names.length; from += ahead, ahead = Math.min(ahead * 2, parallel)) {
      const read = await inParallel(names.slice(from, from + ahead), parallel, async (name) => {
        return { name, stored: await state.read(name) }
      })
      for (const { name, stored } of read) {
        if (stored === undefined) continue
        const entry = readableEntry(name, stored.bytes)
        if (entry !== undefined) yield { name, entry, age: stored.age }
      }
    }
    after = names.length === listedAtOnce ? names.at(-1) : undefined
  }
}

export function encodeEntry(entry: Entry): Uint8Array {
  return encodeDocument(entry)
}
