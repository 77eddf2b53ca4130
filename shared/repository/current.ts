import { type Root, type Snapshot, type Targets, type Timestamp, versionOf } from '../tuf/metadata.ts'
import { carryTargets, decodeSigned, type Signed } from '../tuf/signed.ts'
import { verifyThreshold } from '../tuf/threshold.ts'
import { type Document, decodeDocument, sha256 } from './documents.ts'
import { mending, RepositoryError } from './errors.ts'
import { type Entry, isAsDecided, readEntry, type StateName, stateObjectName } from './journal.ts'
import { nothingParked } from './parked.ts'
import type { Tag } from './ports.ts'
import { type Current, cachedRole, cacheRole, type Repository, type RoleRead } from './repository.ts'
import { noRotation } from './rotation.ts'
import { delegatorsOf, type Settings } from './settings.ts'
import { isComplete, nothingPending, type SigningGroup } from './signing.ts'
import { signersOf, type Tree, treeOf } from './tree.ts'

export type { Current }

/**
 * The repository as clients see it now, or nothing before there is a `timestamp.json`. Warm, it costs one read.
 * Throws RepositoryError 'corrupt' if what is stored does not hang together.
 */
export async function readCurrent(repository: Repository): Promise<Current | undefined> {
  const { metadata } = repository.ports
  // Another publisher's commit may supersede files while they are read; each try starts from what is current then.
  for (let tries = 1; ; tries++) {
    const stored = await metadata.read('timestamp.json')
    if (stored === undefined) return undefined
    const known = repository.cache.current
    if (known?.timestampTag === stored.tag) return known
    const { upcoming } = repository.cache
    if (upcoming !== undefined && Buffer.compare(upcoming.timestamp.bytes, stored.bytes) === 0) {
      repository.cache.current = { ...upcoming, timestampTag: stored.tag }
      return repository.cache.current
    }
    try {
      const current = await load(repository, stored.bytes, stored.tag)
      repository.cache.current = current
      return current
    } catch (error) {
      const now = await metadata.read('timestamp.json')
      if (now?.tag === stored.tag || tries === 10) throw error
    }
  }
}

/**
 * True once clients can read it, and from then on: that costs one read in the life of a process. Throws RepositoryError
 * 'corrupt'.
 */
export async function isFounded({ ports, cache }: Repository): Promise<boolean> {
  if (cache.isFounded || cache.current !== undefined) return true
  const stored = await ports.metadata.read('timestamp.json')
  if (stored === undefined) return false
  understand('timestamp.json', () => decodeSigned('timestamp', stored.bytes))
  cache.isFounded = true
  return true
}

async function load(repository: Repository, bytes: Uint8Array, timestampTag: Tag): Promise<Current> {
  const { state } = repository.ports
  const timestamp = understand('timestamp.json', () => decodeSigned('timestamp', bytes))
  const stored = await readEntry(state, timestamp.signed.version)
  const reading = readState(repository, stored.entry, 'root', (_, part) => decodeSigned('root', part))
  const [root, settings, parked, signing, rotation, snapshot] = await Promise.all([
    reading,
    readState(repository, stored.entry, 'settings', decodeDocument<Settings>),
    readDecided(repository, stored.entry, 'parked', nothingParked),
    readDecided(repository, stored.entry, 'signing', nothingPending),
    readDecided(repository, stored.entry, 'rotation', noRotation),
    readSnapshot(repository, timestamp.signed, reading),
  ])
  const { keys, roles } = root.signed
  understand('timestamp.json', () => verifyThreshold('timestamp.json', roles.timestamp, keys, timestamp))
  understand('snapshot', () => verifyThreshold('snapshot', roles.snapshot, keys, snapshot))
  const targetsVersion = versionOf(snapshot.signed, 'targets') ?? 0
  const targetsFile = `${targetsVersion}.targets.json`
  const targets = await readPart(repository, 'metadata', targetsFile, (part) => decodeTargets(part, targetsVersion))
  understand(targetsFile, () => verifyThreshold(targetsFile, roles.targets, keys, targets))
  const top = { root, snapshot, settings, delegators: new Map([['targets', targets]]) }
  // One after the other: each is verified by what delegates to it.
  for (const role of delegatorsOf(settings)) {
    const delegator = await readRole(repository, top, role)
    top.delegators.set(role, delegator)
  }
  return { ...stored, ...top, timestampTag, timestamp, targets, parked, signing, rotation }
}

/** A piece of private state as it is current for a commit. */
function readState<Part>(
  repository: Repository,
  entry: Entry,
  name: StateName,
  decode: (object: string, bytes: Uint8Array) => Part,
): Promise<Part> {
  const object = stateObjectName(entry.state[name], name)
  return readPart(repository, 'state', object, (bytes) => {
    if (!isAsDecided(entry, name, bytes)) throw new Error(`its hash is not the one that commit ${entry.number} names`)
    return decode(object, bytes)
  })
}

/** The same, and `initial` while no commit has decided it. */
async function readDecided<Kind extends Document>(
  repository: Repository,
  entry: Entry,
  name: StateName,
  initial: Kind,
): Promise<Kind> {
  return entry.state[name] === 0 ? initial : readState(repository, entry, name, decodeDocument<Kind>)
}

async function readSnapshot(
  repository: Repository,
  timestamp: Timestamp,
  reading: Promise<Signed<Root>>,
): Promise<Signed<Snapshot>> {
  const meta = timestamp.meta.get('snapshot.json')
  const file = `${meta?.version}.snapshot.json`
  const [bytes, root] = await Promise.all([readBytes(repository, 'metadata', file), reading])
  const { roles, keys } = root.signed
  return understand(file, () => {
    const expected = meta?.hashes?.['sha256']
    if (expected !== undefined && sha256(bytes) !== expected)
      throw new Error('its hash is not the one that timestamp.json names')
    return decodeSigned('snapshot', bytes, (signed) => isComplete(signed, [{ roleKeys: roles.snapshot, keys }]))
  })
}

/** The metadata of a delegated role as the snapshot has it. Verified when it is read, not when it comes from memory. */
export async function readRole(
  repository: Repository,
  current: Pick<Current, 'root' | 'snapshot' | 'settings' | 'delegators'>,
  role: string,
): Promise<Signed<Targets>> {
  const delegator = current.delegators.get(role)
  if (delegator !== undefined) return delegator
  const version = versionOf(current.snapshot.signed, role)
  if (version === undefined) throw corrupt(`${role}.json`, 'the snapshot does not name it')
  const file = `${version}.${role}.json`
  const known = cachedRole(repository.cache, file)
  if (known !== undefined) return known
  const signers = signersOf(treeOfCurrent(current), role)
  if (signers === undefined) throw corrupt(file, 'no role delegates to it')
  const metadata = await readPart(repository, 'metadata', file, (part) => {
    const before = repository.cache.lastRead
    if (before !== undefined && isAlike(before, part, signers) && before.metadata.signed.version === version)
      return before.metadata
    const decoded = decodeTargets(part, version)
    verifyThreshold(file, signers.roleKeys, signers.keys, decoded)
    repository.cache.lastRead = { metadata: decoded, signers }
    return decoded
  })
  cacheRole(repository, file, metadata)
  return metadata
}

/** Hash bins that hold nothing are all alike: who has verified one has verified all. */
function isAlike({ metadata, signers }: RoleRead, bytes: Uint8Array, { roleKeys, keys }: SigningGroup): boolean {
  const { keyids, threshold } = signers.roleKeys
  return (
    signers.keys === keys &&
    threshold === roleKeys.threshold &&
    keyids.length === roleKeys.keyids.length &&
    keyids.every((id, at) => id === roleKeys.keyids[at]) &&
    Buffer.compare(metadata.bytes, bytes) === 0
  )
}

/**
 * The content of a role that is signed again as it is: its targets are read only if somebody looks at them, or if the file is not
 * laid out as ours are. That its bytes are what was signed is verified all the same.
 */
export async function readToCarry(
  repository: Repository,
  current: Pick<Current, 'root' | 'snapshot' | 'settings' | 'delegators'>,
  role: string,
): Promise<Targets> {
  const version = versionOf(current.snapshot.signed, role)
  const stored = await repository.ports.metadata.read(`${version}.${role}.json`)
  const carried = stored && carryTargets(stored.bytes)
  const signers = signersOf(treeOfCurrent(current), role)
  const isGood =
    carried !== undefined &&
    signers !== undefined &&
    carried.signed.version === version &&
    isComplete(carried, [signers])
  // What is wrong, if anything is, is for those who read all of it to say.
  return isGood ? carried.signed : (await readRole(repository, current, role)).signed
}

/** An older version under this name would be as well signed, and what was published since would be lost. */
function decodeTargets(bytes: Uint8Array, version: number): Signed<Targets> {
  const decoded = decodeSigned('targets', bytes)
  if (decoded.signed.version !== version) throw new Error(`it says that it is version ${decoded.signed.version}.`)
  return decoded
}

export function treeOfCurrent({ root, settings, delegators }: Pick<Current, 'root' | 'settings' | 'delegators'>): Tree {
  return treeOf(root.signed, settings, (role) => delegators.get(role)?.signed)
}

async function readPart<Part>(
  repository: Repository,
  store: 'metadata' | 'state',
  name: string,
  decode: (bytes: Uint8Array) => Part,
): Promise<Part> {
  const bytes = await readBytes(repository, store, name)
  return understand(name, () => decode(bytes))
}

async function readBytes({ ports }: Repository, store: 'metadata' | 'state', name: string): Promise<Uint8Array> {
  const stored = await ports[store].read(name)
  if (stored === undefined) throw corrupt(name, 'it is missing')
  return stored.bytes
}

function understand<Part>(name: string, decode: () => Part): Part {
  try {
    return decode()
  } catch (cause) {
    // It says already what is wrong, and how to mend it.
    if (cause instanceof RepositoryError) throw cause
    throw corrupt(name, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

function corrupt(name: string, why: string, cause?: unknown): RepositoryError {
  return new RepositoryError(
    'corrupt',
    `${name} is not what was published: ${why.replace(/\.?$/, '.')} Nothing is published over it. ${mending}`,
    { cause },
  )
}
