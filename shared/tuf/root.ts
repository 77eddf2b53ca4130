import { TufError } from './errors.ts'
import { checkExpires } from './expiry.ts'
import { checkForEveryClient, isKeyidOf, keyIdentity, keyid } from './keys.ts'
import type { Root } from './metadata.ts'
import { isTopLevel, topLevelRoles } from './names.ts'
import type { Signed } from './signed.ts'
import { verifyThreshold } from './threshold.ts'

/**
 * Throws unless clients can live with this root: an expiry that each reads, consistent snapshots, usable keys under their own keyids, each key once,
 * thresholds that can be met. TufError 'invalid-metadata' or 'invalid-key'.
 */
export function checkRoot(root: Root): void {
  const refuse = (why: string) => new TufError('invalid-metadata', `This root cannot be used: ${why}.`)
  checkExpires('root', root)
  if (root.consistent_snapshot !== true) throw refuse('consistent_snapshot has to be true')
  const identities = new Map<string, string>()
  for (const [id, key] of root.keys) {
    const identity = inRoot(id, () => keyIdentity(key))
    inRoot(id, () => checkForEveryClient(key))
    const other = identities.get(identity)
    if (other !== undefined) throw refuse(`keyids ${other} and ${id} are one and the same key`)
    identities.set(identity, id)
    if (!isKeyidOf(id, key))
      throw refuse(`keyid ${id} is not the SHA-256 of its key's canonical form, which is ${keyid(key)}`)
  }
  const stranger = Object.keys(root.roles).find((role) => !isTopLevel(role))
  if (stranger !== undefined) throw refuse(`it has a role ${JSON.stringify(stranger)}, and clients know four`)
  for (const role of topLevelRoles) {
    const { keyids, threshold } = root.roles[role]
    const missing = keyids.find((id) => !root.keys.has(id))
    if (missing !== undefined) throw refuse(`role ${role} names keyid ${missing}, which is not among its keys`)
    if (threshold > keyids.length) {
      throw refuse(
        `role ${role} asks for ${threshold} signatures and has ${keyids.length} keys; lower the threshold or add keys`,
      )
    }
  }
}

function inRoot<Value>(id: string, look: () => Value): Value {
  try {
    return look()
  } catch (cause) {
    if (!(cause instanceof TufError)) throw cause
    throw new TufError(cause.code, `Key ${id} of this root: ${cause.message}`, { cause })
  }
}

/** Throws unless clients trust this as the first root: version 1, signed as it asks itself. TufError 'version' or 'threshold'. */
export function verifyFirstRoot(root: Signed<Root>): void {
  if (root.signed.version !== 1)
    throw new TufError('version', `The first root has version 1, not ${root.signed.version}.`)
  verifyThreshold('Root version 1', root.signed.roles.root, root.signed.keys, root)
}

/** Throws unless clients follow these roots, from the first on. As `verifySuccession`. */
export function verifyRoots([first, ...others]: readonly Signed<Root>[]): void {
  if (first === undefined) throw new TufError('version', 'There is no first root.')
  verifyFirstRoot(first)
  let current = first.signed
  for (const next of others) {
    verifySuccession(current, next)
    current = next.signed
  }
}

/**
 * Throws unless clients that trust `current` come to trust `next`: the next version, signed as both ask (specification, section
 * 5.3.4 and 5.3.5). Whether they can live with it is for `checkRoot` to say: they do not stay with one that another follows.
 * TufError 'version' or 'threshold'.
 */
export function verifySuccession(current: Root, next: Signed<Root>): void {
  const { version } = next.signed
  if (version !== current.version + 1) {
    throw new TufError('version', `After root version ${current.version} comes ${current.version + 1}, not ${version}.`)
  }
  verifyThreshold(
    `Root version ${version}, by the keys of version ${current.version},`,
    current.roles.root,
    current.keys,
    next,
  )
  verifyThreshold(`Root version ${version}, by its own keys,`, next.signed.roles.root, next.signed.keys, next)
}
