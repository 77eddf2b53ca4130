import { hash } from 'node:crypto'
import { canonicalBytes, isJson, takeRoom } from './canonical.ts'
import { inside, list, object, text } from './decode.ts'
import { TufError } from './errors.ts'
import { type Json, parseJson } from './json.ts'
import { decodeMetadata, type Hashes, type Metadata, type MetadataByType } from './metadata.ts'
import type { TopLevelRole } from './names.ts'

export interface Signature {
  readonly keyid: string
  /** In hex; empty where a holder has not signed yet. */
  readonly sig: string
  readonly [field: string]: unknown
}

/**
 * A role with the bytes that were signed and the bytes of its file. They travel together: what was signed is what is
 * written, and nothing is serialised twice.
 */
export interface Signed<Role extends Metadata = Metadata> {
  readonly signed: Role
  readonly signatures: readonly Signature[]
  /** The canonical bytes of `signed`: what the signatures are over. */
  readonly signedBytes: Uint8Array
  /** The whole file. */
  readonly bytes: Uint8Array
}

const opening = Buffer.from('{"signatures":')
const middle = Buffer.from(',"signed":')
const closing = Buffer.from('}')
const controlCharacter = /[^ -\xff]/g

/** The file of a role that has just been signed: its signatures, and `signedBytes` as JSON. */
export function assemble<Role extends Metadata>(
  signed: Role,
  signedBytes: Uint8Array,
  signatures: readonly Signature[],
): Signed<Role> {
  const front = Buffer.concat([opening, asJson(canonicalBytes(signatures)), middle])
  return { signed, signatures, signedBytes, bytes: enclose(front, signedBytes, closing) }
}

/** In the room around `inner` if there is some: a snapshot has half a megabyte, and each copy brings the next garbage collection nearer. */
function enclose(front: Uint8Array, inner: Uint8Array, back: Uint8Array): Uint8Array {
  const room = isJson(inner) ? takeRoom(inner) : undefined
  if (room === undefined || front.length > room.before) return Buffer.concat([front, asJson(inner), back])
  const [start, end] = [room.before - front.length, room.before + inner.length]
  room.whole.set(front, start)
  room.whole.set(back, end)
  return room.whole.subarray(start, end + back.length)
}

/** Canonical JSON leaves line breaks (a PEM has some) and other control characters as they are; JSON has to escape them. */
function asJson(canonical: Uint8Array): Uint8Array {
  if (isJson(canonical)) return canonical
  // As Latin-1 every byte is one character, and comes back as it was.
  const text = Buffer.from(canonical).toString('latin1')
  if (!controlCharacter.test(text)) return canonical
  const escaped = text.replaceAll(controlCharacter, (character) => JSON.stringify(character).slice(1, -1))
  return Buffer.from(escaped, 'latin1')
}

/**
 * Reads a role's file. Throws TufError 'invalid-json', 'invalid-metadata', or 'not-canonical' where a field that we do not
 * know holds what cannot be signed. No signature is verified: see `threshold.ts`.
 */
export function decodeSigned<Type extends TopLevelRole>(type: Type, bytes: Uint8Array): Signed<MetadataByType[Type]> {
  return { ...readEnvelope(type, parseJson(bytes)), bytes }
}

/** The same from JSON that came inside another document; `bytes` are then those that `assemble` makes. */
export function signedFromJson<Type extends TopLevelRole>(type: Type, json: Json): Signed<MetadataByType[Type]> {
  const { signed, signedBytes, signatures } = readEnvelope(type, json)
  return assemble(signed, signedBytes, signatures)
}

function readEnvelope<Type extends TopLevelRole>(type: Type, json: Json): Omit<Signed<MetadataByType[Type]>, 'bytes'> {
  const file = { member: `${type}.json` }
  const envelope = object(json, file)
  const signatures = list(envelope['signatures'], inside(file, 'signatures'), (element, at) => {
    const fields = object(element, at)
    const keyid = text(fields['keyid'], inside(at, 'keyid'))
    return { ...fields, keyid, sig: text(fields['sig'], inside(at, 'sig')) }
  })
  if (new Set(signatures.map(({ keyid }) => keyid)).size !== signatures.length) {
    throw new TufError('invalid-metadata', `${file.member} has two signatures under one keyid, which clients refuse.`)
  }
  const signed = decodeMetadata(type, object(envelope['signed'], inside(file, 'signed')))
  return { signed, signedBytes: canonicalBytes(envelope['signed']), signatures }
}

/** What timestamp says of snapshot's file. */
export function lengthAndHashes(bytes: Uint8Array): { length: number; hashes: Hashes } {
  return { length: bytes.length, hashes: { sha256: hash('sha256', bytes) } }
}
