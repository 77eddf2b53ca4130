import { decodeDocument } from './documents.ts'
import { inParallel } from './parallel.ts'
import type { Repository } from './repository.ts'
import { type AcceptedTask, inboxName, taskIdOf, taskName } from './task.ts'

/** A task that must not be read again, for reading it crashed its publishers. */
export interface PoisonedTask {
  readonly id: string
  readonly poisoned: true
}

export type WaitingTask = AcceptedTask | PoisonedTask

/** The ids of what waits, in the order of acceptance; no more than one cycle takes. */
export async function listInbox({ ports, limits }: Repository): Promise<string[]> {
  const names = await ports.state.list('inbox/', { limit: limits.tasksPerCycle })
  return names.map(taskIdOf)
}

/**
 * Reads these tasks, in order, up to the bytes that one cycle takes. One that has a record in `tasks/` was finished before:
 * its inbox object came back because a create whose answer was lost was repeated; it is deleted and not applied again.
 */
export async function readTasks(
  { ports: { state }, limits }: Repository,
  ids: readonly string[],
  poisoned: string | undefined,
): Promise<WaitingTask[]> {
  const tasks: WaitingTask[] = []
  let bytes = 0
  for (let from = 0; from < ids.length && bytes < limits.bytesPerCycle; from += limits.parallel) {
    const read = await inParallel(ids.slice(from, from + limits.parallel), limits.parallel, async (id) => {
      if ((await state.read(taskName(id))) !== undefined) {
        await state.delete(inboxName(id))
        return undefined
      }
      return id === poisoned ? { id, bytes: undefined } : { id, bytes: (await state.read(inboxName(id)))?.bytes }
    })
    for (const task of read) {
      if (task === undefined) continue
      if (task.id === poisoned) tasks.push({ id: task.id, poisoned: true })
      if (task.bytes === undefined || bytes >= limits.bytesPerCycle) continue
      bytes += task.bytes.length
      tasks.push(decodeDocument<AcceptedTask>(inboxName(task.id), task.bytes))
    }
  }
  return tasks
}
