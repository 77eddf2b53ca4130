import type { TargetFile } from '../tuf/metadata.ts'
import { type Artifact, withTaskId } from './artifact-rules.ts'
import { readBulk, readerAgain } from './bulk.ts'
import { linesOf } from './bulk-lines.ts'
import { changesOfImport, type Held } from './imported.ts'
import type { Change, Entry, Imported, Listed, TargetChange } from './journal.ts'
import { changesListed } from './listed.ts'
import type { ObjectStore } from './ports.ts'
import { linesOfPart, readPart } from './stored-lines.ts'

/** What an entry tells of changes: by itself, by the file that it imported, or by a list. */
export type Told = Pick<Entry, 'changes' | 'imported' | 'listed'>

export const numberOfChanges = ({ changes, imported, listed }: Told): number =>
  changes.length + (imported?.artifacts ?? 0) + (listed?.changes ?? 0)

/**
 * Every target that a commit changed, with its old and new value; files are parsed as one goes. Throws RepositoryError 'corrupt' if
 * one of them is gone.
 */
export async function changesOf(state: ObjectStore, { changes, imported, listed }: Told): Promise<Iterable<Change>> {
  const more = imported === undefined ? [] : await changesOfImport(state, imported)
  const others = listed === undefined ? [] : await changesListed(state, listed)
  return (function* () {
    yield* changes
    yield* more
    yield* others
  })()
}

/** Some of the targets that a commit changed, with their old and new values. */
export interface ChangesPage {
  readonly changes: readonly (Change & Partial<Pick<TargetChange, 'role'>>)[]
  /** Where the next page begins; absent on the last. */
  readonly next?: number
}

/** Characters that make a page full, whatever number was asked for: who answers from a function can send 6 MB. */
const fullPage = 2 * 1024 * 1024

/**
 * The changes from `offset` on, at most `limit`. A file that was imported is read and hashed for each page that holds some of it, but of
 * its lines only those of the page are parsed, and none is kept. Throws RepositoryError 'corrupt' if that file is gone.
 */
export async function readChanges(
  state: ObjectStore,
  entry: Told,
  { offset, limit }: Omit<Page, 'room'>,
): Promise<ChangesPage> {
  const { changes, imported, listed } = entry
  const total = numberOfChanges(entry)
  const { size, room } = fitting(changes, offset, limit)
  const told = changes.slice(offset, offset + size)
  const isAsked = size < limit && room > 0 && offset + size < total
  const page = { offset: Math.max(offset - changes.length, 0), limit: limit - size, room }
  // No commit has both.
  const rest = !isAsked
    ? undefined
    : ((imported && (await readImported(state, imported, page))) ?? (listed && (await readListed(state, listed, page))))
  const next = offset + size + (rest?.looked ?? 0)
  return { changes: [...told, ...(rest?.changes ?? [])], ...(next < total && next > offset && { next }) }
}

interface Page {
  readonly offset: number
  readonly limit: number
  /** Characters that it may yet have. */
  readonly room: number
}

/** How many of a list from `offset` on are on a page, at most `limit`, and how many characters it has room for yet. */
export function fitting(
  list: readonly unknown[],
  offset: number,
  limit: number,
  room = fullPage,
): { readonly size: number; readonly room: number } {
  let left = room
  let size = 0
  for (; size < limit && offset + size < list.length && left > 0; size++)
    left -= JSON.stringify(list[offset + size]).length
  return { size, room: left }
}

async function readListed(state: ObjectStore, { file, sha256, except }: Listed, page: Page) {
  const { lines } = await linesFrom(state, { name: file, sha256 }, page)
  const read: Change[] = lines.map((line) => JSON.parse(line.toString()))
  const looked = fitting(read, 0, read.length, page.room).size
  const others = new Set(except)
  return { changes: read.slice(0, looked).filter(({ path }) => !others.has(path)), looked }
}

async function readImported(state: ObjectStore, imported: Imported, page: Page) {
  const { before: name, beforeSha256, except, addedByTaskId: id } = imported
  const artifacts = await artifactsFrom(state, imported, page)
  const paths = new Set<string>(artifacts.map(({ path }) => path))
  const held = name === undefined ? undefined : await readHeld(state, { name, sha256: beforeSha256 }, paths)
  const others = new Set<string>(except)
  const changes: Change[] = []
  let looked = 0
  for (let told = 0; looked < artifacts.length && told < page.room; looked++) {
    const { path, info } = artifacts[looked] as Artifact
    if (others.has(path)) continue
    const before = held?.get(path)
    const after = withTaskId(info, id)
    told += JSON.stringify([path, before, after]).length
    changes.push({ path, after, ...(before && { before }) })
  }
  return { changes, looked }
}

/** The artifacts from number `offset` on: as many as `limit`, or fewer where they are more than a page takes. */
async function artifactsFrom(
  state: ObjectStore,
  { bulk, sha256, format, artifacts: total }: Imported,
  page: Page,
): Promise<Artifact[]> {
  const { lines, count } = await linesFrom(state, { name: bulk, sha256 }, page)
  if (count === total) return lines.map(readerAgain[format])
  // Some were left out, for they were broken or said what an earlier one says: which, only all of them tell.
  const { artifact } = readBulk(await readPart(state, bulk, sha256), format)
  return Array.from({ length: Math.min(lines.length, total - page.offset) }, (_, index) =>
    artifact(page.offset + index),
  )
}

/** The lines of a page, empty ones not counted, and how many there are in all. */
async function linesFrom(
  state: ObjectStore,
  { name, sha256 }: { readonly name: string; readonly sha256: string },
  { offset, limit }: Page,
): Promise<{ readonly lines: Buffer[]; readonly count: number }> {
  const lines: Buffer[] = []
  let length = 0
  let count = 0
  let isBegin = true
  for await (const text of linesOfPart(state, name, sha256)) {
    for (const [start, end] of linesOf(text, isBegin ? undefined : 0)) {
      if (end === start) continue
      // Twice, for some may be another commit's.
      if (count >= offset && lines.length < limit && length < 2 * fullPage) {
        lines.push(Buffer.from(text.subarray(start, end)))
        length += end - start
      }
      count++
    }
    isBegin = false
  }
  return { lines, count }
}

/** What these paths held before, from the lines of `encodeHeld`, which are sorted. */
async function readHeld(
  state: ObjectStore,
  { name, sha256 }: { readonly name: string; readonly sha256: string | undefined },
  paths: ReadonlySet<string>,
): Promise<Map<string, TargetFile>> {
  const sought = [...paths].sort()
  const found = new Map<string, TargetFile>()
  let next = 0
  for await (const lines of linesOfPart(state, name, sha256)) {
    const { path: last } = heldAt(lines, lineAround(lines, lines.length - 1))
    for (let path = sought[next]; path !== undefined && path <= last; path = sought[++next]) {
      const info = findHeld(lines, path)
      if (info !== undefined) found.set(path, info)
    }
    if (next === sought.length) break
  }
  return found
}

function findHeld(lines: Buffer, path: string): TargetFile | undefined {
  for (let low = 0, high = lines.length; low < high; ) {
    const line = lineAround(lines, (low + high) >>> 1)
    const held = heldAt(lines, line)
    if (held.path === path) return held.info
    if (held.path < path) low = line[1] + 1
    else high = line[0]
  }
  return undefined
}

const heldAt = (lines: Buffer, [start, end]: readonly [number, number]) =>
  JSON.parse(lines.toString('utf8', start, end)) as Held

/** Where the line in which this byte lies begins and ends. */
function lineAround(lines: Buffer, at: number): readonly [start: number, end: number] {
  const start = at === 0 ? 0 : lines.lastIndexOf(0x0a, at - 1) + 1
  const newline = lines.indexOf(0x0a, start)
  return [start, newline === -1 ? lines.length : newline]
}
