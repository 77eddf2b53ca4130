import type { TargetFile } from '../tuf/metadata.ts'
import { type Artifact, withTaskId } from './artifact-rules.ts'
import type { Block, BlockOfArtifacts } from './blocks.ts'
import { readBulk, readerAgain } from './bulk/bulk.ts'
import { linesOf } from './bulk/lines.ts'
import { decodeLines, readPart, readStretch } from './bulk/stored-lines.ts'
import { changesOfImport, type Held } from './imported.ts'
import type { Change, Entry, Imported, Listed, TargetChange } from './journal.ts'
import { changesListed } from './listed.ts'
import type { ObjectStore } from './ports.ts'

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
 * The changes from `offset` on, at most `limit`. Of a file only the blocks of the page are read, unless the entry tells of none: then
 * all of it is. Throws RepositoryError 'corrupt' if that file is gone, or those blocks are not as they were.
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

async function readListed(state: ObjectStore, { file, sha256, except, blocks }: Listed, page: Page) {
  const { lines } =
    blocks === undefined
      ? linesOfPage(await readPart(state, file, sha256), page)
      : await linesInBlocks(state, file, blocks, page)
  const read: Change[] = lines.map((line) => JSON.parse(line.toString()))
  const looked = fitting(read, 0, read.length, page.room).size
  const others = new Set(except)
  return { changes: read.slice(0, looked).filter(({ path }) => !others.has(path)), looked }
}

async function readImported(state: ObjectStore, imported: Imported, page: Page) {
  const { except, addedByTaskId: id, blocks } = imported
  const { artifacts, held } =
    blocks === undefined ? await lookThrough(state, imported, page) : await readBlocks(state, imported, blocks, page)
  const others = new Set<string>(except)
  const changes: Change[] = []
  let looked = 0
  for (let told = 0; looked < artifacts.length && told < page.room; looked++) {
    const { path, info } = artifacts[looked] as Artifact
    if (others.has(path)) continue
    const before = held.get(path)
    const after = withTaskId(info, id)
    told += JSON.stringify([path, before, after]).length
    changes.push({ path, after, ...(before && { before }) })
  }
  return { changes, looked }
}

/** The artifacts of a page, or fewer where they are more than it takes, and what their paths held before. */
interface ArtifactsOfPage {
  readonly artifacts: readonly Artifact[]
  readonly held: ReadonlyMap<string, TargetFile>
}

async function readBlocks(
  state: ObjectStore,
  { bulk, format, before: name }: Imported,
  blocks: readonly BlockOfArtifacts[],
  page: Page,
): Promise<ArtifactsOfPage> {
  const { lines, read } = await linesInBlocks(state, bulk, blocks, page)
  const held = new Map<string, TargetFile>()
  for (const { before } of read) {
    if (name === undefined || before === undefined) continue
    for (const { path, info } of decodeLines<Held>(await readStretch(state, name, before))) held.set(path, info)
  }
  return { artifacts: lines.map(readerAgain[format]), held }
}

/** The same without blocks, from all there is. */
async function lookThrough(state: ObjectStore, imported: Imported, page: Page): Promise<ArtifactsOfPage> {
  const { bulk, sha256, format, artifacts: total, before, beforeSha256 } = imported
  const text = await readPart(state, bulk, sha256)
  const { lines, count } = linesOfPage(text, page)
  const length = Math.min(lines.length, total - page.offset)
  // Some may be left out, for they were broken or said what an earlier one says: which, only all of them tell.
  const artifacts =
    count === total
      ? lines.map(readerAgain[format])
      : Array.from({ length }, (_, index) => page.offset + index).map(readBulk(text, format).artifact)
  const held = before === undefined ? undefined : await readPart(state, before, beforeSha256)
  const found = artifacts.flatMap(({ path }) => (held && findHeld(held, path)) ?? [])
  return { artifacts, held: new Map(found.map(({ path, info }) => [path, info])) }
}

/** The lines of a page, empty ones not counted, and how many there are in all. */
function linesOfPage(text: Buffer, { offset, limit }: Pick<Page, 'offset' | 'limit'>, begin?: number) {
  const lines: Buffer[] = []
  let length = 0
  let count = 0
  for (const [start, end] of linesOf(text, begin)) {
    if (end === start) continue
    // Twice, for some may be another commit's.
    if (count >= offset && lines.length < limit && length < 2 * fullPage) {
      lines.push(text.subarray(start, end))
      length += end - start
    }
    count++
  }
  return { lines, count }
}

/** The same from the blocks in which they are, and no others. */
async function linesInBlocks<Of extends Block>(
  state: ObjectStore,
  name: string,
  blocks: readonly Of[],
  { offset, limit }: Page,
) {
  const lines: Buffer[] = []
  const read: Of[] = []
  let [count, length] = [0, 0]
  for (const block of blocks) {
    if (lines.length === limit || length >= 2 * fullPage) break
    const from = Math.max(offset - count, 0)
    count += block.lines
    if (from >= block.lines) continue
    const page = { offset: from, limit: limit - lines.length }
    const some = linesOfPage(await readStretch(state, name, block), page, 0).lines
    lines.push(...some)
    length += some.reduce((sum, line) => sum + line.length, 0)
    read.push(block)
  }
  return { lines, read }
}

/** What a path held before, from lines in the order of their paths. */
function findHeld(lines: Buffer, path: string): Held | undefined {
  for (let low = 0, high = lines.length; low < high; ) {
    const line = lineAround(lines, (low + high) >>> 1)
    const held = heldAt(lines, line)
    if (held.path === path) return held
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
