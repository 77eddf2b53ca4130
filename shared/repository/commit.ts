import { canonicalBytes, compareCodePoints } from '../tuf/canonical.ts'
import {
  formatExpires,
  type Metadata,
  type Snapshot,
  specVersion,
  type Targets,
  type Timestamp,
} from '../tuf/metadata.ts'
import { assemble, lengthAndHashes, type Signed } from '../tuf/signed.ts'
import { verifyThreshold } from '../tuf/threshold.ts'
import { type Current, keysOfRole } from './current.ts'
import { encodeDocument, schemaVersion, sha256 } from './documents.ts'
import type { Draft } from './draft.ts'
import { RepositoryError } from './errors.ts'
import { type Entry, encodeEntry, entryName, lastClaimed, type StateName, stateObjectName } from './journal.ts'
import type { Lease } from './lease.ts'
import { inParallel } from './parallel.ts'
import { type Signer, StoreError, type Tag } from './ports.ts'
import { cacheRole, type Repository } from './repository.ts'
import { previousRootOf } from './rotation.ts'
import { expirationOf } from './settings.ts'
import type { SigningGroup } from './signing.ts'
import type { DecidedTask } from './task.ts'

/** What a commit builds on: the current state, or the sealed bootstrap (number 0) before there is any. */
export interface Base {
  readonly number: number
  readonly sha256: string
  readonly current?: Current
}

export const baseOf = (current: Current): Base => ({ number: current.entry.number, sha256: current.sha256, current })

/** What one commit did. */
export interface Published {
  readonly commit: number
  /** SHA-256 of the journal's newest entry: who notes it down can tell later whether history was edited. */
  readonly head: string
  readonly tasks: readonly DecidedTask[]
  /** How many roles were signed because they were half spent. */
  readonly refreshed: number
  /** What was thrown by the operations of tasks that ended as FAILURE, by task. */
  readonly broken: ReadonlyMap<string, unknown>
}

/** Somebody else committed on the same base, or this cycle slept past its lease: begin again from what is current. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken'
}

/**
 * Makes a draft the current state: claims a number by its journal entry, creates every file under that number, and
 * replaces `timestamp.json`, which is the moment at which all of it becomes visible. The only writer of metadata.
 * Throws Overtaken with nothing visible; leftovers under the claimed number are never cleaned up by their writer.
 */
export async function commit(
  repository: Repository,
  base: Base,
  draft: Draft,
  tasks: readonly DecidedTask[],
  lease: Lease,
): Promise<Current> {
  const { metadata, clock } = repository.ports
  if (lease.isOver()) throw new Overtaken('The lease was over before the commit began.')
  const now = clock.now()
  const { entry, sha256: entryHash } = await claim(repository, base, draft, tasks, now)
  const { number } = entry
  const sign = signer(repository, draft, now)

  const writeRoles = inParallel([...draft.toSign], repository.limits.parallel, async (role) => {
    await lease.renew()
    const content = draft.roles.get(role)
    if (content === undefined) throw new Error(`Role ${role} was not loaded into the draft.`)
    const signed = await sign<Targets>(role, { ...content, version: number })
    await metadata.create(`${number}.${role}.json`, signed.bytes)
    return [role, signed] as const
  })
  const writeSnapshot = async () => {
    if (base.current !== undefined && !snapshotChanges(draft)) return base.current.snapshot
    const signed = await sign<Snapshot>('snapshot', snapshotOf(base.current?.snapshot.signed, draft, number))
    await metadata.create(`${number}.snapshot.json`, signed.bytes)
    return signed
  }
  const [roles, snapshot] = await Promise.all([writeRoles, writeSnapshot(), writeState(repository, draft, number)])

  const timestamp = await sign<Timestamp>('timestamp', {
    _type: 'timestamp',
    spec_version: specVersion,
    version: number,
    expires: '',
    meta: new Map([['snapshot.json', { version: snapshot.signed.version, ...lengthAndHashes(snapshot.bytes) }]]),
  })
  if (lease.isOver()) throw new Overtaken('The lease was over before the commit point.')
  const timestampTag = await swap(repository, base, timestamp.bytes)

  for (const [role, signed] of roles)
    if (role !== 'targets') cacheRole(repository.cache, `${number}.${role}.json`, signed)
  repository.cache.commitTimes.set(number, now)
  const targets = new Map(roles).get('targets') ?? base.current?.targets
  if (targets === undefined) throw new Error('The first commit signs targets.')
  const { root, settings, parked, signing, rotation } = draft
  const current: Current = {
    ...{ timestampTag, timestamp, snapshot, targets, entry, sha256: entryHash },
    ...{ root, settings, parked, signing, rotation },
  }
  repository.cache.current = current
  return current
}

/** Creates the journal entry, and with it claims its number. Throws Overtaken if the base is not current any more. */
async function claim(repository: Repository, base: Base, draft: Draft, tasks: readonly DecidedTask[], now: Date) {
  const { state, metadata, clock } = repository.ports
  const nonce = clock.newId()
  for (let number = base.number + 1; ; number = (await lastClaimed(state, number)) + 1) {
    const entry: Entry = {
      schema: schemaVersion,
      number,
      base: { number: base.number, sha256: base.sha256 },
      nonce,
      time: now.toISOString(),
      tasks,
      changes: [...draft.changes.values()],
      ...filesOf(base, draft, number),
      state: stateVersions(base, draft, number),
    }
    const bytes = encodeEntry(entry)
    try {
      await state.create(entryName(number), bytes)
      return { entry, sha256: sha256(bytes) }
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'exists')) throw error
      const stored = await metadata.read('timestamp.json')
      if (stored?.tag !== base.current?.timestampTag)
        throw new Overtaken(`Commit ${number} was made by another publisher.`)
    }
  }
}

const snapshotChanges = (draft: Draft) => draft.toSign.size > 0 || draft.signSnapshot

function filesOf({ current }: Base, draft: Draft, number: number): Pick<Entry, 'creates' | 'supersedes'> {
  const snapshot = current?.snapshot.signed
  const signed = [...draft.toSign].map((role) => ({ role, old: snapshot?.meta.get(`${role}.json`)?.version }))
  if (snapshotChanges(draft)) signed.push({ role: 'snapshot', old: snapshot?.version })
  return {
    creates: signed.map(({ role }) => `${number}.${role}.json`),
    supersedes: signed.flatMap(({ role, old }) => (old === undefined ? [] : [`${old}.${role}.json`])),
  }
}

function stateVersions({ current }: Base, draft: Draft, number: number): Entry['state'] {
  const version = (name: StateName) => (draft.decides.has(name) ? number : (current?.entry.state[name] ?? 0))
  return {
    root: version('root'),
    settings: version('settings'),
    parked: version('parked'),
    signing: version('signing'),
    rotation: version('rotation'),
  }
}

async function writeState({ ports }: Repository, draft: Draft, number: number): Promise<void> {
  const bytes = (name: StateName) => (name === 'root' ? draft.root.bytes : encodeDocument(draft[name]))
  await Promise.all([...draft.decides].map((name) => ports.state.create(stateObjectName(number, name), bytes(name))))
}

function snapshotOf(base: Snapshot | undefined, draft: Draft, number: number): Snapshot {
  const meta = new Map(base?.meta)
  const files = [...draft.toSign].map((role) => `${role}.json`)
  // In canonical order from the first on, and kept so: an entry that is replaced stays where it is.
  for (const file of base === undefined ? files.sort(compareCodePoints) : files) meta.set(file, { version: number })
  return { ...(base ?? { _type: 'snapshot', spec_version: specVersion, expires: '' }), version: number, meta }
}

/** Replaces `timestamp.json`, or for the first commit creates it: the commit point. */
async function swap({ ports }: Repository, base: Base, bytes: Uint8Array): Promise<Tag> {
  try {
    if (base.current === undefined) return await ports.metadata.create('timestamp.json', bytes)
    return await ports.metadata.replace('timestamp.json', bytes, base.current.timestampTag)
  } catch (error) {
    if (error instanceof StoreError && (error.code === 'changed' || error.code === 'exists')) {
      throw new Overtaken('Another publisher committed first.')
    }
    throw error
  }
}

/** How long the bytes of a role may be to be remembered: an empty hash bin's are. */
const shortBytes = 1024

/**
 * A function that dates and signs a role of this draft, checks its own work against the role's keys and threshold, and
 * signs equal bytes only once.
 */
function signer({ ports }: Repository, draft: Draft, now: Date) {
  const delegations = draft.roles.get('targets')?.delegations
  const previousRoot = previousRootOf(draft.rotation)
  const remembered = new Map<string, Promise<Signed>>()

  /** While online keys change, a top-level role is signed as both roots ask. */
  const groupsFor = (role: string): SigningGroup[] => {
    const group = keysOfRole(role, draft.root.signed, delegations)
    if (group === undefined) throw new RepositoryError('corrupt', `Nothing delegates to role ${role}.`)
    if (previousRoot === undefined || group.keys !== draft.root.signed.keys) return [group]
    const previous = keysOfRole(role, previousRoot, undefined)
    const held = previous !== undefined && signersFor(previous, ports.signers).length >= previous.roleKeys.threshold
    // Of a key that is in the wrong hands already, the service may have been relieved.
    return previous === undefined || (draft.rotation.compromised && !held) ? [group] : [group, previous]
  }

  return async <Role extends Metadata>(role: string, metadata: Role): Promise<Signed<Role>> => {
    const groups = groupsFor(role)
    const days = expirationOf(draft.settings, role)
    const dated = { ...metadata, expires: formatExpires(new Date(now.getTime() + days * 24 * 60 * 60 * 1000)) }
    const bytes = canonicalBytes(dated)
    if (bytes.length > shortBytes) return signBytes(role, dated, bytes, groups, ports.signers)
    const memory = `${JSON.stringify(groups.map(({ roleKeys }) => roleKeys))}${bytes}`
    const signed = remembered.get(memory) ?? signBytes<Metadata>(role, dated, bytes, groups, ports.signers)
    remembered.set(memory, signed)
    return (await signed) as Signed<Role>
  }
}

function signersFor({ roleKeys }: SigningGroup, signers: readonly Signer[]): Signer[] {
  return signers.filter(({ keyid }) => roleKeys.keyids.includes(keyid)).slice(0, roleKeys.threshold)
}

async function signBytes<Role extends Metadata>(
  role: string,
  signed: Role,
  bytes: Uint8Array,
  groups: readonly SigningGroup[],
  signers: readonly Signer[],
): Promise<Signed<Role>> {
  const chosen = new Set<Signer>()
  for (const group of groups) {
    const { keyids, threshold } = group.roleKeys
    const able = signersFor(group, signers)
    if (able.length < threshold) {
      throw new RepositoryError(
        'key-not-held',
        `Role ${role} needs ${threshold} of the keys ${keyids.join(', ')}; this service holds ${able.length}.`,
      )
    }
    for (const one of able) chosen.add(one)
  }
  const signatures = await Promise.all(
    [...chosen].map(async (one) => ({ keyid: one.keyid, sig: await one.sign(bytes) })),
  )
  const assembled = assemble(signed, bytes, signatures)
  for (const { roleKeys, keys } of groups) verifyThreshold(`What was signed as ${role}`, roleKeys, keys, assembled)
  return assembled
}
