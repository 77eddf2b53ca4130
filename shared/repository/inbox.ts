import { decodeDocument, schemaVersion } from './documents.ts'
import { inParallel } from './parallel.ts'
import { createUnlessTaken, type ObjectStore } from './ports.ts'
import type { Repository } from './repository.ts'
import { maximumRequestBytes } from './request-size.ts'
import { type AcceptedTask, inboxName, spoiltName, taskIdIn, taskName } from './task.ts'

/** A task that is left out, unread: reading it crashed its publishers, or what lies there is no task. */
export interface PoisonedTask {
  readonly id: string
  readonly poisoned: 'crashed' | 'spoilt'
}

export type WaitingTask = AcceptedTask | PoisonedTask

/**
 * The ids of what waits, in the order of acceptance, at most `limit`: no more than one cycle takes, unless another is named. What
 * somebody else has put there (a file manager its notes, a console an object for a folder) is nobody's task, and stays.
 */
export async function listInbox({ ports, limits }: Repository, limit = limits.tasksPerCycle): Promise<string[]> {
  const ids: string[] = []
  for (let after: string | undefined = ''; after !== undefined && ids.length < limit; ) {
    const wanted = limit - ids.length
    const names: string[] = await ports.state.list('inbox/', { after, limit: wanted })
    ids.push(...names.flatMap((name) => taskIdIn(name) ?? []))
    after = names.length === wanted ? names.at(-1) : undefined
  }
  return ids
}

/** The id of what was accepted last, of all that waits. Where the clock was set back meanwhile, new ids have to be above it. */
export async function lastWaiting(state: ObjectStore): Promise<string | undefined> {
  const ids = (await state.list('inbox/')).flatMap((name) => taskIdIn(name) ?? [])
  return ids.findLast((id) => /^.{12}7/.test(id))
}

/**
 * Reads these tasks, in order, up to the bytes that one cycle takes. One that has a record in `tasks/` was finished before:
 * its inbox object came back because a create whose answer was lost was repeated; it is deleted and not applied again.
 * Of one that somebody has spoilt a copy is kept under `spoilt/`, for a person to look at.
 */
export async function readTasks(
  repository: Repository,
  ids: readonly string[],
  poisoned: string | undefined,
): Promise<WaitingTask[]> {
  const { ports, limits, cache } = repository
  const { state } = ports
  const tasks: WaitingTask[] = []
  let bytes = 0
  for (let from = 0, end = 0; from < ids.length && bytes < limits.bytesPerCycle; from = end) {
    end = from + readAtOnce(repository, limits.bytesPerCycle - bytes)
    const read = await inParallel(ids.slice(from, end), limits.parallel, async (id) => {
      const [record, task] = await Promise.all([
        state.read(taskName(id)),
        id === poisoned ? undefined : state.read(inboxName(id)),
      ])
      if (record === undefined) return { id, bytes: task?.bytes }
      await state.delete(inboxName(id))
      return undefined
    })
    const sizes = read.flatMap((task) => task?.bytes?.length ?? [])
    if (sizes.length > 0) cache.taskBytes = sizes.reduce((a, b) => a + b, 0) / sizes.length
    for (const task of read) {
      if (task === undefined) continue
      if (task.id === poisoned) tasks.push({ id: task.id, poisoned: 'crashed' })
      if (task.bytes === undefined || bytes >= limits.bytesPerCycle) continue
      bytes += task.bytes.length
      tasks.push(acceptedTask(task.id, task.bytes) ?? (await setAside(repository, task.id, task.bytes)))
    }
  }
  return tasks
}

/**
 * Of tasks as long as those that were read last, no more than fill what is left: the others would be read again by the next cycle. A
 * list does not tell how long they are, so to a new process they are as long as can be.
 */
function readAtOnce({ limits, cache: { taskBytes = maximumRequestBytes } }: Repository, left: number): number {
  return Math.min(Math.ceil(left / taskBytes), limits.parallel)
}

/** What waits under this id; nothing if it is no task. Throws RepositoryError where it is one that another version of this service has written. */
export function acceptedTask(id: string, bytes: Uint8Array): AcceptedTask | undefined {
  try {
    const task = decodeDocument<AcceptedTask>(inboxName(id), bytes)
    return task.id === id && typeof task.request?.kind === 'string' ? task : undefined
  } catch (error) {
    if (isOfAnotherVersion(bytes)) throw error
    return undefined
  }
}

function isOfAnotherVersion(bytes: Uint8Array): boolean {
  try {
    const { schema } = JSON.parse(Buffer.from(bytes).toString())
    return typeof schema === 'number' && schema !== schemaVersion
  } catch {
    return false
  }
}

async function setAside({ ports: { state } }: Repository, id: string, bytes: Uint8Array): Promise<PoisonedTask> {
  // Where it was spoilt once more since, the first copy is nearer to what it was.
  await createUnlessTaken(state, spoiltName(id), bytes)
  return { id, poisoned: 'spoilt' }
}
