import { day, expiresAt, formatExpires } from '../../tuf/expiry.ts'
import { keyIdentity } from '../../tuf/keys.ts'
import type { Metadata, Root } from '../../tuf/metadata.ts'
import { rolesBelowRoot } from '../../tuf/names.ts'
import { Refusal } from '../errors.ts'
import type { Signer } from '../ports.ts'
import { maximumDays } from '../settings.ts'

/** In ten years there are up to three leap days. */
const longest = (maximumDays + 3) * day

/** Throws a Refusal unless this expires some day that is left to come and not beyond ten years. */
export function checkExpiry(what: string, metadata: Pick<Metadata, 'expires'>, now: Date): void {
  const expires = expiresAt(metadata)
  if (expires <= now) throw new Refusal(`${what} expired at ${metadata.expires}. Sign one that expires later.`)
  const last = new Date(now.getTime() + longest)
  if (expires <= last) return
  throw new Refusal(
    `${what} expires at ${metadata.expires}, and an expiry beyond ten years protects nobody. ` +
      `Sign one that expires at ${formatExpires(last)} or before.`,
  )
}

/** The keys of the online roles have to be ours, all of them (those of targets: all or none), and no key of the root's holders may be among them. */
export function checkOnlineKeys(root: Root, signers: readonly Signer[]): void {
  checkHeld(root, signers, 'GET /api/v1/keys lists those that it holds.')
  const held = new Set(signers.map(({ key }) => keyIdentity(key)))
  const both = root.roles.root.keyids.find((keyid) => {
    const key = root.keys.get(keyid)
    return key !== undefined && held.has(keyIdentity(key))
  })
  if (both === undefined) return
  throw new Refusal(
    `Key ${both} is online and among root's keys. Root needs keys that only its holders have: name another one in its place.`,
  )
}

export function checkHeld(root: Root, signers: readonly Signer[], advice: string): void {
  const held = new Set(signers.map(({ keyid }) => keyid))
  for (const role of rolesBelowRoot) {
    const { keyids, threshold } = root.roles[role]
    // None of them held: targets is signed offline.
    if (role === 'targets' && !keyids.some((keyid) => held.has(keyid))) continue
    const strange = keyids.find((keyid) => !held.has(keyid))
    if (strange === undefined) continue
    const able = keyids.filter((keyid) => held.has(keyid)).length
    const lacking = able < threshold ? ` Its threshold is ${threshold}, and the service holds ${able} of its keys.` : ''
    throw new Refusal(`Role ${role} names key ${strange}, which this service does not hold.${lacking} ${advice}`)
  }
}
