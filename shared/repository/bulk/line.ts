import { TufError } from '../../tuf/errors.ts'
import { isDeeper, type Json, type JsonObject, parseJson } from '../../tuf/json.ts'
import type { Hashes } from '../../tuf/metadata.ts'
import { type TargetPath, targetPath } from '../../tuf/names.ts'
import { type Artifact, hashAlgorithms, hashFault, hashFaults, sayingCustom } from '../artifact-rules.ts'
import { bufferOf } from './lines.ts'

/** One line of a bulk file, read by the rules that hold for POST /artifacts. */

/** Why a line cannot be taken, and how to mend it. */
export class BrokenLineError extends Error {
  override readonly name = 'BrokenLineError'
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** RSTUF's `path;length;algorithm;digest`; more algorithms may follow in pairs. Throws BrokenLineError or TufError. */
export function readCsvLine(line: Uint8Array): Artifact {
  const text = textOf(line)
  const [path = '', length, ...hashes] = text.split(';')
  if (length === undefined || hashes.length === 0 || hashes.length % 2 !== 0) {
    const count = hashes.length + (length === undefined ? 1 : 2)
    throw new BrokenLineError(
      `It has ${count} field${count === 1 ? '' : 's'}. Write path;length;algorithm;digest, and further ;algorithm;digest if there are. ` +
        'A path with ";" in it needs JSON Lines.',
    )
  }
  return { path: targetPath(path), info: { length: lengthOf(length), hashes: csvHashes(hashes) } }
}

/** The same of a line that was read before, so that all of it is known to be right. */
export function readCsvLineAgain(line: Buffer): Artifact {
  // Whatever is not ASCII was refused.
  const [path, length, ...fields] = line.toString('latin1').split(';')
  const hashes: Record<string, string> = {}
  for (let at = 0; at < fields.length; at += 2) hashes[fields[at] as string] = (fields[at + 1] as string).toLowerCase()
  return { path: path as TargetPath, info: { length: Number(length), hashes } }
}

function csvHashes(fields: readonly string[]): Hashes {
  const read: Record<string, string> = {}
  for (let at = 0; at < fields.length; at += 2) {
    const algorithm = fields[at] ?? ''
    const digest = fields[at + 1]?.toLowerCase() ?? ''
    const fault = hashFault(algorithm, digest)
    if (fault !== undefined) throw new BrokenLineError(fault)
    if (Object.hasOwn(read, algorithm)) {
      throw new BrokenLineError(`It has two ${algorithm} digests. Write one for each algorithm.`)
    }
    read[algorithm] = digest
  }
  return read
}

/** What is stored wraps a line as a body of POST /artifacts would: 32 levels in all. */
const maximumDepth = 30

/** An object like an element of POST /artifacts. Throws BrokenLineError or TufError. */
export function readJsonLine(line: Uint8Array): Artifact {
  const json = parseJson(line)
  if (isDeeper(json, maximumDepth)) {
    throw new BrokenLineError(`The JSON is nested more than ${maximumDepth} levels deep. Write it flatter.`)
  }
  const { path, info } = objectOf(json, 'The line')
  const { length, hashes, custom } = objectOf(info, 'info')
  if (typeof path !== 'string') throw new BrokenLineError('path has to be a string.')
  const checked = targetPath(path)
  const says = custom === undefined || custom === null ? undefined : objectOf(custom, 'info.custom')
  return {
    path: checked,
    info: { length: lengthOf(length), hashes: jsonHashes(objectOf(hashes, 'info.hashes')), ...sayingCustom(says) },
  }
}

function jsonHashes(sent: JsonObject): Hashes {
  const read = Object.fromEntries(
    Object.entries(sent).map(([algorithm, digest]) => {
      if (typeof digest === 'string') return [algorithm, digest.toLowerCase()]
      throw new BrokenLineError(`info.hashes holds digests as strings, by algorithm: ${hashAlgorithms}.`)
    }),
  )
  const [fault] = hashFaults(read)
  if (fault !== undefined) throw new BrokenLineError(fault.message)
  return read
}

function objectOf(json: Json | undefined, what: string): JsonObject {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as JsonObject
  throw new BrokenLineError(
    `${what} ${json === undefined ? 'is missing' : 'is not an object'}. ` +
      'Write {"path": "…", "info": {"length": 1, "hashes": {"sha256": "…"}}}.',
  )
}

const digits = /^\d+$/

/** A whole number; one that was written as a string of digits counts too. */
function lengthOf(value: Json | undefined): number {
  const length = typeof value === 'string' && digits.test(value) ? Number(value) : value
  if (typeof length === 'number' && Number.isSafeInteger(length) && length >= 0) return length
  const shown = value === undefined ? 'missing' : (JSON.stringify(value) ?? '').slice(0, 50)
  throw new BrokenLineError(`The length is ${shown}. Write the bytes of the file as a whole number in digits.`)
}

const notAscii = /[^\0-\x7f]/

function textOf(line: Uint8Array): string {
  // Nearly every line, and several times as fast.
  const text = bufferOf(line).toString('latin1')
  if (!notAscii.test(text)) return text
  try {
    return decoder.decode(line)
  } catch (cause) {
    throw new BrokenLineError('It is not valid UTF-8. Write the file as UTF-8; paths are ASCII.', { cause })
  }
}

/** What to tell of a line that could not be read. Throws whatever else was thrown. */
export function reasonOf(error: unknown): string {
  if (error instanceof BrokenLineError || error instanceof TufError) return error.message
  throw error
}
