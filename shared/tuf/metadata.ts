import { inside, integer, inWords, list, map, object, optional, type Place, text } from './decode.ts'
import { TufError } from './errors.ts'
import { expiresAt } from './expiry.ts'
import type { Json, JsonObject } from './json.ts'
import { isKnownScheme, type Key } from './keys.ts'
import { isTopLevel, type TopLevelRole, topLevelRoles } from './names.ts'

/**
 * The four roles as plain data (specification, section 4). What others choose the names of (target paths, roles, keyids)
 * is held in Maps, and fields that we do not know are kept where they were, so that what was read and is written again
 * has the bytes that were signed.
 */

/** The version of the specification that our metadata says it follows. */
export const specVersion = '1.0.31'

interface Common {
  readonly spec_version: string
  /** From 1 on. */
  readonly version: number
  /** `YYYY-MM-DDTHH:MM:SSZ`; of others with fractions of a second: see `expiry.ts`. */
  readonly expires: string
  readonly [field: string]: unknown
}

/** Who may sign: so many of these keys. */
export interface RoleKeys {
  readonly keyids: readonly string[]
  readonly threshold: number
  readonly [field: string]: unknown
}

export interface Root extends Common {
  readonly _type: 'root'
  readonly consistent_snapshot: boolean
  readonly keys: ReadonlyMap<string, Key>
  readonly roles: Readonly<Record<TopLevelRole, RoleKeys>>
}

export interface MetaFile {
  readonly version: number
  readonly length?: number
  readonly hashes?: Hashes
  readonly [field: string]: unknown
}

/** Digests in lower-case hex by algorithm, such as `sha256`. */
export type Hashes = Readonly<Record<string, string>>

export interface Timestamp extends Common {
  readonly _type: 'timestamp'
  readonly meta: ReadonlyMap<string, MetaFile>
}

export interface Snapshot extends Common {
  readonly _type: 'snapshot'
  /** By file name: `targets.json`, `<role>.json`. */
  readonly meta: ReadonlyMap<string, MetaFile>
}

/** The version of a role that the snapshot makes visible, or of the snapshot itself; nothing for a role that it does not name. */
export const versionOf = (snapshot: Snapshot, role: string) =>
  role === 'snapshot' ? snapshot.version : snapshot.meta.get(`${role}.json`)?.version

export interface TargetFile {
  /** In bytes. */
  readonly length: number
  readonly hashes: Hashes
  readonly custom?: JsonObject
  readonly [field: string]: unknown
}

export interface Targets extends Common {
  readonly _type: 'targets'
  readonly targets: ReadonlyMap<string, TargetFile>
  readonly delegations?: Delegations
}

export interface Delegations {
  readonly keys: ReadonlyMap<string, Key>
  /** Never beside `succinct_roles`. */
  readonly roles?: readonly DelegatedRole[]
  readonly succinct_roles?: SuccinctRoles
  readonly [field: string]: unknown
}

/** Trusted with the paths that match, by exactly one of the two ways. */
export interface DelegatedRole extends RoleKeys {
  readonly name: string
  readonly terminating: boolean
  readonly paths?: readonly string[]
  readonly path_hash_prefixes?: readonly string[]
}

/** Hash bins in four fields (TAP 15). */
export interface SuccinctRoles extends RoleKeys {
  /** The number of bins is 2 to the power of this; 1 to 32. */
  readonly bit_length: number
  readonly name_prefix: string
}

export type Metadata = Root | Targets | Snapshot | Timestamp
export interface MetadataByType {
  root: Root
  targets: Targets
  snapshot: Snapshot
  timestamp: Timestamp
}

/** The signed part of a role's metadata. Throws TufError 'invalid-metadata' that says where it is not as it should be. */
export function decodeMetadata<Type extends TopLevelRole>(type: Type, json: Json): MetadataByType[Type] {
  const at = { member: type }
  const fields = object(json, at)
  if (fields['_type'] !== type) {
    throw new TufError('invalid-metadata', `${type}: _type is ${JSON.stringify(fields['_type'])}, not "${type}".`)
  }
  const specification = text(fields['spec_version'], inside(at, 'spec_version'))
  if (!/^1(\.\d+){1,2}$/.test(specification)) {
    throw new TufError(
      'invalid-metadata',
      `${type}.spec_version is ${JSON.stringify(specification)}; only 1.x is understood.`,
    )
  }
  const common = {
    ...fields,
    spec_version: specification,
    version: integer(fields['version'], inside(at, 'version'), 1),
    expires: text(fields['expires'], inside(at, 'expires')),
  }
  expiresAt(common)
  return decoders[type](fields, common, at) as MetadataByType[Type]
}

const decoders = { root: decodeRoot, targets: decodeTargets, snapshot: decodeSnapshot, timestamp: decodeTimestamp }

function decodeRoot(fields: JsonObject, common: Common, at: Place): Root {
  const consistent = fields['consistent_snapshot']
  if (typeof consistent !== 'boolean')
    throw new TufError('invalid-metadata', 'root.consistent_snapshot has to be true or false.')
  const roles = object(fields['roles'], inside(at, 'roles'))
  const decoded = topLevelRoles.map((role) => [role, decodeRoleKeys(roles[role], inside(inside(at, 'roles'), role))])
  return {
    ...common,
    _type: 'root',
    consistent_snapshot: consistent,
    keys: map(fields['keys'], inside(at, 'keys'), decodeKey),
    roles: { ...roles, ...Object.fromEntries(decoded) } as Root['roles'],
  }
}

function decodeTimestamp(fields: JsonObject, common: Common, at: Place): Timestamp {
  const meta = map(fields['meta'], inside(at, 'meta'), decodeMetaFile)
  if (!meta.has('snapshot.json')) throw new TufError('invalid-metadata', 'timestamp.meta has no "snapshot.json".')
  return { ...common, _type: 'timestamp', meta }
}

function decodeSnapshot(fields: JsonObject, common: Common, at: Place): Snapshot {
  const meta = map(fields['meta'], inside(at, 'meta'), decodeMetaFile)
  if (!meta.has('targets.json')) throw new TufError('invalid-metadata', 'snapshot.meta has no "targets.json".')
  return { ...common, _type: 'snapshot', meta }
}

function decodeTargets(fields: JsonObject, common: Common, at: Place): Targets {
  const delegations = optional(fields['delegations'], (value) => decodeDelegations(value, inside(at, 'delegations')))
  return {
    ...common,
    _type: 'targets',
    targets: map(fields['targets'], inside(at, 'targets'), decodeTargetFile),
    ...(delegations === undefined ? {} : { delegations }),
  }
}

function decodeDelegations(json: Json, at: Place): Delegations {
  const fields = object(json, at)
  const roles = optional(fields['roles'], (value) => list(value, inside(at, 'roles'), decodeDelegatedRole))
  const succinct = optional(fields['succinct_roles'], (value) =>
    decodeSuccinctRoles(value, inside(at, 'succinct_roles')),
  )
  if ((roles === undefined) === (succinct === undefined)) {
    throw new TufError('invalid-metadata', `${inWords(at)} needs either "roles" or "succinct_roles", and not both.`)
  }
  const names = new Set<string>()
  for (const { name } of roles ?? []) {
    if (names.has(name))
      throw new TufError('invalid-metadata', `${inWords(at)}.roles has ${JSON.stringify(name)} twice.`)
    names.add(name)
  }
  return {
    ...fields,
    keys: map(fields['keys'], inside(at, 'keys'), decodeKey),
    ...(roles === undefined ? {} : { roles }),
    ...(succinct === undefined ? {} : { succinct_roles: succinct }),
  } as Delegations
}

function decodeDelegatedRole(json: Json, at: Place): DelegatedRole {
  const fields = object(json, at)
  const texts = (field: string) => optional(fields[field], (value) => list(value, inside(at, field), text))
  const paths = texts('paths')
  const prefixes = texts('path_hash_prefixes')
  if ((paths === undefined) === (prefixes === undefined)) {
    throw new TufError('invalid-metadata', `${inWords(at)} needs either "paths" or "path_hash_prefixes", and not both.`)
  }
  if (typeof fields['terminating'] !== 'boolean') {
    throw new TufError('invalid-metadata', `${inWords(at)}.terminating has to be true or false.`)
  }
  const name = text(fields['name'], inside(at, 'name'))
  if (name === '' || isTopLevel(name)) {
    throw new TufError('invalid-metadata', `${inWords(at)}.name is "${name}"; clients delegate to no such role.`)
  }
  return {
    ...decodeRoleKeys(json, at),
    name,
    terminating: fields['terminating'],
    ...(paths === undefined ? {} : { paths }),
    ...(prefixes === undefined ? {} : { path_hash_prefixes: prefixes }),
  }
}

function decodeSuccinctRoles(json: Json, at: Place): SuccinctRoles {
  const fields = object(json, at)
  return {
    ...decodeRoleKeys(json, at),
    bit_length: integer(fields['bit_length'], inside(at, 'bit_length'), 1, 32),
    name_prefix: text(fields['name_prefix'], inside(at, 'name_prefix')),
  }
}

function decodeRoleKeys(json: Json | undefined, at: Place): RoleKeys {
  const fields = object(json, at)
  const keyids = list(fields['keyids'], inside(at, 'keyids'), text)
  if (new Set(keyids).size !== keyids.length) {
    throw new TufError('invalid-metadata', `${inWords(at)}.keyids names the same key twice.`)
  }
  return { ...fields, keyids, threshold: integer(fields['threshold'], inside(at, 'threshold'), 1) }
}

function decodeKey(json: Json, at: Place): Key {
  const fields = object(json, at)
  const keyval = object(fields['keyval'], inside(at, 'keyval'))
  const scheme = text(fields['scheme'], inside(at, 'scheme'))
  if (isKnownScheme(scheme)) text(keyval['public'], inside(inside(at, 'keyval'), 'public'))
  return { ...fields, keytype: text(fields['keytype'], inside(at, 'keytype')), scheme, keyval }
}

function decodeMetaFile(json: Json, at: Place): MetaFile {
  const fields = object(json, at)
  integer(fields['version'], inside(at, 'version'), 1)
  optional(fields['length'], (value) => integer(value, inside(at, 'length'), 0))
  optional(fields['hashes'], (value) => decodeHashes(value, inside(at, 'hashes')))
  return fields as MetaFile & JsonObject
}

function decodeTargetFile(json: Json, at: Place): TargetFile {
  const fields = object(json, at)
  integer(fields['length'], inside(at, 'length'), 0)
  decodeHashes(fields['hashes'], inside(at, 'hashes'))
  optional(fields['custom'], (value) => object(value, inside(at, 'custom')))
  return fields as TargetFile & JsonObject
}

function decodeHashes(json: Json | undefined, at: Place): Hashes {
  const fields = object(json, at)
  const algorithms = Object.keys(fields)
  if (algorithms.length === 0) throw new TufError('invalid-metadata', `${inWords(at)} holds no hash.`)
  for (const algorithm of algorithms) text(fields[algorithm], inside(at, algorithm))
  return fields as Hashes
}
