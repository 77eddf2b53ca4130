import type { Json } from '../tuf/json.ts'
import { parseJson } from '../tuf/json.ts'
import { type Key, verifySignature } from '../tuf/keys.ts'
import type { Metadata, MetadataByType, RoleKeys } from '../tuf/metadata.ts'
import { assemble, type Signature, type Signed, signedFromJson } from '../tuf/signed.ts'
import { goodSignatures } from '../tuf/threshold.ts'
import { type Document, schemaVersion } from './documents.ts'
import { Refusal } from './errors.ts'

/** Metadata that waits for signatures of offline keys, by role; private state, versioned by commits. */
export interface Signing extends Document {
  readonly roles: Readonly<Record<string, Pending>>
}

export interface Pending {
  /** The whole file, with the signatures that have come in. */
  readonly metadata: Json
  /** See `MetadataUpdateRequest`. */
  readonly compromised: boolean
}

export const nothingPending: Signing = { schema: schemaVersion, roles: {} }

export function pendingOf<Type extends keyof MetadataByType>(
  signing: Signing,
  role: string,
  type: Type,
): (Signed<MetadataByType[Type]> & { readonly compromised: boolean }) | undefined {
  const pending = Object.hasOwn(signing.roles, role) ? signing.roles[role] : undefined
  return pending && { ...signedFromJson(type, pending.metadata), compromised: pending.compromised }
}

export function withPending(signing: Signing, role: string, metadata: Signed, compromised = false): Signing {
  const pending: Pending = { metadata: parseJson(metadata.bytes), compromised }
  return { ...signing, roles: { ...signing.roles, [role]: pending } }
}

export function withoutPending(signing: Signing, role: string): Signing {
  const { [role]: _, ...roles } = signing.roles
  return { ...signing, roles }
}

/** Who may sign a piece of metadata, and how many of them must; a root has two such groups, its own and its predecessor's. */
export interface SigningGroup {
  readonly roleKeys: RoleKeys
  readonly keys: ReadonlyMap<string, Key>
}

/** The metadata without empty signatures. Throws a Refusal if one that is there is not good, or is nobody's who may sign. */
export function withGoodSignatures<Role extends Metadata>(
  metadata: Signed<Role>,
  groups: readonly SigningGroup[],
): Signed<Role> {
  let checked = assemble(metadata.signed, metadata.signedBytes, [])
  for (const signature of metadata.signatures)
    if (signature.sig !== '') checked = withSignature(checked, signature, groups)
  return checked
}

/** The metadata with one signature more. Throws a Refusal that says what is wrong with it. */
export function withSignature<Role extends Metadata>(
  metadata: Signed<Role>,
  signature: Signature,
  groups: readonly SigningGroup[],
): Signed<Role> {
  const { keyid } = signature
  const group = groups.find(({ roleKeys, keys }) => roleKeys.keyids.includes(keyid) && keys.has(keyid))
  const key = group?.keys.get(keyid)
  if (key === undefined) {
    const holders = [...new Set(groups.flatMap(({ roleKeys }) => roleKeys.keyids))]
    throw new Refusal(`Key ${keyid} may not sign this. Those that may: ${holders.join(', ')}.`)
  }
  if (metadata.signatures.some((earlier) => earlier.keyid === keyid)) {
    throw new Refusal(`Key ${keyid} has signed this already. The other holders' signatures are wanted.`)
  }
  if (!verifySignature(key, metadata.signedBytes, signature.sig)) {
    throw new Refusal(
      `The signature of key ${keyid} is not good: it was made over other bytes, by another key, or it is malformed. ` +
        'Fetch the pending metadata again and sign its canonical form.',
    )
  }
  return assemble(metadata.signed, metadata.signedBytes, [...metadata.signatures, signature])
}

/** True once each group has signed as often as its threshold asks. */
export function isComplete(metadata: Signed, groups: readonly SigningGroup[]): boolean {
  return groups.every(({ roleKeys, keys }) => {
    return goodSignatures(roleKeys, keys, metadata.signedBytes, metadata.signatures).length >= roleKeys.threshold
  })
}
