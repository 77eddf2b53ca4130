import { createHash } from 'node:crypto'
import { canonicalBytes } from './canonical.ts'
import { list, object, text } from './decode.ts'
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

const opening = Buffer.from(',"signed":')
const closing = Buffer.from('}')

/** The file of a role that has just been signed: `signedBytes` as they are, between its signatures and a brace. */
export function assemble<Role extends Metadata>(
  signed: Role,
  signedBytes: Uint8Array,
  signatures: readonly Signature[],
): Signed<Role> {
  const head = Buffer.concat([Buffer.from('{"signatures":'), canonicalBytes(signatures)])
  return { signed, signatures, signedBytes, bytes: Buffer.concat([head, opening, signedBytes, closing]) }
}

/** Reads a role's file. Throws TufError 'invalid-json' or 'invalid-metadata'. No signature is verified: see `threshold.ts`. */
export function decodeSigned<Type extends TopLevelRole>(type: Type, bytes: Uint8Array): Signed<MetadataByType[Type]> {
  return { ...signedFromJson(type, parseJson(bytes)), bytes }
}

/** The same from JSON that came inside another document; `bytes` are then those that `assemble` makes. */
export function signedFromJson<Type extends TopLevelRole>(type: Type, json: Json): Signed<MetadataByType[Type]> {
  const envelope = object(json, { where: type })
  const signatures = list(envelope['signatures'], { where: `${type}.signatures` }, (element, at) => {
    const fields = object(element, at)
    const keyid = text(fields['keyid'], { where: `${at.where}.keyid` })
    return { ...fields, keyid, sig: text(fields['sig'], { where: `${at.where}.sig` }) }
  })
  const signed = decodeMetadata(type, envelope['signed'] ?? null)
  return assemble(signed, canonicalBytes(envelope['signed']), signatures)
}

/** What timestamp says of snapshot's file. */
export function lengthAndHashes(bytes: Uint8Array): { length: number; hashes: Hashes } {
  return { length: bytes.length, hashes: { sha256: createHash('sha256').update(bytes).digest('hex') } }
}
