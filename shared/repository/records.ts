import { day } from '../tuf/expiry.ts'
import { inParallel } from './parallel.ts'
import type { Repository } from './repository.ts'

/** How long the answer to "how did my task end" stays: longer than any `Idempotency-Key` may bring the task up again. */
const tasksFor = 30 * day
const idempotencyFor = 7 * day

/** Records looked at in one run, of each kind. */
const most = 1000

/**
 * Takes old records of finished tasks and of idempotency keys away, a bounded number at once. `after`: the idempotency record that
 * was looked at last, for their names say nothing of their age; `at` is where the next run goes on.
 */
export async function collectRecords(
  repository: Repository,
  after: string,
): Promise<{ readonly deleted: number; readonly at: string; readonly more: boolean }> {
  const { state } = repository.ports
  // Their names begin with the time of acceptance: the first ones are the oldest.
  const tasks = await deleteOlder(repository, await state.list('tasks/', { limit: most }), tasksFor, true)
  const names = await state.list('idempotency/', { after, limit: most })
  const idempotency = await deleteOlder(repository, names, idempotencyFor, false)
  const at = names.length < most ? '' : (names.at(-1) ?? '')
  return { deleted: tasks + idempotency, at, more: tasks === most || (at !== '' && idempotency > 0) }
}

/** `inOrder`: the first that is too young ends it. */
async function deleteOlder(
  { ports: { state }, limits }: Repository,
  names: readonly string[],
  age: number,
  inOrder: boolean,
): Promise<number> {
  let deleted = 0
  for (let from = 0; from < names.length; from += limits.parallel) {
    const batch = names.slice(from, from + limits.parallel)
    const gone = await inParallel(batch, limits.parallel, async (name) => {
      const stored = await state.read(name)
      if (stored === undefined || stored.age < age) return false
      await state.delete(name)
      return true
    })
    deleted += gone.filter(Boolean).length
    if (inOrder && gone.includes(false)) break
  }
  return deleted
}
