import { encodeDocument, schemaVersion } from './documents.ts'
import { tellEnding } from './endings.ts'
import { inParallel } from './parallel.ts'
import type { Repository } from './repository.ts'
import { type DecidedTask, type FinishedTask, inboxName, taskName } from './task.ts'

/**
 * Writes down how tasks ended, then takes them out of the inbox: what remains to be done after the commit that decided
 * them. May be repeated at any time, and is, by whoever commits next, if a crash came between.
 *
 * `listed` is what the inbox held after that commit was read: a task that is not there has been finished already, unless it
 * lies behind the end of a list that was cut short.
 */
export async function finishTasks(
  { ports, limits, cache }: Repository,
  commit: number,
  decided: readonly DecidedTask[],
  listed: readonly string[] = decided.map(({ id }) => id),
): Promise<void> {
  const waiting = new Set(listed)
  const end = listed.length < limits.tasksPerCycle ? undefined : listed.at(-1)
  const unfinished = decided.filter(({ id }) => waiting.has(id) || (end !== undefined && id > end))
  await inParallel(unfinished, limits.parallel, async (task) => {
    await ports.state.create(taskName(task.id), finishedTask(commit, task))
    tellEnding(cache, task.id)
    await ports.state.delete(inboxName(task.id))
  })
}

/** Whether a record says something else of a task than the commit that has decided it. */
export const contradicts = (record: Uint8Array, commit: number, task: DecidedTask): boolean =>
  Buffer.compare(record, finishedTask(commit, task)) !== 0

/** The record of a task that this commit has decided, to the byte. */
function finishedTask(commit: number, task: DecidedTask): Uint8Array {
  const finished: FinishedTask = { schema: schemaVersion, ...task, commit }
  return encodeDocument(finished)
}
