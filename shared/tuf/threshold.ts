import { TufError } from './errors.ts'
import { type Key, keyIdentity, publicKeyOf, verifySignature, verifySignatureAside } from './keys.ts'
import type { RoleKeys } from './metadata.ts'
import type { Signature } from './signed.ts'

/**
 * The keyids of `role` that have a good signature over `bytes`. A threshold counts keys (specification, section 4.3), so a key
 * counts once even where it stands under two keyids. Of several signatures under one keyid only the first is looked at.
 */
export function goodSignatures(
  role: RoleKeys,
  keys: ReadonlyMap<string, Key>,
  bytes: Uint8Array,
  signatures: readonly Signature[],
): string[] {
  const made = signaturesOf(role, keys, signatures)
  return countedOnce(
    role,
    made.filter(({ key, sig }) => verifySignature(key, bytes, sig)),
  )
}

interface Made {
  readonly keyid: string
  readonly key: Key
  readonly sig: string
}

/** The signatures by keys of the role, good or not. */
function signaturesOf(role: RoleKeys, keys: ReadonlyMap<string, Key>, signatures: readonly Signature[]): Made[] {
  return role.keyids.flatMap((keyid) => {
    const key = keys.get(keyid)
    const signature = signatures.find((candidate) => candidate.keyid === keyid)
    return key === undefined || signature === undefined ? [] : [{ keyid, key, sig: signature.sig }]
  })
}

function countedOnce(role: RoleKeys, good: readonly Made[]): string[] {
  if (role.keyids.length === 1) return good.map(({ keyid }) => keyid)
  const counted = new Map<string, string>()
  for (const { keyid, key } of good) {
    const identity = keyIdentity(key)
    if (!counted.has(identity)) counted.set(identity, keyid)
  }
  return [...counted.values()]
}

/** Throws TufError 'threshold' unless enough of the role's keys have signed. `what` names the metadata in the message. */
export function verifyThreshold(
  what: string,
  role: RoleKeys,
  keys: ReadonlyMap<string, Key>,
  metadata: SignedBytes,
): void {
  requireEnough(what, role, keys, goodSignatures(role, keys, metadata.signedBytes, metadata.signatures).length)
}

/** The same on other threads: for many signatures at once, while this one has other work. */
export async function verifyThresholdAside(
  what: string,
  role: RoleKeys,
  keys: ReadonlyMap<string, Key>,
  { signedBytes, signatures }: SignedBytes,
): Promise<void> {
  const made = signaturesOf(role, keys, signatures)
  const verdicts = await Promise.all(made.map(({ key, sig }) => verifySignatureAside(key, signedBytes, sig)))
  requireEnough(
    what,
    role,
    keys,
    countedOnce(
      role,
      made.filter((_, index) => verdicts[index]),
    ).length,
  )
}

interface SignedBytes {
  readonly signedBytes: Uint8Array
  readonly signatures: readonly Signature[]
}

function requireEnough(what: string, role: RoleKeys, keys: ReadonlyMap<string, Key>, good: number): void {
  if (good >= role.threshold) return
  throw new TufError(
    'threshold',
    `${what} has ${good} good signature${good === 1 ? '' : 's'} of the ${role.threshold} that its threshold asks for.${unreadable(role, keys)}`,
  )
}

/** Whoever looks at such a key sees a signature that others verify. */
function unreadable({ keyids }: RoleKeys, keys: ReadonlyMap<string, Key>): string {
  for (const id of keyids) {
    const key = keys.get(id)
    try {
      if (key !== undefined) publicKeyOf(key)
    } catch (error) {
      if (error instanceof TufError) return ` Signatures of its key ${id} count for nothing. ${error.message}`
      throw error
    }
  }
  return ''
}
