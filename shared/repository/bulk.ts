import { canonicalText } from '../tuf/canonical.ts'
import type { TargetPath } from '../tuf/names.ts'
import type { Artifact } from './artifact-rules.ts'
import { BrokenLineError, readCsvLine, readJsonLine, reasonOf } from './bulk-line.ts'
import { BulkPlaces } from './bulk-places.ts'

/**
 * A file of artifacts, one on each line: a million of them. Nothing is kept of a line but where it lies, so that memory
 * stays near the bytes themselves, and a line is parsed again when somebody wants it whole.
 */

export const bulkFormats = ['csv', 'jsonl'] as const
export type BulkFormat = (typeof bulkFormats)[number]

/** A line that cannot be taken. `line` counts from 1. */
export interface BrokenLine {
  readonly line: number
  readonly reason: string
}

export type BulkArtifact = Artifact

export interface Bulk {
  /** Artifacts: lines that are not empty, not broken, and no repetition of an earlier equal one. */
  readonly count: number
  /** How many lines are broken, and the first of them (at most 100). */
  readonly brokenCount: number
  readonly broken: readonly BrokenLine[]
  /** The path of artifact `index` (0 … count-1): cheap. */
  path(index: number): TargetPath
  /** Parses that line again, whole. */
  artifact(index: number): BulkArtifact
}

const maximumBroken = 100
/** As much as a body of POST /artifacts may have. */
const maximumLineBytes = 5 * 1024 * 1024
const progressEvery = 10_000

/** Reads all of it once. `onProgress` is told now and then how many lines were read, and at last how many there are. */
export function readBulk(bytes: Uint8Array, format: BulkFormat, onProgress?: (lines: number) => void): Bulk {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const parse = format === 'csv' ? readCsvLine : readJsonLine
  const places = new BulkPlaces(buffer, (line) => parse(line).path)
  const broken: BrokenLine[] = []
  let brokenCount = 0
  let number = 0
  for (let start = startOfText(buffer); start < buffer.length; ) {
    const newline = buffer.indexOf(0x0a, start)
    const end = newline === -1 ? buffer.length : newline
    const textEnd = end > start && buffer[end - 1] === 0x0d ? end - 1 : end
    number++
    if (textEnd > start) {
      try {
        take(start, textEnd)
      } catch (error) {
        const reason = reasonOf(error)
        brokenCount++
        if (broken.length < maximumBroken) broken.push({ line: number, reason })
      }
    }
    if (number % progressEvery === 0) onProgress?.(number)
    start = end + 1
  }
  onProgress?.(number)
  return {
    count: places.count,
    brokenCount,
    broken,
    path: (index) => places.path(index),
    artifact,
  }

  function artifact(index: number): BulkArtifact {
    return parse(places.line(index))
  }

  function take(start: number, end: number): void {
    if (end - start > maximumLineBytes) {
      throw new BrokenLineError(`It has ${end - start} bytes; a line can have ${maximumLineBytes} (5 MiB) at most.`)
    }
    const read = parse(buffer.subarray(start, end))
    const earlier = places.add(read.path, start, end, number)
    if (earlier === undefined) return
    if (canonicalText(artifact(earlier).info) === canonicalText(read.info)) return
    throw new BrokenLineError(
      `The same path as line ${places.lineNumber(earlier)}, with other length, hashes or custom. Write each path once.`,
    )
  }
}

/** Some editors and spreadsheets begin a file with a byte order mark. */
function startOfText(buffer: Buffer): number {
  return buffer.length >= 3 && buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 3 : 0
}
