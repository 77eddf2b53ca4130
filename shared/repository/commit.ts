import { type MetaFile, type Snapshot, specVersion, type Targets, type Timestamp, versionOf } from '../tuf/metadata.ts'
import { OrderedMap } from '../tuf/ordered-map.ts'
import { lengthAndHashes, type Signed } from '../tuf/signed.ts'
import type { Current } from './current.ts'
import { encodeDocument, schemaVersion, sha256 } from './documents.ts'
import { type Draft, roleOf } from './draft.ts'
import {
  type Entry,
  earlierOf,
  encodeEntry,
  entryName,
  lastClaimed,
  type StateName,
  stateObjectName,
} from './journal.ts'
import type { Lease } from './lease.ts'
import { inParallel } from './parallel.ts'
import { createUnlessTaken, StoreError, type Tag } from './ports.ts'
import { cacheCommitTime, cacheRole, type Repository, type Upcoming, uncacheRole } from './repository.ts'
import { delegatorsOf } from './settings.ts'
import { signer, writeSignedElsewhere } from './sign.ts'
import { numbered } from './signing.ts'
import { rolesNearCaps } from './size-caps.ts'
import type { DecidedTask } from './task.ts'

/** What a commit builds on: the current state, or the sealed bootstrap (number 0) before there is any. */
export interface Base {
  readonly number: number
  readonly sha256: string
  readonly current?: Current
  /** The `timestamp.json` that the commit replaces; absent: there is none. */
  readonly timestampTag?: Tag
  /** The number of the commit has to be above this one; absent: above the base's. */
  readonly above?: number
}

export function baseOf(current: Current): Base {
  const { entry, sha256, timestampTag } = current
  return { number: entry.number, sha256, current, timestampTag }
}

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
  /** It took over what was signed ahead for its one task. */
  readonly ahead: boolean
  /** A task that waits until its roles are signed ahead: see `prepare.ts`. */
  readonly unprepared?: string
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
  const { entry, sha256: entryHash, signing, decided } = await claim(repository, base, draft, tasks, now)
  const { number } = entry
  const checks: Promise<void>[] = []
  const sign = signer(repository, draft, now, checks)

  const writeRoles = inParallel([...draft.toSign], repository.limits.parallel, async (role) => {
    await lease.renew()
    const signed = await sign<Targets>(role, { ...roleOf(draft, role), version: number })
    await metadata.create(`${number}.${role}.json`, signed.bytes)
    return [role, signed] as const
  })
  const signTimestamp = ({ bytes, signed: { version } }: Signed<Snapshot>) =>
    sign<Timestamp>('timestamp', {
      _type: 'timestamp',
      spec_version: specVersion,
      version: number,
      expires: '',
      meta: new Map([['snapshot.json', { version, ...lengthAndHashes(bytes) }]]),
    })
  const writeSnapshot = async () => {
    if (base.current !== undefined && !snapshotChanges(draft)) {
      const { snapshot } = base.current
      return { snapshot, timestamp: await signTimestamp(snapshot) }
    }
    const snapshot = await sign<Snapshot>('snapshot', snapshotOf(base.current?.snapshot.signed, draft, number))
    const creating = metadata.create(`${number}.snapshot.json`, snapshot.bytes)
    // While it is written: to hash a long one takes about as long.
    const [timestamp] = await Promise.all([signTimestamp(snapshot), creating])
    return { snapshot, timestamp }
  }
  const [roles, { snapshot, timestamp }, offline] = await Promise.all([
    writeRoles,
    writeSnapshot(),
    writeSignedElsewhere(repository, draft),
    Promise.all(
      [...decided].map(([name, bytes]) => repository.ports.state.create(stateObjectName(number, name), bytes)),
    ),
  ])
  await Promise.all(checks)

  const written = new Map([...offline, ...roles])
  for (const [role, signed] of written)
    if (role !== 'targets') cacheRole(repository, `${signed.signed.version}.${role}.json`, signed)
  for (const file of entry.supersedes) uncacheRole(repository.cache, file)
  cacheCommitTime(repository.cache, number, now)
  // What was signed elsewhere may be due at any time.
  if (draft.signed.size > 0) delete repository.cache.nextDue
  const delegators = delegatorsAfter(base, draft, written)
  const targets = delegators.get('targets')
  if (targets === undefined) throw new Error('The first commit signs targets.')
  const { root, settings, parked, rotation } = draft
  const upcoming: Upcoming = {
    ...{ timestamp, snapshot, targets, delegators, entry, sha256: entryHash },
    ...{ root, settings, parked, signing, rotation },
  }
  if (lease.isOver()) throw new Overtaken('The lease was over before the commit point.')
  // Before it is visible, for many may ask for it at that moment.
  repository.cache.upcoming = upcoming
  const current = { ...upcoming, timestampTag: await swap(repository, base, timestamp.bytes) }
  repository.cache.current = current
  return current
}

/** Creates the journal entry, and with it claims its number. Throws Overtaken if the base is not current any more. */
async function claim(repository: Repository, base: Base, draft: Draft, tasks: readonly DecidedTask[], now: Date) {
  const { state, metadata, clock } = repository.ports
  const nonce = clock.newId()
  const nearCaps = rolesNearCaps(draft, base.current?.entry.nearCaps)
  // Those that were claimed ahead of it are taken.
  const above = Math.max(base.above ?? base.number, ...(draft.prepared?.claimed ?? []))
  const before = base.current?.entry
  const ahead = before?.prepared === undefined ? before?.ahead : before.number
  for (let number = above + 1; ; number = (await lastClaimed(state, number)) + 1) {
    const signing = numbered(draft.signing, draft.waiting, number)
    const decided = encodeState({ ...draft, signing })
    const link = { number: base.number, sha256: base.sha256 }
    const earlier = earlierOf(number, link, before)
    const entry: Entry = {
      schema: schemaVersion,
      number,
      base: link,
      ...(earlier && { earlier }),
      nonce,
      time: now.toISOString(),
      tasks,
      changes: [...draft.changes.values()],
      ...filesOf(base, draft, number),
      state: stateVersions(base, draft, number),
      stateSha256: { ...before?.stateSha256, ...hashesOf(decided) },
      ...(nearCaps && { nearCaps }),
      ...(draft.imported && { imported: draft.imported }),
      ...(draft.listed && { listed: draft.listed }),
      ...(draft.prepared && { prepared: draft.prepared }),
      ...(ahead !== undefined && { ahead }),
    }
    const bytes = encodeEntry(entry)
    if (await createUnlessTaken(state, entryName(number), bytes))
      return { entry, sha256: sha256(bytes), signing, decided }
    const stored = await metadata.read('timestamp.json')
    if (stored?.tag !== base.timestampTag) throw new Overtaken(`Commit ${number} was made by another publisher.`)
  }
}

const snapshotChanges = ({ toSign, signed, takenOver, signSnapshot }: Draft) =>
  toSign.size > 0 || signed.size > 0 || takenOver.size > 0 || signSnapshot

function delegatorsAfter({ current }: Base, draft: Draft, written: ReadonlyMap<string, Signed<Targets>>) {
  const delegators = new Map<string, Signed<Targets>>()
  for (const role of delegatorsOf(draft.settings)) {
    const delegator = written.get(role) ?? current?.delegators.get(role)
    if (delegator !== undefined) delegators.set(role, delegator)
  }
  return delegators
}

/**
 * What is created under this number; files that were signed offline have numbers of their own, and the commit after an
 * aborted one may find them written already.
 */
function filesOf({ current }: Base, draft: Draft, number: number): Pick<Entry, 'creates' | 'supersedes'> {
  const snapshot = current?.snapshot.signed
  const withSnapshot = snapshotChanges(draft) ? ['snapshot'] : []
  return {
    creates: [
      ...[...draft.toSign, ...withSnapshot].map((role) => `${number}.${role}.json`),
      ...[...draft.takenOver].map(([role, version]) => `${version}.${role}.json`),
    ],
    supersedes: [...draft.toSign, ...draft.signed.keys(), ...draft.takenOver.keys(), ...withSnapshot].flatMap(
      (role) => {
        const version = snapshot && versionOf(snapshot, role)
        return version === undefined ? [] : [`${version}.${role}.json`]
      },
    ),
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

/** The pieces of private state that this draft decides. */
function encodeState(draft: Draft): ReadonlyMap<StateName, Uint8Array> {
  const bytes = (name: StateName) => (name === 'root' ? draft.root.bytes : encodeDocument(draft[name]))
  return new Map([...draft.decides].map((name) => [name, bytes(name)]))
}

const hashesOf = (pieces: ReadonlyMap<StateName, Uint8Array>): Entry['stateSha256'] =>
  Object.fromEntries([...pieces].map(([name, bytes]) => [name, sha256(bytes)]))

function snapshotOf(base: Snapshot | undefined, draft: Draft, number: number): Snapshot {
  const versions = new Map<string, MetaFile>([
    ...[...draft.toSign].map((role) => [`${role}.json`, { version: number }] as const),
    ...[...draft.signed].map(([role, { signed }]) => [`${role}.json`, { version: signed.version }] as const),
    ...[...draft.takenOver].map(([role, version]) => [`${role}.json`, { version }] as const),
  ])
  const meta = OrderedMap.of(base?.meta ?? new Map()).with(versions)
  return { ...(base ?? { _type: 'snapshot', spec_version: specVersion, expires: '' }), version: number, meta }
}

/** Replaces `timestamp.json`, or for the first commit creates it: the commit point. */
async function swap({ ports }: Repository, base: Base, bytes: Uint8Array): Promise<Tag> {
  try {
    if (base.timestampTag === undefined) return await ports.metadata.create('timestamp.json', bytes)
    return await ports.metadata.replace('timestamp.json', bytes, base.timestampTag)
  } catch (error) {
    if (error instanceof StoreError && (error.code === 'changed' || error.code === 'exists')) {
      throw new Overtaken('Another publisher committed first.')
    }
    throw error
  }
}
