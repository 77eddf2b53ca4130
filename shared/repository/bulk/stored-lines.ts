import type { Block, Stretch } from '../blocks.ts'
import { sha256 } from '../documents.ts'
import { mending, RepositoryError } from '../errors.ts'
import type { ObjectStore } from '../ports.ts'
import { bufferOf, linesOf } from './lines.ts'

/** Objects of the state store that hold a value on each line, up to millions of them, and that an entry of the journal names. */

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
  const buffer = bufferOf(bytes)
  for (const [start, end] of linesOf(buffer)) yield JSON.parse(buffer.toString('utf8', start, end))
}

/** As many as a page of changes may have. */
const mostLines = 5000
/** Bytes with which a block is full, however few lines it has. */
const fullBlock = 1024 * 1024
/** Each takes some 120 bytes of the entry, or twice that. */
const mostBlocks = 4096

/**
 * Blocks of the lines that begin and end at these places. Other lines lie between two blocks, and empty ones anywhere. Nothing if
 * the blocks would be more than an entry should hold.
 */
export function blocksOf(
  bytes: Uint8Array,
  lines: Iterable<readonly [start: number, end: number]>,
): Block[] | undefined {
  const buffer = bufferOf(bytes)
  const blocks: Block[] = []
  let [start, end, count] = [0, 0, 0]
  const close = () => {
    if (count > 0) blocks.push({ start, end, sha256: sha256(buffer.subarray(start, end)), lines: count })
    count = 0
  }
  for (const line of lines) {
    if (count === mostLines || end - start >= fullBlock || !isEmpty(buffer.subarray(end, line[0]))) close()
    if (blocks.length === mostBlocks) return undefined
    if (count === 0) start = line[0]
    end = line[1]
    count++
  }
  close()
  return blocks
}

/** Of what lies between two lines. */
function isEmpty(between: Buffer): boolean {
  // The end of the one before, and nothing else.
  if (between.length <= 2) return true
  return linesOf(between, 0).every(([start, end]) => start === end)
}

/** Throws RepositoryError 'corrupt' if it is gone, or has another hash. */
export async function readPart(state: ObjectStore, name: string, hash?: string): Promise<Buffer> {
  return asItWas(name, (await state.read(name))?.bytes, hash)
}

/** The same of some of its bytes. */
export async function readStretch(
  state: ObjectStore,
  name: string,
  { start, end, sha256: hash }: Stretch,
): Promise<Buffer> {
  return asItWas(name, await state.range(name, start, end), hash)
}

function asItWas(name: string, bytes: Uint8Array | undefined, hash: string | undefined): Buffer {
  if (bytes !== undefined && (hash === undefined || sha256(bytes) === hash)) return bufferOf(bytes)
  throw new RepositoryError('corrupt', `${name}, which tells what a commit changed, is not there as it was. ${mending}`)
}
