import { TufError } from './errors.ts'
import { type Key, keyIdentity, verifySignature } from './keys.ts'
import type { RoleKeys } from './metadata.ts'
import type { Signature } from './signed.ts'

/**
 * The keyids of `role` whose signature over `bytes` is good, each key once: one key counts once even under two keyids
 * (specification, section 4.2.1), and of several signatures under one keyid only the first is looked at.
 */
export function goodSignatures(
  role: RoleKeys,
  keys: ReadonlyMap<string, Key>,
  bytes: Uint8Array,
  signatures: readonly Signature[],
): string[] {
  const counted = new Set<string>()
  const good: string[] = []
  for (const keyid of role.keyids) {
    const key = keys.get(keyid)
    const signature = signatures.find((candidate) => candidate.keyid === keyid)
    if (key === undefined || signature === undefined || !verifySignature(key, bytes, signature.sig)) continue
    const identity = role.keyids.length === 1 ? keyid : keyIdentity(key)
    if (counted.has(identity)) continue
    counted.add(identity)
    good.push(keyid)
  }
  return good
}

/** Throws TufError 'threshold' unless enough of the role's keys have signed. `what` names the metadata in the message. */
export function verifyThreshold(
  what: string,
  role: RoleKeys,
  keys: ReadonlyMap<string, Key>,
  metadata: { readonly signedBytes: Uint8Array; readonly signatures: readonly Signature[] },
): void {
  const good = goodSignatures(role, keys, metadata.signedBytes, metadata.signatures).length
  if (good >= role.threshold) return
  throw new TufError(
    'threshold',
    `${what} has ${good} good signature${good === 1 ? '' : 's'} of the ${role.threshold} that its threshold asks for.`,
  )
}
