import { baseOf, commit, Overtaken, type Published } from './commit.ts'
import { type Current, readCurrent } from './current.ts'
import { isNoTasksFault, RepositoryError } from './errors.ts'
import { evaluate, type Upkeep } from './evaluate.ts'
import { finishTasks } from './finish.ts'
import { foundRepository, readHead } from './found.ts'
import { listInbox, readTasks, type WaitingTask } from './inbox.ts'
import { type Lease, takeLease } from './lease.ts'
import { preparationName } from './preparation.ts'
import { dueRoles } from './refresh.ts'
import type { Repository } from './repository.ts'
import { rotationIsOver } from './rotation-standing.ts'
import { heldFor } from './sign.ts'
import { canSign, groupOf } from './tree.ts'

export type { Published }

/** How often in a row others may commit first before this publisher gives up and says so. */
const maximumOvertaken = 20

/**
 * Publishes until nothing is left in the inbox, and one cycle's worth of the roles that are due to be signed again.
 * Reports each commit. Whatever woke it makes no difference. Throws RepositoryError, StoreError or SignerError, and anything
 * else as a crash of the publisher; what was accepted then waits in the inbox for the next call.
 *
 * No cycle begins once `isOver`; 'out of time' says that something may be left.
 */
export async function publish(
  repository: Repository,
  report: (published: Published) => void = () => {},
  isOver: () => boolean = () => false,
): Promise<PublishingEnd> {
  let refreshed = 0
  for (let overtaken = 0; ; ) {
    if (isOver()) return { state: 'out of time' }
    try {
      const cycle = await publishOnce(repository, refreshed === 0)
      if (cycle === 'nothing to do') return { state: 'done' }
      if (cycle !== 'go on' && !('commit' in cycle)) return { state: 'done', ...cycle }
      if (cycle !== 'go on') {
        refreshed += cycle.refreshed
        report(cycle)
      }
      overtaken = 0
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error
      overtaken++
      if (overtaken === maximumOvertaken) {
        throw new RepositoryError('overtaken', `Other publishers committed first ${overtaken} times in a row.`, {
          cause: error,
        })
      }
    }
  }
}

/** Nothing but this task waits, and that until its roles are signed ahead. */
interface Unprepared {
  readonly unprepared: string
}

export interface PublishingEnd extends Partial<Unprepared> {
  readonly state: 'done' | 'out of time'
}

async function publishOnce(
  repository: Repository,
  refresh: boolean,
): Promise<Published | Unprepared | 'nothing to do' | 'go on'> {
  const now = repository.ports.clock.now()
  const current = await readCurrent(repository)
  const head = current === undefined ? await readHead(repository) : undefined
  // After what this cycle builds on was read, not before: see `finishTasks`.
  const ids = await listInbox(repository)
  const upkeep = current === undefined ? noUpkeep : await upkeepOf(repository, current, refresh, now)
  // A sealed bootstrap waits for its commit, and its task is there until then; if it is not, that has to be told.
  const finished =
    current === undefined ? head?.document.sealed === undefined : repository.cache.finished === current.sha256
  if (finished && ids.length === 0 && isNothing(upkeep)) return 'nothing to do'

  const lease = await takeLease(repository, ids, current?.entry.number ?? 0)
  // Whoever holds it looks again after its commit. If that was before we saw that it holds it, it may have looked already.
  if (lease === undefined) return (await isCurrent(repository, current)) ? 'nothing to do' : 'go on'
  let cycle: Published | Unprepared | 'go on'
  try {
    cycle =
      current === undefined
        ? await foundRepository(repository, head, ids, lease, now)
        : await publishOn(repository, current, ids, lease, upkeep, now)
  } catch (error) {
    // Whatever nobody foresaw counts as a crash, so that half of the batch is tried next, and at last one task alone.
    const end = error instanceof Overtaken || isNoTasksFault(error) ? 'idle' : 'crashed'
    // What went wrong first is what has to be told.
    await lease.release(end).catch(() => undefined)
    throw error
  }
  await lease.release(cycle !== 'go on' && 'commit' in cycle ? 'committed' : 'idle')
  return cycle
}

async function isCurrent({ ports }: Repository, current: Current | undefined): Promise<boolean> {
  return (await ports.metadata.read('timestamp.json'))?.tag === current?.timestampTag
}

const noUpkeep: Upkeep = { due: [], endRotation: false }

const isNothing = ({ due, endRotation }: Upkeep) => due.length === 0 && !endRotation

async function upkeepOf(repository: Repository, current: Current, refresh: boolean, now: Date): Promise<Upkeep> {
  const due = refresh ? await dueRoles(repository, current, now) : []
  return { due, endRotation: await rotationIsOver(repository, current) }
}

/** Completes what the commit that we build on has decided: no commit before the one below it is finished. */
export async function finishBase(
  repository: Repository,
  { entry, root, sha256 }: Current,
  listed?: readonly string[],
): Promise<void> {
  if (repository.cache.finished === sha256) return
  if (entry.state.root === entry.number) {
    await repository.ports.metadata.create(`${root.signed.version}.root.json`, root.bytes)
  }
  if (entry.prepared !== undefined) await repository.ports.state.delete(preparationName(entry.prepared.task))
  await finishTasks(repository, entry.number, entry.tasks, listed)
  repository.cache.finished = sha256
}

async function publishOn(
  repository: Repository,
  current: Current,
  ids: readonly string[],
  lease: Lease,
  upkeep: Upkeep,
  now: Date,
): Promise<Published | Unprepared | 'go on'> {
  await finishBase(repository, current, ids)
  const waiting = await readTasks(repository, lease.batch, lease.poisoned)
  if (waiting.length === 0 && isNothing(upkeep)) return 'go on'
  const { signers } = repository.ports
  const lacking = (['timestamp', 'snapshot'] as const).find(
    (role) => !canSign(groupOf(current.root.signed, role), signers),
  )
  const tasks = lacking === undefined ? waiting : waiting.filter(isOfRoot)
  if (lacking !== undefined && tasks.length === 0) heldFor(lacking, groupOf(current.root.signed, lacking), signers)

  const doing = lacking === undefined ? upkeep : noUpkeep
  const { draft, decided, broken, unprepared } = await evaluate(repository, current, doing, tasks, now)
  if (decided.length === 0 && isNothing(doing)) return unprepared === undefined ? 'go on' : { unprepared }
  // Before anything is written: without the timestamp there is no commit.
  heldFor('timestamp', groupOf(draft.root.signed, 'timestamp'), signers)
  const next = await commit(repository, baseOf(current), draft, decided, lease)
  await finishBase(repository, next)
  const { number } = next.entry
  return {
    ...{ commit: number, head: next.sha256, tasks: decided, refreshed: doing.due.length, broken },
    ahead: next.entry.prepared !== undefined,
    ...(unprepared !== undefined && { unprepared }),
  }
}

/** Of a service that has lost its keys only the next root can help: whatever else waits, waits for that. */
function isOfRoot(task: WaitingTask): boolean {
  if ('poisoned' in task) return false
  const { request } = task
  if (request.kind === 'sign_metadata' || request.kind === 'delete_sign_metadata') return request.role === 'root'
  return request.kind === 'metadata_update'
}
