import type { TargetFile } from '../tuf/metadata.ts'
import { type Artifact, withTaskId } from './artifact-rules.ts'
import { artifactsOf, readBulk } from './bulk.ts'
import { linesOf } from './bulk-lines.ts'
import { type Change, type Held, readPart } from './imported.ts'
import type { Entry, Imported, TargetChange } from './journal.ts'
import type { ObjectStore } from './ports.ts'

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
  { changes, imported }: Pick<Entry, 'changes' | 'imported'>,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Promise<ChangesPage> {
  const total = changes.length + (imported?.artifacts ?? 0)
  const told = changes.slice(offset, offset + limit)
  const from = Math.max(offset - changes.length, 0)
  const isAsked = told.length < limit && offset + told.length < total
  const rest = imported && isAsked ? await readImported(state, imported, from, limit - told.length) : undefined
  const next = offset + told.length + (rest?.looked ?? 0)
  return { changes: [...told, ...(rest?.changes ?? [])], ...(next < total && next > offset && { next }) }
}

async function readImported(state: ObjectStore, imported: Imported, offset: number, limit: number) {
  const { artifacts, except, addedByTaskId: id } = imported
  const artifactAt = artifactsFrom(await readPart(state, imported.bulk, imported.sha256), imported, offset, limit)
  const held = imported.before === undefined ? undefined : heldIn(await readPart(state, imported.before))
  const others = new Set<string>(except)
  const changes: Change[] = []
  let looked = 0
  for (let told = 0; looked < limit && offset + looked < artifacts && told < fullPage; looked++) {
    const { path, info } = artifactAt(offset + looked)
    if (others.has(path)) continue
    const before = held?.(path)
    const after = withTaskId(info, id)
    told += JSON.stringify([path, before, after]).length
    changes.push({ path, after, ...(before && { before }) })
  }
  return { changes, looked }
}

/** Reads artifacts by their numbers, from `offset` on as many as `limit`. */
function artifactsFrom(
  file: Uint8Array,
  { format, artifacts }: Imported,
  offset: number,
  limit: number,
): (index: number) => Artifact {
  const lines = new Uint32Array(2 * Math.max(Math.min(limit, artifacts - offset), 0))
  let count = 0
  for (const [start, end] of linesOf(file)) {
    if (end === start) continue
    const at = 2 * (count++ - offset)
    if (at >= 0 && at < lines.length) lines.set([start, end], at)
  }
  // Else some were left out, for they were broken or said what an earlier one says: which, only all of them tell.
  if (count !== artifacts) return readBulk(file, format).artifact
  const { artifact } = artifactsOf({ file, format, lines })
  return (index) => artifact(index - offset)
}

/** Finds what a path held before in the lines of `encodeHeld`, which are sorted. */
function heldIn(bytes: Uint8Array): (path: string) => TargetFile | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return (path) => {
    for (let low = 0, high = buffer.length; low < high; ) {
      // The line in which the middle lies.
      const middle = (low + high) >>> 1
      const start = middle === 0 ? 0 : buffer.lastIndexOf(0x0a, middle - 1) + 1
      const newline = buffer.indexOf(0x0a, start)
      const end = newline === -1 ? buffer.length : newline
      const held = JSON.parse(buffer.toString('utf8', start, end)) as Held
      if (held.path === path) return held.info
      if (held.path < path) low = end + 1
      else high = start
    }
    return undefined
  }
}
