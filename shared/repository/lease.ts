import { type Document, decodeDocument, schemaVersion, writeDocument } from './documents.ts'
import type { ObjectStore, Ports, Stored } from './ports.ts'
import type { Repository } from './repository.ts'

/**
 * Keeps publishers out of each other's way and tells which tasks a crashed one had at hand. No safety rests on it: two
 * publishers at once lose nothing but work.
 */
interface LeaseDocument extends Document {
  /** Absent: nobody holds it. */
  readonly holder?: string | undefined
  /** The commit that the holder builds on, 0 where there is none. Once a later one is visible, nobody holds it. */
  readonly base: number
  /** ISO 8601, UTC, by the holder's clock. */
  readonly until: string
  /** The tasks that the holder works on. */
  readonly batch: readonly string[]
  /** How often in a row a publisher crashed with this very batch. */
  readonly crashes: number
}

export interface Lease {
  /** The tasks to work on: all that were offered, or half of those that a publisher crashed with. */
  readonly batch: readonly string[]
  /** A task that crashed three publishers, alone: it must not be read again. */
  readonly poisoned?: string
  /** True once it is over: another publisher may have begun. */
  isOver(): boolean
  /** Extends it, once half of its time is used up. */
  renew(): Promise<void>
  /**
   * Lets others in. Who releases it looks at the inbox once more: a publisher that was sent away has seen a task there.
   * 'committed': the commit has let them in already, so nothing is written. 'crashed': the next one is to find it as if this one
   * had died.
   */
  release(end: LeaseEnd): Promise<void>
}

type LeaseEnd = 'committed' | 'idle' | 'crashed'

const name = 'lease.json'
const crashesOfPoison = 3
const longAgo = new Date(0).toISOString()

/**
 * Takes the lease for these tasks, to build on commit `base` (0: on none). Nothing if another publisher holds it: that one looks at
 * the inbox once more after its commit. Only `timestamp.json` tells whether that commit came while the lease was read.
 */
export async function takeLease(
  repository: Repository,
  ids: readonly string[],
  base: number,
): Promise<Lease | undefined> {
  const store = storeOf(repository.ports)
  const { leftLease, upcoming } = repository.cache
  // If nobody has committed since, nobody is likely to have had it.
  for (let known = upcoming?.entry.number === base ? leftLease?.stored : undefined; ; known = undefined) {
    const stored = known ?? (await store.read(name))
    const before = stored && understood(stored)
    const now = repository.ports.clock.now()
    const isHeld =
      before?.holder !== undefined && before.base >= base && before.holder !== repository.cache.leftLease?.holder
    if (isHeld && new Date(before.until) > now) return undefined
    const { batch, crashes } = isHeld ? afterCrash(before, ids) : { batch: ids, crashes: 0 }
    const holder = repository.ports.clock.newId()
    const document: LeaseDocument = { schema: schemaVersion, holder, base, until: endOf(repository), batch, crashes }
    const written = await writeDocument(store, name, document, stored)
    if (written !== undefined) return held(repository, document, written)
  }
}

/** For a process that knows that no other publisher lives: whoever holds the lease still has crashed. */
export async function expireLease(ports: Pick<Ports, 'state' | 'hints'>): Promise<void> {
  const store = storeOf(ports)
  const stored = await store.read(name)
  const before = stored && understood(stored)
  if (before?.holder !== undefined) await writeDocument(store, name, { ...before, until: longAgo } as Document, stored)
}

const storeOf = ({ hints, state }: Pick<Ports, 'state' | 'hints'>): ObjectStore => hints ?? state

/** A power cut may have left it in halves: then nobody holds it, for whoever did has gone with the power. */
function understood({ bytes }: Stored): LeaseDocument | undefined {
  try {
    return decodeDocument<LeaseDocument>(name, bytes)
  } catch {
    return undefined
  }
}

/** Half of what it had at hand; once that is a single task, the same again, and the crashes are counted. */
function afterCrash(before: LeaseDocument, ids: readonly string[]): Pick<LeaseDocument, 'batch' | 'crashes'> {
  const waiting = new Set(ids)
  const left = before.batch.filter((id) => waiting.has(id))
  // It had finished them, or had none: the crash was not theirs.
  if (left.length === 0) return { batch: ids, crashes: 0 }
  if (left.length === 1) return { batch: left, crashes: before.batch.length === 1 ? before.crashes + 1 : 0 }
  return { batch: left.slice(0, Math.ceil(left.length / 2)), crashes: 0 }
}

function held(repository: Repository, first: LeaseDocument, written: Stored): Lease {
  const { clock } = repository.ports
  const store = storeOf(repository.ports)
  let document = first
  /** Nothing once somebody took the lease because ours was over. */
  let stored: Stored | undefined = written
  const change = async (next: Partial<LeaseDocument>) => {
    if (stored === undefined) return
    document = { ...document, ...next }
    stored = await writeDocument(store, name, document, stored)
  }
  let renewing: Promise<void> | undefined
  const [onlyTask] = first.batch
  const poisoned = first.crashes >= crashesOfPoison && first.batch.length === 1 ? onlyTask : undefined
  return {
    batch: first.batch,
    ...(poisoned !== undefined && { poisoned }),
    isOver: () => stored === undefined || new Date(document.until) <= clock.now(),
    async renew() {
      const left = new Date(document.until).getTime() - clock.now().getTime()
      if (left >= repository.limits.lease / 2) return
      // Many writes are under way at once; one of them renews for all.
      renewing ??= change({ until: endOf(repository) }).finally(() => {
        renewing = undefined
      })
      await renewing
    },
    async release(end) {
      await renewing
      if (end === 'crashed') return change({ until: longAgo })
      // Even if the write fails, this process is not to wait for itself.
      repository.cache.leftLease = { holder: first.holder, stored }
      if (end === 'committed') return
      await change({ holder: undefined, batch: [], crashes: 0 })
      repository.cache.leftLease = { holder: first.holder, stored }
    },
  }
}

const endOf = ({ ports, limits }: Repository) => new Date(ports.clock.now().getTime() + limits.lease).toISOString()
