import { day } from '../tuf/expiry.ts'
import type { Root, Snapshot, Targets, Timestamp } from '../tuf/metadata.ts'
import type { Signed } from '../tuf/signed.ts'
import type { StoredEntry } from './journal.ts'
import type { Parked } from './parked.ts'
import { persistent } from './persistent-store.ts'
import type { Ports, Stored, Tag } from './ports.ts'
import type { Rotation } from './rotation.ts'
import type { Settings } from './settings.ts'
import type { Signing, SigningGroup } from './signing.ts'

/** What the current `timestamp.json` makes visible, with the journal entry and the private state of its commit. */
export interface Current extends StoredEntry {
  readonly timestampTag: Tag
  readonly timestamp: Signed<Timestamp>
  readonly root: Signed<Root>
  readonly snapshot: Signed<Snapshot>
  readonly targets: Signed<Targets>
  /** Targets, and each role below it that delegates itself. */
  readonly delegators: ReadonlyMap<string, Signed<Targets>>
  readonly settings: Settings
  readonly parked: Parked
  readonly signing: Signing
  readonly rotation: Rotation
}

/** What a commit makes current, before the store has named it. */
export type Upcoming = Omit<Current, 'timestampTag'>

/** A repository over its ports, with what this process has read of it. */
export interface Repository {
  readonly ports: Ports
  readonly limits: Limits
  readonly cache: Cache
}

/** Bounds of one cycle's work, so that it fits into a function's memory and time. */
export interface Limits {
  /** Tasks taken from the inbox at once. */
  readonly tasksPerCycle: number
  /** Bytes of requests taken from the inbox at once; one task is taken however big it is. */
  readonly bytesPerCycle: number
  /** Roles signed again at once because they are half spent; the rest waits for the next run. */
  readonly refreshedPerCycle: number
  /** Writes and signatures under way at once. */
  readonly parallel: number
  /** The same while work is done ahead, beside short commits. */
  readonly preparedAtOnce: number
  /** Up to so many roles in one commit have their signatures verified on the spot; more of them on other threads, at a higher price each. */
  readonly verifiedHere: number
  /** A task that signs so many roles or more has them signed ahead of its commit: see `prepare.ts`. */
  readonly aheadFrom: number
  /** Of these roles up to so many that have changed meanwhile are left to the commit; more of them take another round first. */
  readonly leftToCommit: number
  /** Milliseconds that a publisher, or a preparer, has the work to itself; one that is silent for longer counts as crashed. */
  readonly lease: number
  /** Milliseconds that old online keys go on signing after the root with the new ones became visible. */
  readonly rotationGrace: number
  /** Milliseconds that files stay once a commit that supersedes them is visible: clients may be about to read them. */
  readonly retention: number
  /** Milliseconds from one collection of what is not needed any more to the next. */
  readonly collectEvery: number
  /** Bytes of role files that are kept in memory because they may be asked for again. */
  readonly cachedRoleBytes: number
  /** About how many objects one collection deletes; the rest waits for the next run. */
  readonly collectedPerCycle: number
}

export const defaultLimits: Limits = {
  tasksPerCycle: 1000,
  bytesPerCycle: 32 * 1024 * 1024,
  refreshedPerCycle: 512,
  parallel: 64,
  preparedAtOnce: 16,
  verifiedHere: 4,
  aheadFrom: 512,
  leftToCommit: 64,
  lease: 60_000,
  rotationGrace: 600_000,
  retention: day,
  collectEvery: 60 * 60_000,
  cachedRoleBytes: 8 * 1024 * 1024,
  collectedPerCycle: 20_000,
}

/** A role that was read, and by whose keys it was verified. */
export interface RoleRead {
  readonly metadata: Signed<Targets>
  readonly signers: SigningGroup
}

/** Spares reading, and decides nothing. Role files never change, so what was read once holds. */
export interface Cache {
  current?: Current
  /** Clients could read it once. */
  isFounded?: boolean
  /** What this process made last. It is visible once `timestamp.json` has the bytes of its timestamp. */
  upcoming?: Upcoming
  /** By file name, the least recently used first. */
  readonly roles: Map<string, Signed<Targets>>
  roleBytes: number
  /** The role that was read last. */
  lastRead?: RoleRead
  /** SHA-256 of the entry of the last commit that this process has seen finished: see `finish`. */
  finished?: string
  /** The lease as this process left it when it had no use for it any more, and who held it. */
  leftLease?: { readonly holder: string | undefined; readonly stored: Stored | undefined }
  /** When commits were made, by number, the one that was asked for least recently first. */
  readonly commitTimes: Map<number, Date>
  /** Before this time no role is due for refresh, as long as the settings are those of this version. */
  nextDue?: { readonly time: Date; readonly settings: number }
  /** Bytes of a task in the inbox: the mean of those that were read together last. */
  taskBytes?: number
  /** Who waits in this process for a task to end, by its id. */
  readonly waiting: Map<string, Set<() => void>>
}

export function openRepository(ports: Ports, limits: Partial<Limits> = {}): Repository {
  const stores = {
    metadata: persistent(ports.metadata, ports.clock),
    state: persistent(ports.state, ports.clock),
    hints: persistent(ports.hints ?? ports.state, ports.clock),
  }
  return {
    ports: { ...ports, ...stores },
    limits: { ...defaultLimits, ...limits },
    cache: { roles: new Map(), roleBytes: 0, commitTimes: new Map(), waiting: new Map() },
  }
}

/** Asked for are those of the roles that were signed longest ago; each commit adds one that nobody may ever ask for. */
const mostCommitTimes = 4096

export function cachedCommitTime(cache: Cache, number: number): Date | undefined {
  const time = cache.commitTimes.get(number)
  if (time !== undefined) cacheCommitTime(cache, number, time)
  return time
}

export function cacheCommitTime({ commitTimes }: Cache, number: number, time: Date): void {
  commitTimes.delete(number)
  commitTimes.set(number, time)
  const [oldest] = commitTimes.keys()
  if (commitTimes.size > mostCommitTimes && oldest !== undefined) commitTimes.delete(oldest)
}

export function cachedRole(cache: Cache, file: string): Signed<Targets> | undefined {
  const role = cache.roles.get(file)
  if (role !== undefined) {
    cache.roles.delete(file)
    cache.roles.set(file, role)
  }
  return role
}

export function cacheRole({ cache, limits }: Repository, file: string, role: Signed<Targets>): void {
  if (cache.roles.has(file)) return
  cache.roles.set(file, role)
  cache.roleBytes += role.bytes.length
  for (const oldest of cache.roles.keys()) {
    if (cache.roleBytes <= limits.cachedRoleBytes) return
    uncacheRole(cache, oldest)
  }
}

/** Of a file that has been superseded. */
export function uncacheRole(cache: Cache, file: string): void {
  cache.roleBytes -= cache.roles.get(file)?.bytes.length ?? 0
  cache.roles.delete(file)
}
