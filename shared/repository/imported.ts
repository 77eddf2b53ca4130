import { createHash } from 'node:crypto'
import type { TargetFile } from '../tuf/metadata.ts'
import { withTaskId } from './artifact-rules.ts'
import { readBulk } from './bulk.ts'
import { linesOf, wholeLines } from './bulk-lines.ts'
import { sha256 } from './documents.ts'
import { mending, RepositoryError } from './errors.ts'
import type { Entry, Imported, TargetChange } from './journal.ts'
import type { ObjectStore } from './ports.ts'

/** What a path held before an import. */
export interface Held {
  readonly path: string
  readonly info: TargetFile
}

/** Characters that are encoded together: of all lines there can be more than a string may have. */
const partLength = 4 * 1024 * 1024

/** One on each line, in the order of their paths. */
export function encodeHeld(held: readonly Held[]): Uint8Array {
  const sorted = [...held].sort((one, other) => (one.path < other.path ? -1 : 1))
  const parts: Buffer[] = []
  let part = ''
  for (const one of sorted) {
    part += `${JSON.stringify(one)}\n`
    if (part.length < partLength) continue
    parts.push(Buffer.from(part))
    part = ''
  }
  return Buffer.concat([...parts, Buffer.from(part)])
}

function* decodeHeld(bytes: Uint8Array): Generator<readonly [path: string, info: TargetFile]> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (const [start, end] of linesOf(buffer)) {
    const { path, info } = JSON.parse(buffer.toString('utf8', start, end)) as Held
    yield [path, info]
  }
}

export type Change = Pick<TargetChange, 'path' | 'before' | 'after'>

/**
 * Every target that a commit changed, with its old and new value: those that its entry tells, and those of the file that it
 * imported, which is parsed as one goes. Throws RepositoryError 'corrupt' if that is gone.
 */
export async function changesOf(
  state: ObjectStore,
  { changes, imported }: Pick<Entry, 'changes' | 'imported'>,
): Promise<Iterable<Change>> {
  return imported === undefined ? changes : changesOfImport(state, changes, imported)
}

async function changesOfImport(
  state: ObjectStore,
  others: readonly Change[],
  imported: Imported,
): Promise<Iterable<Change>> {
  const bulk = readBulk(await readPart(state, imported.bulk, imported.sha256), imported.format)
  const held = new Map(imported.before === undefined ? [] : decodeHeld(await readPart(state, imported.before)))
  const except = new Set<string>(imported.except)
  const { addedByTaskId: id } = imported
  return (function* () {
    yield* others
    for (let index = 0; index < bulk.count; index++) {
      const { path, info } = bulk.artifact(index)
      if (except.has(path)) continue
      const before = held.get(path)
      const after = withTaskId(info, id)
      yield { path, after, ...(before && { before }) }
    }
  })()
}

/** Throws RepositoryError 'corrupt' if it is gone, or has another hash. */
export async function readPart(state: ObjectStore, name: string, hash?: string): Promise<Uint8Array> {
  const stored = await state.read(name)
  if (stored === undefined || (hash !== undefined && sha256(stored.bytes) !== hash)) throw notAsItWas(name)
  return stored.bytes
}

/**
 * The same a few lines at a time, so that no more of it is in memory than the store needs. Throws RepositoryError 'corrupt' when
 * it is gone, or at its end if it has another hash.
 */
export async function* linesOfPart(state: ObjectStore, name: string, hash?: string): AsyncGenerator<Buffer> {
  const pieces = state.pieces === undefined ? await wholeOf(state, name) : await state.pieces(name)
  if (pieces === undefined) throw notAsItWas(name)
  const hashed = createHash('sha256')
  for await (const lines of wholeLines(pieces)) {
    if (hash !== undefined) hashed.update(lines)
    yield lines
  }
  if (hash !== undefined && hashed.digest('hex') !== hash) throw notAsItWas(name)
}

async function wholeOf(state: ObjectStore, name: string): Promise<AsyncIterable<Uint8Array> | undefined> {
  const stored = await state.read(name)
  return (
    stored &&
    (async function* () {
      yield stored.bytes
    })()
  )
}

function notAsItWas(name: string): RepositoryError {
  return new RepositoryError(
    'corrupt',
    `${name}, from which a commit imported artifacts, is not there as it was. ${mending}`,
  )
}
