import { createHash } from 'node:crypto'
import type { TargetPath } from '../../tuf/names.ts'

/** What is remembered of a line that is kept; numbers of 32 bits, one row for each line. */
const lineStart = 0
const lineEnd = 1
const lineNumber = 2
const pathStart = 3
/** 0 where the line does not spell its path as it is, such as `"a\u0062"`. */
const pathLength = 4
const pathHash = 5
const columns = 6

/** Where the lines of a file lie, and a hash table (open addressing) that finds them by their paths. */
export class BulkPlaces {
  count = 0
  readonly #file: Buffer
  readonly #parsePath: (line: Uint8Array) => TargetPath
  readonly #seed: number
  #rows = new Uint32Array(columns * 1024)
  /** The index of a line, plus 1; 0 in an empty slot. As many as a power of 2, and over twice the count. */
  #slots = new Uint32Array(4096)

  /** `parsePath` gives the path of a line that has been added. */
  constructor(file: Buffer, parsePath: (line: Uint8Array) => TargetPath) {
    this.#file = file
    this.#parsePath = parsePath
    // Out of all the bytes, so that nobody can choose paths that collide: other paths, another seed.
    this.#seed = createHash('sha256').update(file).digest().readInt32LE()
  }

  /** Adds a line; or, if one with this path is there already, does nothing but give its index. */
  add(path: TargetPath, start: number, end: number, number: number): number | undefined {
    const hash = hashOf(path, this.#seed)
    let slot = hash & (this.#slots.length - 1)
    for (let taken = this.#slots[slot]; taken; taken = this.#slots[slot]) {
      if (this.#get(taken - 1, pathHash) === hash && this.path(taken - 1) === path) return taken - 1
      slot = (slot + 1) & (this.#slots.length - 1)
    }
    this.#makeRoom()
    const row = this.count * columns
    const spelled = this.#file.subarray(start, end).indexOf(path, 0, 'latin1')
    this.#rows[row + lineStart] = start
    this.#rows[row + lineEnd] = end
    this.#rows[row + lineNumber] = number
    this.#rows[row + pathStart] = start + Math.max(spelled, 0)
    this.#rows[row + pathLength] = spelled === -1 ? 0 : path.length
    this.#rows[row + pathHash] = hash
    this.count++
    this.#slots[slot] = this.count
    if (this.count * 2 > this.#slots.length) this.#widen()
    return undefined
  }

  line(index: number): Buffer {
    return this.#file.subarray(this.#get(index, lineStart), this.#get(index, lineEnd))
  }

  /** Where each line begins and ends, in memory that threads share. */
  lines(): Uint32Array {
    const lines = new Uint32Array(new SharedArrayBuffer(this.count * 2 * Uint32Array.BYTES_PER_ELEMENT))
    for (let index = 0; index < this.count; index++) {
      lines[2 * index] = this.#get(index, lineStart)
      lines[2 * index + 1] = this.#get(index, lineEnd)
    }
    return lines
  }

  /** Where each line begins and ends. */
  *all(): Generator<readonly [start: number, end: number]> {
    for (let index = 0; index < this.count; index++) yield [this.#get(index, lineStart), this.#get(index, lineEnd)]
  }

  lineNumber(index: number): number {
    return this.#get(index, lineNumber)
  }

  path(index: number): TargetPath {
    const start = this.#get(index, pathStart)
    const length = this.#get(index, pathLength)
    if (length === 0) return this.#parsePath(this.line(index))
    return this.#file.toString('latin1', start, start + length) as TargetPath
  }

  #get(index: number, column: number): number {
    const value = index < this.count ? this.#rows[index * columns + column] : undefined
    if (value === undefined) throw new RangeError(`There is no artifact ${index} among ${this.count}.`)
    return value
  }

  #makeRoom(): void {
    if (this.count * columns < this.#rows.length) return
    const wider = new Uint32Array(this.#rows.length * 2)
    wider.set(this.#rows)
    this.#rows = wider
  }

  #widen(): void {
    const slots = new Uint32Array(this.#slots.length * 2)
    for (let index = 0; index < this.count; index++) {
      let slot = this.#get(index, pathHash) & (slots.length - 1)
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
      slots[slot] = index + 1
    }
    this.#slots = slots
  }
}

/** 32 bits. Mixed after each character, so that what collides under one seed does not under another. */
function hashOf(text: string, seed: number): number {
  let hash = seed
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x5bd1e995)
    hash ^= hash >>> 15
  }
  return hash >>> 0
}
