import { formatExpires } from '../../shared/tuf/expiry.ts'
import { type Key, keyIdentity, keyid as keyidOf } from '../../shared/tuf/keys.ts'
import type { RoleKeys, Root } from '../../shared/tuf/metadata.ts'
import { rolesBelowRoot, topLevelRoles } from '../../shared/tuf/names.ts'
import { CliError } from '../output.ts'
import { plural } from '../table.ts'

/** In what the next root is to differ from the current one. */
export interface Wishes {
  readonly expires: Date
  readonly root: KeyWishes
  /** Where targets is signed offline. */
  readonly targets?: KeyWishes | undefined
  /** What signs from now on where online keys sign now; all that the service holds are in `held`. */
  readonly online?: { readonly keyids: readonly string[]; readonly held: ReadonlyMap<string, Key> } | undefined
}

export interface KeyWishes {
  readonly threshold?: number | undefined
  readonly addKeys: readonly Key[]
  /** Keyids, or enough of each to tell it from the others. */
  readonly removeKeys: readonly string[]
}

/** The root that comes after `current`; what it does not change stays, fields that we do not know included. Throws CliError 'usage'. */
export function nextRoot(current: Root, wishes: Wishes): Root {
  const keys = new Map(current.keys)
  const root = holdersOf('root', current, wishes.root, keys)
  if (wishes.targets !== undefined && isOnline(current, 'targets', wishes.online?.held))
    throw new CliError('usage', 'The service signs targets. Whose keys sign it is decided by tuffet ceremony.')
  const offline = wishes.targets && { targets: holdersOf('targets', current, wishes.targets, keys) }
  const roles = { ...current.roles, root, ...onlineSigners(current, wishes.online, keys), ...offline }
  const used = new Set(topLevelRoles.flatMap((role) => roles[role].keyids))
  return {
    ...current,
    version: current.version + 1,
    expires: formatExpires(wishes.expires),
    keys: new Map([...keys].filter(([keyid]) => used.has(keyid))),
    roles,
  }
}

const flags = {
  root: { threshold: '--threshold', add: '--add-key', remove: '--remove-key' },
  targets: { threshold: '--targets-threshold', add: '--add-targets-key', remove: '--remove-targets-key' },
} as const

function holdersOf(role: keyof typeof flags, current: Root, wishes: KeyWishes, keys: Map<string, Key>): RoleKeys {
  for (const key of wishes.addKeys) addKey(keys, key)
  const before = current.roles[role]
  const removed = new Set(wishes.removeKeys.map((part) => findKey(role, before, part)))
  const keyids = [...before.keyids.filter((keyid) => !removed.has(keyid)), ...wishes.addKeys.map(keyidOf)]
  const { threshold = before.threshold } = wishes
  if (threshold <= keyids.length) return { ...before, keyids, threshold }
  const name = role === 'root' ? 'Root' : 'Targets'
  const has = plural(keyids.length, 'key')
  const how =
    wishes.threshold === undefined
      ? `Change ${flags[role].threshold} too.`
      : `Choose a lower ${flags[role].threshold}, or add keys with ${flags[role].add}.`
  throw new CliError('usage', `${name} would have ${has} and a threshold of ${threshold}. ${how}`)
}

function addKey(keys: Map<string, Key>, key: Key): void {
  const identity = keyIdentity(key)
  const twin = [...keys].find(([, other]) => keyIdentity(other) === identity)
  if (twin !== undefined) throw new CliError('usage', `Key ${keyidOf(key)} is in the root already, as ${twin[0]}.`)
  keys.set(keyidOf(key), key)
}

const shortest = 6

function findKey(role: keyof typeof flags, { keyids }: RoleKeys, part: string): string {
  const found = part.length < shortest ? [] : keyids.filter((keyid) => keyid.startsWith(part))
  const [keyid] = found
  if (keyid !== undefined && found.length === 1) return keyid
  const why =
    found.length > 1 ? 'stands for several keys' : `is none of the keys of ${role} (at least ${shortest} digits of one)`
  throw new CliError('usage', `${flags[role].remove} ${part} ${why}. They are ${keyids.join(', ')}.`)
}

/** Roles that the service does not sign itself keep their keys. */
function onlineSigners(current: Root, online: Wishes['online'], keys: Map<string, Key>) {
  const signers: Partial<Record<(typeof rolesBelowRoot)[number], RoleKeys>> = {}
  if (online === undefined) return signers
  for (const keyid of online.keyids) {
    const key = online.held.get(keyid)
    if (key === undefined) {
      const held = [...online.held.keys()].join(', ')
      throw new CliError('usage', `The service does not hold key ${keyid}. It holds ${held}.`)
    }
    if (!keys.has(keyid)) addKey(keys, key)
  }
  for (const role of rolesBelowRoot) {
    const threshold = Math.min(current.roles[role].threshold, online.keyids.length)
    if (isOnline(current, role, online.held)) signers[role] = { keyids: online.keyids, threshold }
  }
  return signers
}

/** Timestamp is never signed offline. The service may have lost a key that was stolen. */
function isOnline({ roles }: Root, role: (typeof rolesBelowRoot)[number], held?: ReadonlyMap<string, Key>): boolean {
  return roles[role].keyids.every((keyid) => roles.timestamp.keyids.includes(keyid) || held?.has(keyid) === true)
}
