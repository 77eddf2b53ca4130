import { canonicalText } from '../tuf/canonical.ts'
import { compareCodePoints } from '../tuf/code-points.ts'
import { TufError } from '../tuf/errors.ts'
import type { JsonObject } from '../tuf/json.ts'
import type { Hashes, TargetFile } from '../tuf/metadata.ts'
import type { TargetPath } from '../tuf/names.ts'

/** What every artifact has to be, whichever way it comes in. Its path is checked by `targetPath`. */

export interface Artifact {
  readonly path: TargetPath
  readonly info: TargetFile
}

/** Hex digits of each algorithm's digest. The third is RSTUF's, and python-tuf alone reads it. */
const digestLengths: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha512', 128],
  ['blake2b-256', 64],
])

export const hashAlgorithms = [...digestLengths.keys()].join(', ')

export interface HashFault {
  readonly message: string
  /** Absent: all of them are meant. */
  readonly algorithm?: string
}

/** All that is wrong with digests in lower case. */
export function hashFaults(hashes: Hashes): HashFault[] {
  const digests = Object.entries(hashes)
  if (digests.length === 0) {
    return [{ message: `Holds no hash. Send at least one of ${hashAlgorithms}; sha256 suits every client.` }]
  }
  return digests.flatMap(([algorithm, digest]) => {
    const message = hashFault(algorithm, digest)
    return message === undefined ? [] : [{ message, algorithm }]
  })
}

const notHex = /[^0-9a-f]/

/** What is wrong with a digest in lower case, if anything is. */
export function hashFault(algorithm: string, digest: string): string | undefined {
  const length = digestLengths.get(algorithm)
  if (length === undefined) {
    const shown = JSON.stringify(algorithm.slice(0, 50))
    return `Hash algorithm ${shown} is not one that clients know. Use ${hashAlgorithms}.`
  }
  if (digest.length === length && !notHex.test(digest)) return undefined
  const odd = notHex.exec(digest)
  const upper = odd !== null && /[A-F]/.test(odd[0]) ? ', and clients compare digests as text, in lower case' : ''
  const has = odd === null ? `${digest.length}` : `${JSON.stringify(odd[0])} at position ${odd.index}${upper}`
  return `A ${algorithm} digest is ${length} hex digits; this has ${has}.`
}

/** Whether both say the same, or neither is there. */
export function isSameTarget(one: TargetFile | undefined, other: TargetFile | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return canonicalText(one) === canonicalText(other)
}

/** An artifact that says which task has added it; the same as it is where none is to be said. */
export function withTaskId(info: TargetFile, id: string | undefined): TargetFile {
  return id === undefined ? info : { ...info, custom: { ...info.custom, added_by_task_id: id } }
}

/** The custom part of an artifact, if it says anything. Throws TufError 'not-canonical'. */
export function sayingCustom(custom: JsonObject | undefined): { readonly custom?: JsonObject } {
  if (custom === undefined || Object.keys(custom).length === 0) return {}
  const fault = textFault(custom)
  if (fault !== undefined) throw new TufError('not-canonical', `custom ${fault}`)
  return { custom }
}

const notAscii = /[^\0-\x7f]/

/**
 * What some client would put into other canonical bytes than those that are signed, if there is any: it would lose the whole role by
 * it, and tough every role. Throws TufError 'not-canonical' for what has no canonical form at all.
 */
export function textFault(value: unknown): string | undefined {
  const text = canonicalText(value)
  if (!notAscii.test(text)) return undefined
  const composed = text.normalize('NFC')
  if (composed !== text) {
    let at = 0
    while (composed[at] === text[at]) at++
    const shown = JSON.stringify(text.slice(Math.max(0, at - 10), at + 10))
    return `has text that is not in Unicode's composed form (NFC), in ${shown}: tough composes it, and then no signature fits. Send it in NFC.`
  }
  const [one, other] = sortedDifferently(value) ?? []
  if (one === undefined || other === undefined) return undefined
  const shown = `${JSON.stringify(one)} and ${JSON.stringify(other)}`
  return `has the names ${shown} beside each other, which JavaScript clients sort the other way round, and then no signature fits. Rename one.`
}

/** Two keys of one object that come in another order by UTF-16 units than by code points. */
function sortedDifferently(value: unknown): readonly [string, string] | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  const keys = Array.isArray(value) ? [] : entries.map(([key]) => String(key)).sort()
  for (const [at, key] of keys.entries()) {
    const before = keys[at - 1]
    if (before !== undefined && compareCodePoints(before, key) > 0) return [before, key]
  }
  for (const [, member] of entries) {
    const found = sortedDifferently(member)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * What is wrong with targets that are as somebody else wrote them, if anything is: whole sentences, which name up to ten of them. A
 * client that trips over one loses the target, its role or the whole repository.
 */
export function targetFaults(targets: Iterable<readonly [string, TargetFile | undefined]>): string | undefined {
  const faults: string[] = []
  for (const [path, info] of targets) {
    const messages = info === undefined ? [] : faultsOf(info)
    if (messages.length > 0) faults.push(`${path}: ${messages.join(' ')}`)
  }
  if (faults.length === 0) return undefined
  return `${faults.slice(0, 10).join(' ')}${faults.length > 10 ? ` … (${faults.length} in all)` : ''}`
}

function faultsOf(info: TargetFile): string[] {
  const { hashes, custom } = info
  const faults = hashFaults(hashes).map(({ message }) => message)
  const text = textFault(info)
  if (text !== undefined) faults.push(`It ${text}`)
  if (custom === undefined || Object.keys(custom).length > 0) return faults
  return [...faults, '"custom" is empty. Leave it out, as tough does before it verifies the signature.']
}
