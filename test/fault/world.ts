import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { uuidV7Source } from '../../shared/adapters/local/uuid-v7.ts'
import type { Clock, ObjectStore, Ports, Queue, Signer } from '../../shared/repository/ports.ts'
import { type Limits, openRepository, type Repository } from '../../shared/repository/repository.ts'
import type {
  AddArtifactsRequest,
  BootstrapRequest,
  CustomRole,
  ImportArtifactsRequest,
  MetadataDelegationRequest,
  SignMetadataRequest,
  TaskRequest,
} from '../../shared/repository/task.ts'
import type { BinDelegation } from '../../shared/tuf/bins.ts'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import { type Json, parseJson } from '../../shared/tuf/json.ts'
import { keyFromPublicKey, keyid } from '../../shared/tuf/keys.ts'
import { type Root, specVersion, type Targets } from '../../shared/tuf/metadata.ts'
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

/** Sign for roles offline: the first alone for `vault`, and beside the service for `shared`; two of them for the others. */
export const holderKeys = [fixedKey('holder'), fixedKey('holder 2'), fixedKey('holder 3')] as const
const [holder] = holderKeys
/** Has a key, and may sign nothing. */
export const stranger = fixedKey('stranger')

/** Who signs targets: the service, or two of these holders. */
export type TargetsKeys = 'online' | 'of three holders' | 'of two holders'

/** Those of whom two sign. */
export type Holders = Exclude<TargetsKeys, 'online'>
export const keysOf = (holders: Holders) => (holders === 'of two holders' ? holderKeys.slice(0, 2) : holderKeys)

/** `vault` has hash bins inside it, which the service signs. */
export type RoleOfWorld = 'shared' | 'team' | 'vault'
/** Nobody but holders signs these: targets in some worlds. */
export type HeldRole = Exclude<RoleOfWorld, 'shared'> | 'targets'
export const rolesOfWorld: Readonly<Record<RoleOfWorld, CustomRole>> = {
  shared: { ...heldBy(onlineKeys[0], holder), name: roleName('shared'), paths: ['c/*'] },
  team: { ...heldBy(...holderKeys), threshold: 2, name: roleName('team'), paths: ['t/*'] },
  vault: {
    ...{ ...heldBy(holder), name: roleName('vault'), paths: ['v/*'] },
    bins: { delegation: 'succinct_roles', number: 2 },
  },
}

function heldBy(...keys: readonly TestKey[]) {
  return { terminating: false, threshold: 1, keyids: keys.map(({ keyid }) => keyid) }
}

/** What a holder's signature was made for, by its hash. */
export const contentSigned = new Map<string, string>()
export const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export const signers: readonly Signer[] = onlineKeys.map(({ key, keyid, sign }) => ({
  key,
  keyid,
  sign: async (bytes) => sign(bytes),
}))

/** Which of the root keys have signed, which online key it names, and who signs targets. */
interface RootShape {
  readonly version: number
  readonly signedBy: readonly (0 | 1)[]
  readonly online: 0 | 1
  readonly targets?: TargetsKeys
}

const rootExpires = new Date('2039-01-01T00:00:00Z')
const holdersOfRoot = { root: rootKeys, threshold: 2, expires: rootExpires } as const

function unsignedRoot({ version, online, targets = 'online' }: Omit<RootShape, 'signedBy'>): Root {
  const root = makeRoot({ ...holdersOfRoot, version, online: [onlineKeys[online]] })
  if (targets === 'online') return root
  const holders = keysOf(targets)
  const roleKeys = { keyids: holders.map(({ keyid }) => keyid), threshold: 2 }
  const allKeys = new Map([...root.keys, ...holders.map(({ keyid, key }) => [keyid, key] as const)])
  return { ...root, keys: allKeys, roles: { ...root.roles, targets: roleKeys } }
}

function rootFile(shape: RootShape): Json {
  const signedBy = shape.signedBy.map((index) => rootKeys[index])
  return parseJson(signRole(unsignedRoot(shape), signedBy).bytes)
}

/** What is uploaded before an import is submitted, by the object that it becomes. */
export const bulkFiles = new Map<string, Uint8Array>()

/** What tasks may ask in a world: one maker for each kind, small ones, of which many are easily made. */
export const make = {
  bootstrap: (
    signedBy: RootShape['signedBy'] = [0, 1],
    targets: TargetsKeys = 'online',
    delegation: BinDelegation = 'succinct_roles',
  ): BootstrapRequest => ({
    kind: 'bootstrap',
    root: rootFile({ version: 1, signedBy, online: 0, targets }),
    expiration: { root: 365, targets: 90, snapshot: 7, timestamp: 1, bins: 30 },
    delegations: { delegation, number: 2 },
  }),
  /** The same with the roots of a repository whose online key was another. */
  move: (signedBy: RootShape['signedBy'] = [0, 1], delegation?: BinDelegation): BootstrapRequest => {
    const before = [1, 2].map((version) => makeRoot({ ...holdersOfRoot, version, online: [stranger] }))
    return {
      ...make.bootstrap(signedBy, 'online', delegation),
      root: rootFile({ version: 3, signedBy, online: 0 }),
      predecessor: { roots: before.map((root) => `${signRole(root, rootKeys).bytes}\n`), highestVersion: 57 },
    }
  },
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
  signature: (by: 0 | 1, shape: Omit<RootShape, 'signedBy'>): SignMetadataRequest => ({
    kind: 'sign_metadata',
    role: 'root',
    signature: signatureBy(rootKeys[by], signRole(unsignedRoot(shape), []).signedBytes),
  }),
  revert: (commit: number): TaskRequest => ({ kind: 'revert', commit }),
  cancel: (role: 'root' | HeldRole = 'root'): TaskRequest => ({ kind: 'delete_sign_metadata', role }),
  delegate: (action: 'add' | 'update', name: RoleOfWorld, removeArtifacts = false): MetadataDelegationRequest => ({
    kind: 'metadata_delegation',
    action,
    keys: Object.fromEntries([onlineKeys[0], ...holderKeys].map(({ keyid, key }) => [keyid, key])),
    roles: [action === 'update' ? withoutBins(rolesOfWorld[name]) : rolesOfWorld[name]],
    removeArtifacts,
  }),
  /** Two of these sign `team` from now on. */
  teamKeys: (holders: Holders): TaskRequest => {
    const keyids = keysOf(holders).map(({ keyid }) => keyid)
    return { ...make.delegate('update', 'team'), roles: [{ ...rolesOfWorld.team, keyids }] } as TaskRequest
  },
  /** None: what the service signs below held roles gets the online key. */
  renew: (names: readonly string[]): TaskRequest => ({ kind: 'metadata_delegation', action: 'renew', names }),
  undelegate: (name: RoleOfWorld): TaskRequest => ({
    kind: 'metadata_delegation',
    action: 'delete',
    names: [roleName(name)],
  }),
  /** A signature for what waits of a role. */
  heldSignature: (role: HeldRole, by: TestKey, { signedBytes }: Signed<Targets>): SignMetadataRequest => {
    const signature = signatureBy(by, signedBytes)
    contentSigned.set(signature.sig, hashOf(signedBytes))
    return { kind: 'sign_metadata', role, signature }
  },
  upload: (
    name: 'shared' | 'team',
    version: number,
    length: number,
    signedBy = holderKeys.slice(0, 2),
  ): TaskRequest => {
    const path = name === 'team' ? 't/x' : 'c/d'
    const targets = new Map([[path, { length, hashes: { sha256: 'ab'.repeat(32) } }]])
    const expires = formatExpires(rootExpires)
    const role: Targets = { _type: 'targets', spec_version: specVersion, version, expires, targets }
    const metadata = parseJson(signRole(role, name === 'team' ? signedBy : signedBy.slice(0, 1)).bytes)
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

/** A fault of the service itself, put between a process and its stores, or its keys. */
export type Mutant = (stores: Stores & Keys, role: Role) => Stores & Partial<Keys>
export type Keys = Pick<Ports, 'signers'>

/** A process of the service: what it knows is its own, what it reads and writes is not. */
export function startProcess(
  outside: Stores & Partial<Pick<Ports, 'signers' | 'hints'>>,
  time: VirtualTime,
  options: { readonly limits?: Partial<Limits>; readonly queue?: Queue; readonly clock?: Clock } = {},
): Repository {
  const ports: Ports = {
    signers,
    ...{ metadata: outside.metadata, state: outside.state },
    ...(outside.signers && { signers: outside.signers }),
    ...(outside.hints && { hints: outside.hints }),
    queue: options.queue ?? { ring: async () => {} },
    clock: options.clock ?? virtualClock(time, seededRandom(1)),
  }
  // No thread that the scheduler does not know of.
  return openRepository(ports, {
    parallel: 3,
    verifiedHere: Number.POSITIVE_INFINITY,
    rotationGrace: 60_000,
    ...options.limits,
  })
}

/** `skew`: how far it is ahead. */
export function virtualClock(time: VirtualTime, random: () => number, skew = () => 0): Clock {
  const now = () => time.now + skew()
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
