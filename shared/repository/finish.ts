import { encodeDocument, schemaVersion } from './documents.ts'
import { inParallel } from './parallel.ts'
import type { Repository } from './repository.ts'
import { type DecidedTask, type FinishedTask, inboxName, taskName } from './task.ts'

/**
 * Writes down how tasks ended, then takes them out of the inbox: what remains to be done after the commit that decided
 * them. May be repeated at any time, and is, by whoever commits next, if a crash came between.
 */
export async function finishTasks(
  { ports, limits }: Repository,
  commit: number,
  decided: readonly DecidedTask[],
): Promise<void> {
  await inParallel(decided, limits.parallel, async (task) => {
    const finished: FinishedTask = { schema: schemaVersion, ...task, commit }
    await ports.state.create(taskName(task.id), encodeDocument(finished))
    await ports.state.delete(inboxName(task.id))
  })
}
