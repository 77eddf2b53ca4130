import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { uuidV7Source } from '../../shared/adapters/local/uuid-v7.ts'
import type { Clock, ObjectStore, Ports, Queue, Signer } from '../../shared/repository/ports.ts'
import { type Limits, openRepository, type Repository } from '../../shared/repository/repository.ts'
import type {
  AddArtifactsRequest,
  BootstrapRequest,
  CustomRole,
  ImportArtifactsRequest,
  SignMetadataRequest,
  TaskRequest,
} from '../../shared/repository/task.ts'
import { type Json, parseJson } from '../../shared/tuf/json.ts'
import { keyFromPublicKey, keyid } from '../../shared/tuf/keys.ts'
import { formatExpires, specVersion, type Targets } from '../../shared/tuf/metadata.ts'
import { roleName, targetPath } from '../../shared/tuf/names.ts'
import type { Signed } from '../../shared/tuf/signed.ts'
import { makeRoot, signatureBy, signRole, type TestKey } from '../support/keys.ts'
import { signRemembered } from './remembered-signatures.ts'

/** A key that is the same in every run, and whose signatures are. */
function fixedKey(name: string): TestKey {
  const seed = createHash('sha256').update(name).digest('hex')
  const pkcs8 = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex')
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const key = keyFromPublicKey(createPublicKey(privateKey))
  return { key, keyid: keyid(key), privateKey, sign: (bytes) => signRemembered(privateKey, bytes) }
}

export const rootKeys = [fixedKey('root 1'), fixedKey('root 2')] as const
export const onlineKeys = [fixedKey('online 1'), fixedKey('online 2')] as const

/** Signs for the custom roles of a world: alone for `team` and `vault`, where the service does as well for `shared`. */
const holder = fixedKey('holder')

/** `vault` has hash bins inside it, which the service signs. */
export type RoleOfWorld = 'shared' | 'team' | 'vault'
/** Nobody but its holder signs these. */
export type HeldRole = Exclude<RoleOfWorld, 'shared'>
export const rolesOfWorld: Readonly<Record<RoleOfWorld, CustomRole>> = {
  shared: { ...heldBy(onlineKeys[0], holder), name: roleName('shared'), paths: ['c/*'] },
  team: { ...heldBy(holder), name: roleName('team'), paths: ['t/*'] },
  vault: {
    ...{ ...heldBy(holder), name: roleName('vault'), paths: ['v/*'] },
    bins: { delegation: 'succinct_roles', number: 2 },
  },
}

function heldBy(...keys: readonly TestKey[]) {
  return { terminating: false, threshold: 1, keyids: keys.map(({ keyid }) => keyid) }
}

/** For which version of a held role a signature was made. */
export const versionSigned = new Map<string, number>()

export const signers: readonly Signer[] = onlineKeys.map(({ key, keyid, sign }) => ({
  key,
  keyid,
  sign: async (bytes) => sign(bytes),
}))

/** Which of the root keys have signed, and which online key it names. */
interface RootShape {
  readonly version: number
  readonly signedBy: readonly (0 | 1)[]
  readonly online: 0 | 1
}

const rootExpires = new Date('2039-01-01T00:00:00Z')

function unsignedRoot({ version, online }: Omit<RootShape, 'signedBy'>) {
  const keys = { root: rootKeys, threshold: 2, online: [onlineKeys[online]] }
  return makeRoot({ version, ...keys, expires: rootExpires })
}

export function rootFile(shape: RootShape): Json {
  const signedBy = shape.signedBy.map((index) => rootKeys[index])
  return parseJson(signRole(unsignedRoot(shape), signedBy).bytes)
}

/** What is uploaded before an import is submitted, by the object that it becomes. */
export const bulkFiles = new Map<string, Uint8Array>()

/** What tasks may ask in a world: one maker for each kind, small ones, of which many are easily made. */
export const make = {
  bootstrap: (signedBy: RootShape['signedBy'] = [0, 1], number = 2): BootstrapRequest => ({
    kind: 'bootstrap',
    root: rootFile({ version: 1, signedBy, online: 0 }),
    expiration: { root: 365, targets: 90, snapshot: 7, timestamp: 1, bins: 30 },
    delegations: { delegation: 'succinct_roles', number },
  }),
  add: (paths: readonly string[], length: number, publish = true): AddArtifactsRequest => ({
    kind: 'add_artifacts',
    artifacts: paths.map((path) => ({
      path: targetPath(path),
      info: { length, hashes: { sha256: createHash('sha256').update(`${path} ${length}`).digest('hex') } },
    })),
    addTaskIdToCustom: length % 2 === 0,
    publish,
  }),
  import: (paths: readonly string[], length: number): ImportArtifactsRequest => {
    const { artifacts, addTaskIdToCustom } = make.add(paths, length)
    const lines = artifacts.map(({ path, info }) => `${path};${length};sha256;${info.hashes['sha256']}\n`)
    const bytes = Buffer.from(lines.join(''))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const bulk = `bulk/${sha256}`
    bulkFiles.set(bulk, bytes)
    const file = { bulk, sha256, bytes: bytes.length, format: 'csv', skipInvalid: false } as const
    return { kind: 'import_artifacts', ...file, addTaskIdToCustom }
  },
  changeBins: (number: number): TaskRequest => ({ kind: 'change_bins', number }),
  remove: (paths: readonly string[], publish = true): TaskRequest => ({
    kind: 'remove_artifacts',
    paths: paths.map(targetPath),
    publish,
  }),
  publishParked: (): TaskRequest => ({ kind: 'publish_artifacts' }),
  settings: (expiration: Record<string, number>): TaskRequest => ({ kind: 'update_settings', expiration }),
  force: (roles: readonly string[]): TaskRequest => ({ kind: 'force_online_metadata_update', roles }),
  root: (shape: RootShape, compromised = false): TaskRequest => ({
    kind: 'metadata_update',
    root: rootFile(shape),
    compromised,
  }),
  signature: (by: 0 | 1, { version, online }: Omit<RootShape, 'signedBy'>): SignMetadataRequest => ({
    kind: 'sign_metadata',
    role: 'root',
    signature: signatureBy(rootKeys[by], signRole(unsignedRoot({ version, online }), []).signedBytes),
  }),
  revert: (commit: number): TaskRequest => ({ kind: 'revert', commit }),
  cancel: (role: 'root' | HeldRole = 'root'): TaskRequest => ({ kind: 'delete_sign_metadata', role }),
  delegate: (action: 'add' | 'update', name: RoleOfWorld, removeArtifacts = false): TaskRequest => ({
    kind: 'metadata_delegation',
    action,
    keys: Object.fromEntries([onlineKeys[0], holder].map(({ keyid, key }) => [keyid, key])),
    roles: [action === 'update' ? withoutBins(rolesOfWorld[name]) : rolesOfWorld[name]],
    removeArtifacts,
  }),
  /** None: what the service signs below held roles gets the online key. */
  renew: (names: readonly string[]): TaskRequest => ({ kind: 'metadata_delegation', action: 'renew', names }),
  undelegate: (name: RoleOfWorld): TaskRequest => ({
    kind: 'metadata_delegation',
    action: 'delete',
    names: [roleName(name)],
  }),
  /** The holder's signature for what waits of a role. */
  heldSignature: (role: HeldRole, { signed, signedBytes }: Signed<Targets>): TaskRequest => {
    const signature = signatureBy(holder, signedBytes)
    versionSigned.set(signature.sig, signed.version)
    return { kind: 'sign_metadata', role, signature }
  },
  upload: (name: 'shared' | 'team', version: number, length: number): TaskRequest => {
    const path = name === 'team' ? 't/x' : 'c/d'
    const targets = new Map([[path, { length, hashes: { sha256: 'ab'.repeat(32) } }]])
    const expires = formatExpires(rootExpires)
    const role: Targets = { _type: 'targets', spec_version: specVersion, version, expires, targets }
    const metadata = parseJson(signRole(role, [holder]).bytes)
    return { kind: 'upload_delegated_metadata', role: roleName(name), metadata }
  },
}

/** They are decided when the role is added. */
function withoutBins({ bins: _, ...role }: CustomRole): CustomRole {
  return role
}

/** A clock that is moved by hand. */
export interface VirtualTime {
  now: number
}

export type Stores = Readonly<Record<'metadata' | 'state', ObjectStore>>
export type Role = 'api' | 'publisher' | 'refresher' | 'collector'

/** A fault of the service itself, put between a process and its stores. */
export type Mutant = (stores: Stores, role: Role) => Stores

/** A process of the service: what it knows is its own, what it reads and writes is not. */
export function startProcess(
  stores: Pick<Ports, 'metadata' | 'state' | 'hints'>,
  time: VirtualTime,
  options: { readonly limits?: Partial<Limits>; readonly queue?: Queue; readonly clock?: Clock } = {},
): Repository {
  const ports: Ports = {
    ...stores,
    signers,
    queue: options.queue ?? { ring: async () => {} },
    clock: options.clock ?? virtualClock(time, seededRandom(1)),
  }
  return openRepository(ports, { parallel: 3, rotationGrace: 60_000, ...options.limits })
}

export function virtualClock(time: VirtualTime, random: () => number, skew = 0): Clock {
  const now = () => time.now + skew
  const bytes = (size: number) => Uint8Array.from({ length: size }, () => Math.floor(random() * 256))
  return {
    now: () => new Date(now()),
    newId: uuidV7Source(now, bytes),
    async sleep(milliseconds) {
      time.now += milliseconds
    },
  }
}

/** Numbers from 0 up to 1 that look random and follow from the seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
