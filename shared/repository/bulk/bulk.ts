import type { TargetPath } from '../../tuf/names.ts'
import { type Artifact, isSameTarget } from '../artifact-rules.ts'
import type { Block } from '../blocks.ts'
import { hasSha256 } from '../clients.ts'
import { maximumRequestBytes } from '../request-size.ts'
import { BrokenLineError, readCsvLine, readCsvLineAgain, readJsonLine, reasonOf } from './line.ts'
import { bufferOf, linesOf } from './lines.ts'
import { BulkPlaces } from './places.ts'
import { blocksOf } from './stored-lines.ts'

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

export interface Bulk {
  /** Artifacts: lines that are not empty, not broken, and no repetition of an earlier equal one. */
  readonly count: number
  /** How many lines are broken, and the first of them (at most 100). */
  readonly brokenCount: number
  readonly broken: readonly BrokenLine[]
  /** How many artifacts have no SHA-256, and the paths of the first of them (at most 10). */
  readonly withoutSha256: { readonly count: number; readonly paths: readonly string[] }
  /** The path of artifact `index` (0 … count-1): cheap. */
  path(index: number): TargetPath
  /** Parses that line again, whole. */
  artifact(index: number): Artifact
  /** For other threads, which read the same memory. */
  share(): SharedBulk
  /** Of all artifacts, in their order; nothing if they would be too many. */
  blocks(): Block[] | undefined
}

/** A file that was read, with where its lines lie. */
export interface SharedBulk {
  readonly file: Uint8Array
  readonly format: BulkFormat
  /** Where each artifact's line begins and ends. */
  readonly lines: Uint32Array
}

/** The same bytes where other threads can read them: a copy, unless they are there. */
export function inSharedMemory(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
  shared.set(bytes)
  return shared
}

/** Reads an artifact of a file that another thread has read. */
export function artifactsOf({ file, format, lines }: SharedBulk): Pick<Bulk, 'artifact'> {
  const again = readerAgain[format]
  const buffer = bufferOf(file)
  return { artifact: (index) => again(buffer.subarray(lines[2 * index], lines[2 * index + 1])) }
}

/** Reads a line that was read before and found good. */
export const readerAgain = { csv: readCsvLineAgain, jsonl: readJsonLine }

const maximumBroken = 100
const maximumShown = 10
const progressEvery = 10_000

/** Reads all of it once. `onProgress` is told now and then how many lines were read, and at last how many there are. */
export function readBulk(bytes: Uint8Array, format: BulkFormat, onProgress?: (lines: number) => void): Bulk {
  const buffer = bufferOf(bytes)
  const parse = format === 'csv' ? readCsvLine : readJsonLine
  const places = new BulkPlaces(buffer, (line) => parse(line).path)
  const broken: BrokenLine[] = []
  const withoutSha256 = { count: 0, paths: [] as string[] }
  let brokenCount = 0
  let number = 0
  for (const [start, end] of linesOf(buffer)) {
    number++
    if (end > start) {
      try {
        take(start, end)
      } catch (error) {
        const reason = reasonOf(error)
        brokenCount++
        if (broken.length < maximumBroken) broken.push({ line: number, reason })
      }
    }
    if (number % progressEvery === 0) onProgress?.(number)
  }
  onProgress?.(number)
  return {
    count: places.count,
    brokenCount,
    broken,
    withoutSha256,
    path: (index) => places.path(index),
    artifact,
    share,
    blocks: () => blocksOf(buffer, places.all()),
  }

  function artifact(index: number): Artifact {
    return readerAgain[format](places.line(index))
  }

  function share(): SharedBulk {
    return { file: inSharedMemory(buffer), format, lines: places.lines() }
  }

  function take(start: number, end: number): void {
    if (end - start > maximumRequestBytes) {
      throw new BrokenLineError(`It has ${end - start} bytes; a line can have ${maximumRequestBytes} (5 MiB) at most.`)
    }
    const read = parse(buffer.subarray(start, end))
    const earlier = places.add(read.path, start, end, number)
    if (earlier === undefined) {
      if (!hasSha256(read.info.hashes) && withoutSha256.count++ < maximumShown) withoutSha256.paths.push(read.path)
      return
    }
    if (isSameTarget(artifact(earlier).info, read.info)) return
    throw new BrokenLineError(
      `The same path as line ${places.lineNumber(earlier)}, with other length, hashes or custom. Write each path once.`,
    )
  }
}
