import type { Json, JsonObject } from '../tuf/json.ts'
import { parseJson } from '../tuf/json.ts'
import { type Key, saltForEveryClient, verifySignature } from '../tuf/keys.ts'
import type { Metadata, MetadataByType, RoleKeys, Targets } from '../tuf/metadata.ts'
import { assemble, type Signature, type Signed, signedFromJson } from '../tuf/signed.ts'
import { goodSignatures } from '../tuf/threshold.ts'
import { type Document, schemaVersion } from './documents.ts'
import { Refusal } from './errors.ts'
import type { AskedChange } from './parked.ts'
import type { CustomRole, RequestOf } from './task.ts'

/** Metadata that waits for signatures of offline keys, by role; private state, versioned by commits. */
export interface Signing extends Document {
  readonly roles: Readonly<Record<string, Pending>>
}

export interface Pending {
  /** The whole file, with the signatures that have come in. */
  readonly metadata: PendingFile
  /** See `MetadataUpdateRequest`. */
  readonly compromised: boolean
  /** What waits with it; absent for a root. */
  readonly change?: WaitingChange
}

type PendingFile = JsonObject & { readonly signed: JsonObject; readonly signatures: readonly Json[] }

/** Changes of artifacts, maybe those of several tasks. */
export interface WaitingArtifacts {
  readonly kind: 'artifacts'
  /** At most one for each path. */
  readonly changes: readonly AskedChange[]
}

/** What is done, again from the start, once the metadata of each of these roles is signed. */
export interface WaitingChange {
  readonly request: RequestOf<'metadata_delegation'> | WaitingArtifacts
  /** The task that asked for it last, and for whom. */
  readonly taskId: string
  readonly principal: string
  readonly roles: readonly string[]
  /** Who signs this role. */
  readonly signers: RoleKeys
  readonly keys: Readonly<Record<string, Key>>
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

export function withPending(signing: Signing, role: string, metadata: Signed, compromised: boolean): Signing {
  const pending: Pending = { metadata: fileOf(metadata), compromised }
  return { ...signing, roles: { ...signing.roles, [role]: pending } }
}

/** Without what waits for this role, and for those that wait with it. */
export function withoutPending(signing: Signing, role: string): Signing {
  const gone = new Set([role, ...(changeOf(signing, role)?.roles ?? [])])
  return { ...signing, roles: Object.fromEntries(Object.entries(signing.roles).filter(([name]) => !gone.has(name))) }
}

const fileOf = ({ bytes }: Signed) => parseJson(bytes) as PendingFile

export const isPending = (signing: Signing, role: string) => Object.hasOwn(signing.roles, role)

/** Whether a holder has signed what waits. */
export function isSigned(signing: Signing, role: string): boolean {
  return isPending(signing, role) && signing.roles[role]?.metadata.signatures.length !== 0
}

/** What is done once this role is signed, and the roles that wait with it. */
export function changeOf(signing: Signing, role: string): WaitingChange | undefined {
  return isPending(signing, role) ? signing.roles[role]?.change : undefined
}

/** The changes of artifacts that wait for the holders of this role. */
export function artifactsThatWait(signing: Signing, role: string): readonly AskedChange[] {
  const request = changeOf(signing, role)?.request
  return request?.kind === 'artifacts' ? request.changes : []
}

/** Delegations as they will be once the holders of their roles have signed. */
export function delegationsToCome(signing: Signing): CustomRole[] {
  return Object.entries(signing.roles).flatMap(([name, { change }]) => {
    const request = change?.request
    if (request?.kind !== 'metadata_delegation' || !('roles' in request)) return []
    return request.roles.filter((role) => role.name === name)
  })
}

/** A delegated role, or targets, that waits: its metadata and who signs it. */
export function pendingTargets(
  signing: Signing,
  role: string,
): { readonly metadata: Signed<Targets>; readonly group: SigningGroup } | undefined {
  const change = changeOf(signing, role)
  const metadata = pendingOf(signing, role, 'targets')
  if (change === undefined || metadata === undefined) return undefined
  return { metadata, group: { roleKeys: change.signers, keys: new Map(Object.entries(change.keys)) } }
}

export function withWaiting(signing: Signing, role: string, metadata: Signed, change: WaitingChange): Signing {
  const pending: Pending = { metadata: fileOf(metadata), compromised: false, change }
  return { ...signing, roles: { ...signing.roles, [role]: pending } }
}

/**
 * With the number of the commit that brings them out as the version of these roles' metadata: no other commit has it, and
 * what the service signs itself has a smaller one before and a bigger one after.
 */
export function numbered(signing: Signing, roles: ReadonlySet<string>, number: number): Signing {
  const all = Object.entries(signing.roles).map(([role, pending]): [string, Pending] => {
    const metadata = { signed: { ...pending.metadata.signed, version: number }, signatures: [] }
    return [role, roles.has(role) ? { ...pending, metadata } : pending]
  })
  return { ...signing, roles: Object.fromEntries(all) }
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
  if (!verifySignature(key, metadata.signedBytes, signature.sig, saltForEveryClient)) {
    throw new Refusal(
      verifySignature(key, metadata.signedBytes, signature.sig)
        ? `The signature of key ${keyid} has a salt that is not as long as its hash, 32 bytes, and tough verifies no other. ` +
            'Sign again with that length (OpenSSL: -sigopt rsa_pss_saltlen:digest).'
        : `The signature of key ${keyid} is not good: it was made over other bytes (what waits may have changed since), by another key, or it is malformed. ` +
            'Fetch the pending metadata again and sign its canonical form.',
    )
  }
  return assemble(metadata.signed, metadata.signedBytes, [...metadata.signatures, signature])
}

/** True once each group has signed as often as its threshold asks. */
export function isComplete(
  metadata: Pick<Signed, 'signedBytes' | 'signatures'>,
  groups: readonly SigningGroup[],
): boolean {
  return groups.every(({ roleKeys, keys }) => {
    return goodSignatures(roleKeys, keys, metadata.signedBytes, metadata.signatures).length >= roleKeys.threshold
  })
}
