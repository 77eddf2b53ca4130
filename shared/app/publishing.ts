import type { ProcessQueue } from '../adapters/local/process-queue.ts'
import { expireLease } from '../repository/lease.ts'
import { releasePreparations } from '../repository/preparation.ts'
import { type Published, publish } from '../repository/publish.ts'
import type { Repository } from '../repository/repository.ts'
import type { Backlog } from './backlog.ts'
import { tellFailures } from './failed-tasks.ts'
import type { Logger } from './logger.ts'
import type { Preparer } from './preparer.ts'

/** The publisher of the embedded service. */
export interface Publishing {
  /** Why the last run failed; nothing once one goes well. */
  readonly trouble: unknown
  /** Resolves when the cycle under way has ended. */
  end(): Promise<void>
}

/** Publishes what waits at each ring. For a process that knows that no other publisher lives. */
export function beginPublishing(
  repository: Repository,
  queue: ProcessQueue,
  preparer: Preparer,
  backlog: Backlog,
  log: Logger,
): Publishing {
  let trouble: unknown
  let leaseIsFree = false
  let isEnding = false

  async function run(): Promise<void> {
    // Not before somebody rings: a full disk is no reason to serve nothing.
    if (!leaseIsFree) {
      await expireLease(repository.ports)
      await releasePreparations(repository.ports.state)
      leaseIsFree = true
    }
    const onCommit = (published: Published) => {
      report(log, published)
      backlog.leave(published.tasks.length)
      // Not only at the end, for others may publish without a pause.
      if (published.unprepared !== undefined) preparer.begin(published.unprepared)
    }
    const { unprepared } = await publish(repository, onCommit, () => isEnding)
    trouble = undefined
    if (unprepared === undefined) preparer.rest()
    else preparer.begin(unprepared)
  }

  queue.listen(
    () => run().finally(backlog.clear),
    (error) => {
      trouble = error
      log.error({ err: error }, 'the publisher failed; what was accepted waits for the next run')
    },
  )
  return {
    get trouble() {
      return trouble
    },
    async end() {
      isEnding = true
      queue.close()
      await queue.idle()
    },
  }
}

function report(log: Logger, published: Published): void {
  const { commit, head, tasks, refreshed } = published
  // The head's hash, so that an edit of history shows against the log.
  log.info({ commit, head, tasks: tasks.length, refreshed }, 'published')
  tellFailures(log, published)
}
