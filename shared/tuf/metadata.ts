import { type DecodeContext, integer, list, map, object, optional, text } from './decode.ts'
import { TufError } from './errors.ts'
import type { Json, JsonObject } from './json.ts'
import type { Key } from './keys.ts'
import { type TopLevelRole, topLevelRoles } from './names.ts'

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
  /** `YYYY-MM-DDTHH:MM:SSZ`, nothing else: see `expiresAt`. */
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

/** When the role expires. Throws TufError 'invalid-metadata' unless it is written as every client reads it. */
export function expiresAt(metadata: Pick<Common, 'expires'>): Date {
  const date = new Date(metadata.expires)
  if (Number.isNaN(date.getTime()) || formatExpires(date) !== metadata.expires) {
    throw new TufError(
      'invalid-metadata',
      `expires has to read YYYY-MM-DDTHH:MM:SSZ, not ${JSON.stringify(metadata.expires)}.`,
    )
  }
  return date
}

/** Whole seconds and a Z: fractions and offsets each break a client. */
export function formatExpires(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}

/** The signed part of a role's metadata. Throws TufError 'invalid-metadata' that says where it is not as it should be. */
export function decodeMetadata<Type extends TopLevelRole>(type: Type, json: Json): MetadataByType[Type] {
  const at = { where: type }
  const fields = object(json, at)
  if (fields['_type'] !== type) {
    throw new TufError('invalid-metadata', `${type}: _type is ${JSON.stringify(fields['_type'])}, not "${type}".`)
  }
  const specification = text(fields['spec_version'], { where: `${type}.spec_version` })
  if (!/^1(\.\d+){1,2}$/.test(specification)) {
    throw new TufError(
      'invalid-metadata',
      `${type}.spec_version is ${JSON.stringify(specification)}; only 1.x is understood.`,
    )
  }
  const common = {
    ...fields,
    spec_version: specification,
    version: integer(fields['version'], { where: `${type}.version` }, 1),
    expires: text(fields['expires'], { where: `${type}.expires` }),
  }
  expiresAt(common)
  return decoders[type](fields, common) as MetadataByType[Type]
}

const decoders = { root: decodeRoot, targets: decodeTargets, snapshot: decodeSnapshot, timestamp: decodeTimestamp }

function decodeRoot(fields: JsonObject, common: Common): Root {
  const consistent = optional(fields['consistent_snapshot'], (value) => value) ?? false
  if (typeof consistent !== 'boolean')
    throw new TufError('invalid-metadata', 'root.consistent_snapshot has to be true or false.')
  const roles = object(fields['roles'], { where: 'root.roles' })
  const decoded = topLevelRoles.map((role) => [role, decodeRoleKeys(roles[role], { where: `root.roles.${role}` })])
  return {
    ...common,
    _type: 'root',
    ...(fields['consistent_snapshot'] === undefined ? {} : { consistent_snapshot: consistent }),
    keys: map(fields['keys'], { where: 'root.keys' }, decodeKey),
    roles: { ...roles, ...Object.fromEntries(decoded) },
  } as Root
}

function decodeTimestamp(fields: JsonObject, common: Common): Timestamp {
  const meta = map(fields['meta'], { where: 'timestamp.meta' }, decodeMetaFile)
  if (!meta.has('snapshot.json')) throw new TufError('invalid-metadata', 'timestamp.meta has no "snapshot.json".')
  return { ...common, _type: 'timestamp', meta }
}

function decodeSnapshot(fields: JsonObject, common: Common): Snapshot {
  const meta = map(fields['meta'], { where: 'snapshot.meta' }, decodeMetaFile)
  if (!meta.has('targets.json')) throw new TufError('invalid-metadata', 'snapshot.meta has no "targets.json".')
  return { ...common, _type: 'snapshot', meta }
}

function decodeTargets(fields: JsonObject, common: Common): Targets {
  const delegations = optional(fields['delegations'], (value) =>
    decodeDelegations(value, { where: 'targets.delegations' }),
  )
  return {
    ...common,
    _type: 'targets',
    targets: map(fields['targets'], { where: 'targets.targets' }, decodeTargetFile),
    ...(delegations === undefined ? {} : { delegations }),
  }
}

export function decodeDelegations(json: Json, at: DecodeContext): Delegations {
  const fields = object(json, at)
  const roles = optional(fields['roles'], (value) => list(value, { where: `${at.where}.roles` }, decodeDelegatedRole))
  const succinct = optional(fields['succinct_roles'], (value) =>
    decodeSuccinctRoles(value, { where: `${at.where}.succinct_roles` }),
  )
  if ((roles === undefined) === (succinct === undefined)) {
    throw new TufError('invalid-metadata', `${at.where} needs either "roles" or "succinct_roles", and not both.`)
  }
  return {
    ...fields,
    keys: map(fields['keys'], { where: `${at.where}.keys` }, decodeKey),
    ...(roles === undefined ? {} : { roles }),
    ...(succinct === undefined ? {} : { succinct_roles: succinct }),
  } as Delegations
}

function decodeDelegatedRole(json: Json, at: DecodeContext): DelegatedRole {
  const fields = object(json, at)
  const texts = (field: string) =>
    optional(fields[field], (value) =>
      list(value, { where: `${at.where}.${field}` }, (element, where) => text(element, where)),
    )
  const paths = texts('paths')
  const prefixes = texts('path_hash_prefixes')
  if ((paths === undefined) === (prefixes === undefined)) {
    throw new TufError('invalid-metadata', `${at.where} needs either "paths" or "path_hash_prefixes", and not both.`)
  }
  if (typeof fields['terminating'] !== 'boolean') {
    throw new TufError('invalid-metadata', `${at.where}.terminating has to be true or false.`)
  }
  return {
    ...decodeRoleKeys(json, at),
    name: text(fields['name'], { where: `${at.where}.name` }),
    terminating: fields['terminating'],
    ...(paths === undefined ? {} : { paths }),
    ...(prefixes === undefined ? {} : { path_hash_prefixes: prefixes }),
  }
}

function decodeSuccinctRoles(json: Json, at: DecodeContext): SuccinctRoles {
  const fields = object(json, at)
  return {
    ...decodeRoleKeys(json, at),
    bit_length: integer(fields['bit_length'], { where: `${at.where}.bit_length` }, 1, 32),
    name_prefix: text(fields['name_prefix'], { where: `${at.where}.name_prefix` }),
  }
}

function decodeRoleKeys(json: Json | undefined, at: DecodeContext): RoleKeys {
  const fields = object(json, at)
  const keyids = list(fields['keyids'], { where: `${at.where}.keyids` }, (element, where) => text(element, where))
  if (new Set(keyids).size !== keyids.length) {
    throw new TufError('invalid-metadata', `${at.where}.keyids names the same key twice.`)
  }
  return { ...fields, keyids, threshold: integer(fields['threshold'], { where: `${at.where}.threshold` }, 1) }
}

function decodeKey(json: Json, at: DecodeContext): Key {
  const fields = object(json, at)
  const keyval = object(fields['keyval'], { where: `${at.where}.keyval` })
  return {
    ...fields,
    keytype: text(fields['keytype'], { where: `${at.where}.keytype` }),
    scheme: text(fields['scheme'], { where: `${at.where}.scheme` }),
    keyval: { ...keyval, public: text(keyval['public'], { where: `${at.where}.keyval.public` }) },
  }
}

function decodeMetaFile(json: Json, at: DecodeContext): MetaFile {
  const fields = object(json, at)
  integer(fields['version'], { where: `${at.where}.version` }, 1)
  optional(fields['length'], (value) => integer(value, { where: `${at.where}.length` }, 0))
  optional(fields['hashes'], (value) => decodeHashes(value, { where: `${at.where}.hashes` }))
  return fields as MetaFile & JsonObject
}

function decodeTargetFile(json: Json, at: DecodeContext): TargetFile {
  const fields = object(json, at)
  integer(fields['length'], { where: `${at.where}.length` }, 0)
  decodeHashes(fields['hashes'], { where: `${at.where}.hashes` })
  optional(fields['custom'], (value) => object(value, { where: `${at.where}.custom` }))
  return fields as TargetFile & JsonObject
}

function decodeHashes(json: Json | undefined, at: DecodeContext): Hashes {
  const fields = object(json, at)
  const algorithms = Object.keys(fields)
  if (algorithms.length === 0) throw new TufError('invalid-metadata', `${at.where} holds no hash.`)
  for (const algorithm of algorithms) text(fields[algorithm], { where: `${at.where}.${algorithm}` })
  return fields as Hashes
}
