import { hash } from 'node:crypto'
import { canonicalBytes, isJson, takeRoom } from './canonical.ts'
import { CarriedMap } from './carried-map.ts'
import { inside, inWords, list, object, type Place, text } from './decode.ts'
import { TufError } from './errors.ts'
import { checkExpires } from './expiry.ts'
import { type Json, parseJson } from './json.ts'
import { decodeMetadata, type Hashes, type Metadata, type MetadataByType, type Targets } from './metadata.ts'
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

/** The file of a role that nobody has signed yet. */
export function unsigned<Role extends Metadata>(role: Role): Signed<Role> {
  return assemble(role, canonicalBytes(role), [])
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
 *
 * `isSigned` says whether enough signatures over these bytes are good. It spares a big file that is laid out as it was signed from
 * being put into canonical form once more.
 */
export function decodeSigned<Type extends TopLevelRole>(
  type: Type,
  bytes: Uint8Array,
  isSigned?: (signed: Pick<Signed, 'signedBytes' | 'signatures'>) => boolean,
): Signed<MetadataByType[Type]> {
  const known = (signatures: readonly Signature[]) => {
    const parts = isSigned && partsOfFile(bytes)
    return parts && isSigned({ signedBytes: parts.signed, signatures }) ? parts.signed : undefined
  }
  return { ...readEnvelope(type, parseJson(bytes), known), bytes }
}

/**
 * The same from JSON that came inside another document; `bytes` are then those that `assemble` makes. This is how what is to be
 * published comes in, so it has to expire as every client reads it.
 */
export function signedFromJson<Type extends TopLevelRole>(type: Type, json: Json): Signed<MetadataByType[Type]> {
  const { signed, signedBytes, signatures } = readEnvelope(type, json)
  checkExpires(type, signed)
  return assemble(signed, signedBytes, signatures)
}

function readEnvelope<Type extends TopLevelRole>(
  type: Type,
  json: Json,
  known?: (signatures: readonly Signature[]) => Uint8Array | undefined,
): Omit<Signed<MetadataByType[Type]>, 'bytes'> {
  const file = { member: `${type}.json` }
  const envelope = object(json, file)
  const signatures = readSignatures(envelope['signatures'], file)
  const signed = decodeMetadata(type, object(envelope['signed'], inside(file, 'signed')))
  return { signed, signedBytes: known?.(signatures) ?? canonicalBytes(envelope['signed']), signatures }
}

function readSignatures(json: Json | undefined, file: Place): Signature[] {
  const signatures = list(json, inside(file, 'signatures'), (element, at) => {
    const fields = object(element, at)
    const keyid = text(fields['keyid'], inside(at, 'keyid'))
    return { ...fields, keyid, sig: text(fields['sig'], inside(at, 'sig')) }
  })
  if (new Set(signatures.map(({ keyid }) => keyid)).size !== signatures.length) {
    throw new TufError('invalid-metadata', `${inWords(file)} has two signatures under one keyid, which clients refuse.`)
  }
  return signatures
}

/** The two parts of a file that is laid out as `assemble` does, as they lie there. */
function partsOfFile(bytes: Uint8Array): { readonly signatures: Buffer; readonly signed: Buffer } | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = file.indexOf(middle)
  const begins = file.compare(opening, 0, opening.length, 0, Math.min(opening.length, file.length)) === 0
  if (at === -1 || !begins || file.at(-1) !== closing[0]) return undefined
  return { signatures: file.subarray(opening.length, at), signed: file.subarray(at + middle.length, -1) }
}

const front = /^\{"_type":"targets","expires":"([-\d:TZ]+)","spec_version":"(1(?:\.\d+){1,2})","targets":\{/
const back = /\},"version":(\d+)\}$/

/**
 * Reads the file of a role that lists targets and delegates to nobody, if it is laid out as `assemble` does it; otherwise nothing. Its
 * targets are left unread, and `signedBytes` are as they lie in the file: only a good signature over them shows that they are what
 * was signed, and so canonical. Fields that we do not know are carried with the targets, if they stand behind them.
 */
export function carryTargets(bytes: Uint8Array): Signed<Targets> | undefined {
  const parts = partsOfFile(bytes)
  if (parts === undefined) return undefined
  const signedBytes = parts.signed
  const begins = front.exec(signedBytes.toString('latin1', 0, 128))
  const ends = back.exec(signedBytes.toString('latin1', Math.max(0, signedBytes.length - 64)))
  if (begins === null || ends === null) return undefined
  const [{ length }, expires = '', specification = ''] = begins
  const members = signedBytes.subarray(length, -ends[0].length)
  const read = () => decodeMetadata('targets', parseJson(signedBytes)).targets
  const signed: Targets = {
    _type: 'targets',
    ...{ expires, spec_version: specification, version: Number(ends[1]) },
    targets: new CarriedMap(members, read),
  }
  try {
    const signatures = readSignatures(parseJson(parts.signatures), { member: 'targets.json' })
    return { signed, signatures, signedBytes, bytes }
  } catch (error) {
    if (error instanceof TufError) return undefined
    throw error
  }
}

/** What timestamp says of snapshot's file. */
export function lengthAndHashes(bytes: Uint8Array): { length: number; hashes: Hashes } {
  return { length: bytes.length, hashes: { sha256: hash('sha256', bytes) } }
}
