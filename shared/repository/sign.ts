import { canonicalBytes } from '../tuf/canonical.ts'
import { expiresIn } from '../tuf/expiry.ts'
import type { Metadata, Targets } from '../tuf/metadata.ts'
import { assemble, decodeSigned, type Signed } from '../tuf/signed.ts'
import { verifyThreshold, verifyThresholdAside } from '../tuf/threshold.ts'
import { type Draft, treeOfDraft } from './draft.ts'
import { RepositoryError } from './errors.ts'
import { createUnlessTaken, type Signer } from './ports.ts'
import type { Repository } from './repository.ts'
import { previousRootOf } from './rotation.ts'
import { expirationOf } from './settings.ts'
import type { SigningGroup } from './signing.ts'
import { canSign, heldBy, signersOf } from './tree.ts'

/** Of roles up to so many bytes the signatures are remembered, in case another one has the same bytes: empty hash bins have. */
const shortBytes = 1024

/** From so many bytes on a role is hashed, and verified, on another thread. */
const longBytes = 64 * 1024

/**
 * A function that dates and signs a role of this draft, checks its own work against the role's keys and threshold, and
 * signs equal bytes only once. With `checks`, checking what takes long goes on in other threads: its promises are added there, and
 * have to be awaited before anybody may see what was signed.
 */
export function signer({ ports, limits }: Repository, draft: Draft, now: Date, checks?: Promise<void>[]) {
  const tree = treeOfDraft(draft)
  const previousRoot = previousRootOf(draft.rotation)
  const remembered = new Map<string, Promise<Signed>>()
  const areMany = draft.toSign.size > limits.verifiedHere

  /** While online keys change, a top-level role is signed as both roots ask. */
  const groupsFor = (role: string): SigningGroup[] => {
    const group = signersOf(tree, role)
    if (group === undefined) throw new RepositoryError('corrupt', `Nothing delegates to role ${role}.`)
    if (previousRoot === undefined || group.keys !== draft.root.signed.keys) return [group]
    const previous = signersOf({ root: previousRoot, delegations: [] }, role)
    const held = canSign(previous, ports.signers)
    // Of a key that is in the wrong hands already, the service may have been relieved.
    return previous === undefined || (draft.rotation.compromised && !held) ? [group] : [group, previous]
  }

  const verify = (what: string, { roleKeys, keys }: SigningGroup, signed: Signed): void => {
    if (checks === undefined || !(areMany || signed.signedBytes.length > longBytes)) {
      verifyThreshold(what, roleKeys, keys, signed)
      return
    }
    const check = verifyThresholdAside(what, roleKeys, keys, signed)
    // Whoever awaits all of them is told.
    check.catch(() => undefined)
    checks.push(check)
  }

  const signBytes = async <Role extends Metadata>(
    role: string,
    signed: Role,
    bytes: Uint8Array,
    groups: readonly SigningGroup[],
  ): Promise<Signed<Role>> => {
    const chosen = new Set(groups.flatMap((group) => heldFor(role, group, ports.signers)))
    const signatures = await Promise.all(
      [...chosen].map(async (one) => ({ keyid: one.keyid, sig: await one.sign(bytes) })),
    )
    const assembled = assemble(signed, bytes, signatures)
    for (const group of groups) verify(`What was signed as ${role}`, group, assembled)
    return assembled
  }

  return async <Role extends Metadata>(role: string, metadata: Role): Promise<Signed<Role>> => {
    const groups = groupsFor(role)
    const dated = { ...metadata, expires: expiresIn(now, expirationOf(draft.settings, role)) }
    const bytes = canonicalBytes(dated)
    if (bytes.length > shortBytes) return signBytes(role, dated, bytes, groups)
    const memory = `${JSON.stringify(groups.map(({ roleKeys: { keyids, threshold } }) => [keyids, threshold]))}${bytes}`
    const signed = remembered.get(memory) ?? signBytes<Metadata>(role, dated, bytes, groups)
    remembered.set(memory, signed)
    return (await signed) as Signed<Role>
  }
}

/** Those who sign a role for this group. Throws RepositoryError 'key-not-held' if they are too few. */
export function heldFor(role: string, group: SigningGroup, signers: readonly Signer[]): Signer[] {
  const { keyids, threshold } = group.roleKeys
  const able = heldBy(group, signers)
  if (able.length >= threshold) return able
  throw new RepositoryError(
    'key-not-held',
    `Role ${role} needs ${threshold} of the keys ${keyids.join(', ')}; this service holds ${able.length}.`,
  )
}

/**
 * Writes the roles that were signed elsewhere, and returns what is stored of them. Their versions cannot be skipped, for the
 * signatures cover them; an aborted commit may have written the same with another choice of signatures, which is as good.
 */
export async function writeSignedElsewhere(
  { ports: { metadata } }: Repository,
  draft: Draft,
): Promise<[string, Signed<Targets>][]> {
  const tree = treeOfDraft(draft)
  const verified = (role: string, signed: Signed<Targets>) => {
    const group = signersOf(tree, role)
    if (group === undefined) throw new RepositoryError('corrupt', `Nothing delegates to role ${role}.`)
    verifyThreshold(`Role ${role}`, group.roleKeys, group.keys, signed)
    return signed
  }
  return Promise.all(
    [...draft.signed].map(async ([role, signed]): Promise<[string, Signed<Targets>]> => {
      const file = `${signed.signed.version}.${role}.json`
      if (await createUnlessTaken(metadata, file, verified(role, signed).bytes)) return [role, signed]
      const stored = await metadata.read(file)
      const earlier = stored && decodeSigned('targets', stored.bytes)
      if (earlier === undefined || Buffer.compare(earlier.signedBytes, signed.signedBytes) !== 0)
        throw new RepositoryError('corrupt', `${file} is there with other content than what was signed.`)
      return [role, verified(role, earlier)]
    }),
  )
}
