import type { Published } from '../repository/publish.ts'
import type { Logger } from './logger.ts'

/** Logs the tasks of a commit that ended as FAILURE, and why; returns their ids. */
export function tellFailures(log: Logger, { tasks, broken }: Pick<Published, 'tasks' | 'broken'>): string[] {
  const failed = tasks.filter(({ state }) => state === 'FAILURE')
  for (const { id, result } of failed)
    log.error({ task: id, code: result.details['code'], err: broken.get(id) }, 'a task ended as FAILURE')
  return failed.map(({ id }) => id)
}
