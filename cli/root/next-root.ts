import { type Key, keyIdentity, keyid as keyidOf } from '../../shared/tuf/keys.ts'
import { formatExpires, type RoleKeys, type Root } from '../../shared/tuf/metadata.ts'
import { topLevelRoles } from '../../shared/tuf/names.ts'
import { onlineRoles } from '../ceremony/payload.ts'
import { CliError } from '../output.ts'
import { plural } from '../table.ts'

/** In what the next root is to differ from the current one. */
export interface Wishes {
  readonly expires: Date
  readonly threshold?: number | undefined
  readonly addKeys: readonly Key[]
  /** Keyids, or enough of each to tell it from the others. */
  readonly removeKeys: readonly string[]
  /** What signs from now on where online keys sign now; all that the service holds are in `held`. */
  readonly online?: { readonly keyids: readonly string[]; readonly held: ReadonlyMap<string, Key> } | undefined
}

/** The root that comes after `current`; what it does not change stays, fields that we do not know included. Throws CliError 'usage'. */
export function nextRoot(current: Root, wishes: Wishes): Root {
  const keys = new Map(current.keys)
  for (const key of wishes.addKeys) addKey(keys, key)
  const removed = new Set(wishes.removeKeys.map((part) => findKey(current, part)))
  const added = wishes.addKeys.map(keyidOf)
  const keyids = [...current.roles.root.keyids.filter((keyid) => !removed.has(keyid)), ...added]
  const root = { keyids, threshold: wishes.threshold ?? current.roles.root.threshold }
  if (root.threshold > keyids.length) {
    const keys = plural(keyids.length, 'key')
    throw new CliError('usage', `Root would have ${keys} and a threshold of ${root.threshold}. Change --threshold too.`)
  }
  const roles = { ...current.roles, root, ...onlineSigners(current, wishes.online, keys) }
  const used = new Set(topLevelRoles.flatMap((role) => roles[role].keyids))
  return {
    ...current,
    version: current.version + 1,
    expires: formatExpires(wishes.expires),
    keys: new Map([...keys].filter(([keyid]) => used.has(keyid))),
    roles,
  }
}

function addKey(keys: Map<string, Key>, key: Key): void {
  const identity = keyIdentity(key)
  const twin = [...keys].find(([, other]) => keyIdentity(other) === identity)
  if (twin !== undefined) throw new CliError('usage', `Key ${keyidOf(key)} is in the root already, as ${twin[0]}.`)
  keys.set(keyidOf(key), key)
}

const shortest = 6

function findKey({ roles }: Root, part: string): string {
  const found = part.length < shortest ? [] : roles.root.keyids.filter((keyid) => keyid.startsWith(part))
  const [keyid] = found
  if (keyid !== undefined && found.length === 1) return keyid
  const why =
    found.length > 1 ? 'stands for several keys' : `is none of root's keys (at least ${shortest} digits of one)`
  throw new CliError('usage', `--remove-key ${part} ${why}. They are ${roles.root.keyids.join(', ')}.`)
}

/** Roles that the service does not sign itself keep their keys. */
function onlineSigners(current: Root, online: Wishes['online'], keys: Map<string, Key>) {
  const signers: Partial<Record<(typeof onlineRoles)[number], RoleKeys>> = {}
  if (online === undefined) return signers
  for (const keyid of online.keyids) {
    const key = online.held.get(keyid)
    if (key === undefined) {
      const held = [...online.held.keys()].join(', ')
      throw new CliError('usage', `The service does not hold key ${keyid}. It holds ${held}.`)
    }
    if (!keys.has(keyid)) addKey(keys, key)
  }
  const timestampKeys = current.roles.timestamp.keyids
  for (const role of onlineRoles) {
    const { keyids, threshold } = current.roles[role]
    // Timestamp is never signed offline. The service may have lost a key that was stolen.
    const isOnline = keyids.every((keyid) => timestampKeys.includes(keyid) || online.held.has(keyid))
    if (isOnline) signers[role] = { keyids: online.keyids, threshold: Math.min(threshold, online.keyids.length) }
  }
  return signers
}
