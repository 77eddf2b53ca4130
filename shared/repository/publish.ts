import { baseOf, commit, Overtaken, type Published } from './commit.ts'
import { type Current, readCurrent } from './current.ts'
import { RepositoryError } from './errors.ts'
import { evaluate, type Upkeep } from './evaluate.ts'
import { finishTasks } from './finish.ts'
import { foundRepository } from './found.ts'
import { listInbox, readTasks } from './inbox.ts'
import { type Lease, takeLease } from './lease.ts'
import { dueRoles } from './refresh.ts'
import type { Repository } from './repository.ts'
import { rotationIsOver } from './rotation.ts'

export type { Published }

/** How often in a row others may commit first before this publisher gives up and says so. */
const maximumOvertaken = 20

/**
 * Publishes until nothing is left to do: everything that waits in the inbox, and roles that are due to be signed again.
 * Reports each commit. Whatever woke it makes no difference. Throws RepositoryError, StoreError or SignerError; what was
 * accepted then waits in the inbox for the next call.
 */
export async function publish(
  repository: Repository,
  report: (published: Published) => void = () => {},
): Promise<void> {
  for (let overtaken = 0; ; ) {
    try {
      const cycle = await publishOnce(repository)
      if (cycle === 'nothing to do') return
      if (cycle !== 'go on') report(cycle)
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

async function publishOnce(repository: Repository): Promise<Published | 'nothing to do' | 'go on'> {
  const now = repository.ports.clock.now()
  const current = await readCurrent(repository)
  // After the base was read, not before: see `finishBase`.
  const ids = await listInbox(repository)
  const upkeep = current === undefined ? noUpkeep : await upkeepOf(repository, current, now)
  const finished = current === undefined || repository.cache.finished === current.sha256
  if (finished && ids.length === 0 && isNothing(upkeep)) return 'nothing to do'

  const lease = await takeLease(repository, ids)
  // Whoever holds it has been told to look again.
  if (lease === undefined) return 'nothing to do'
  try {
    if (current === undefined) return await foundRepository(repository, ids, lease, now)
    await finishBase(repository, current, ids)
    return await publishOn(repository, current, lease, upkeep, now)
  } finally {
    await lease.release()
  }
}

const noUpkeep: Upkeep = { due: [], endRotation: false }

const isNothing = ({ due, endRotation }: Upkeep) => due.length === 0 && !endRotation

async function upkeepOf(repository: Repository, current: Current, now: Date): Promise<Upkeep> {
  return { due: await dueRoles(repository, current, now), endRotation: await rotationIsOver(repository, current) }
}

/**
 * Completes what the commit that we build on has decided: no commit before the one below it is finished. A task of that
 * commit which is not in `ids`, listed after the commit was read, has been finished already.
 */
async function finishBase(
  repository: Repository,
  { entry, root, sha256 }: Current,
  ids: readonly string[],
): Promise<void> {
  if (repository.cache.finished === sha256) return
  if (entry.state.root === entry.number) {
    await repository.ports.metadata.create(`${root.signed.version}.root.json`, root.bytes)
  }
  const waiting = new Set(ids)
  const unfinished = entry.tasks.filter(({ id }) => waiting.has(id))
  await finishTasks(repository, entry.number, unfinished)
  repository.cache.finished = sha256
}

async function publishOn(
  repository: Repository,
  current: Current,
  lease: Lease,
  upkeep: Upkeep,
  now: Date,
): Promise<Published | 'go on'> {
  const own = new Set(current.entry.tasks.map(({ id }) => id))
  const tasks = await readTasks(
    repository,
    lease.batch.filter((id) => !own.has(id)),
    lease.poisoned,
  )
  if (tasks.length === 0 && isNothing(upkeep)) return 'go on'

  const { draft, decided, broken } = await evaluate(repository, current, upkeep, tasks, now)
  const next = await commit(repository, baseOf(current), draft, decided, lease)
  await finishBase(
    repository,
    next,
    decided.map(({ id }) => id),
  )
  return { commit: next.entry.number, head: next.sha256, tasks: decided, refreshed: upkeep.due.length, broken }
}
