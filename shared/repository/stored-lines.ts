import { createHash } from 'node:crypto'
import { linesOf, wholeLines } from './bulk-lines.ts'
import { sha256 } from './documents.ts'
import { mending, RepositoryError } from './errors.ts'
import type { ObjectStore } from './ports.ts'

/** Objects of the state store that hold a value on each line, up to millions of them, and that an entry of the journal names. */

/** As JSON, in the order of their paths. */
export function encodeLines(values: readonly { readonly path: string }[]): Uint8Array {
  const sorted = [...values].sort((one, other) => (one.path < other.path ? -1 : 1))
  return joinLines(sorted.map((value) => JSON.stringify(value)))
}

/** One after the other into the same memory, for all of them can be more than a string may have. */
export function joinLines(lines: readonly string[]): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0))
  let at = 0
  for (const line of lines) {
    at += bytes.write(line, at)
    bytes[at++] = 0x0a
  }
  return bytes
}

/** Parsed as one goes. */
export function* decodeLines<Value>(bytes: Uint8Array): Generator<Value> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (const [start, end] of linesOf(buffer)) yield JSON.parse(buffer.toString('utf8', start, end))
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
    `${name}, which tells what a commit changed, is not there as it was. ${mending}`,
  )
}
