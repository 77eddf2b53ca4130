import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { type Prepared, prepare } from '../../repository/ahead/prepare.ts'
import { listInbox } from '../../repository/inbox.ts'
import type { Queue } from '../../repository/ports.ts'
import { type Published, publish } from '../../repository/publish.ts'
import type { Repository } from '../../repository/repository.ts'
import { isTaskId } from '../../repository/task.ts'
import { tellFailures } from '../failed-tasks.ts'
import type { Logger } from '../logger.ts'
import type { Remembered } from '../remembered.ts'
import type { Measure } from '../telemetry.ts'

/** What a publisher is made from. */
export interface PublisherService {
  /**
   * Asked for in each invocation, so that a failure to connect is this invocation's failure alone; forgotten after a
   * failed run, for a key may be there again that was missing before.
   */
  readonly repository: Remembered<Repository>
  /** Where tasks go that somebody has to look at. */
  readonly deadLetters: Queue
  readonly log: Logger
  readonly measure: Measure
}

/** How long an invocation may go on yet, as Lambda tells it. */
export type Deadline = Pick<Context, 'getRemainingTimeInMillis'>

/**
 * Answers the bell. Whatever the messages say, all that waits is published. If that fails they come back, and at last
 * into the dead-letter queue; the tasks themselves wait in the inbox. A message that is no task id is nobody's ring: it
 * is logged and done with, for it would come back for ever.
 */
export function publishHandler(service: PublisherService) {
  return async ({ Records }: SQSEvent, deadline: Deadline): Promise<SQSBatchResponse> => {
    const { log } = service
    const rings = Records.filter(({ body }) => isTaskId(body))
    const strange = Records.filter((record) => !rings.includes(record))
    for (const { messageId, body } of strange)
      log.warn({ code: 'no-task-id', messageId, body: body.slice(0, 100) }, 'a message that is not ours')
    if (rings.length === 0) return { batchItemFailures: [] }
    const tasks = rings.map(({ body }) => body)
    using _ = endForeseen(log, { tasks }, deadline)
    const published = await attempt(service, { tasks }, () => publishInTime(service, deadline))
    return { batchItemFailures: published ? [] : rings.map(failure) }
  }
}

const failure = ({ messageId }: SQSRecord) => ({ itemIdentifier: messageId })

/**
 * Does all the work of a run, each piece also if the one before failed. True if all succeeded; else each failure is logged
 * and counted, what was accepted waits for the next run, and that run connects anew.
 */
export async function attempt(
  { log, measure, repository }: PublisherService,
  fields: object,
  ...works: readonly (() => Promise<void>)[]
): Promise<boolean> {
  let failures = 0
  const tried = async (work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (err) {
      failures++
      measure('failedRuns', 1)
      log.error({ ...fields, err }, 'a run failed; what was accepted waits for the next one')
    }
  }
  await tried(repository)
  // Who cannot connect says so once, not for each piece of work.
  if (failures > 0) return false
  for (const work of works) await tried(work)
  if (failures > 0) repository.forget()
  return failures === 0
}

/** Milliseconds before Lambda ends a run that it is said. */
const lastWords = 1_000

/** Lambda ends the process of a run whose time is over, which can say nothing then: so it says it while it still can. */
export function endForeseen(log: Logger, fields: object, deadline: Deadline): Disposable {
  const left = deadline.getRemainingTimeInMillis() - lastWords
  const say = () =>
    log.error({ ...fields, code: 'timed-out' }, 'a run is ended, for its time is over; what was accepted waits')
  const timer = left > 0 ? setTimeout(say, left) : undefined
  timer?.unref()
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

/** Milliseconds that work ahead is stopped before the invocation ends: what is under way then has to end. */
const timeToStop = 30_000

/**
 * Publishes what waits. A cycle begins only in the first half of the time that is left, so that it has at least the
 * other half to end in; who is not done by then rings again.
 */
export async function publishInTime(service: PublisherService, deadline: Deadline): Promise<void> {
  const repository = await service.repository()
  const { clock, queue } = repository.ports
  const until = new Date(clock.now().getTime() + deadline.getRemainingTimeInMillis() / 2)
  const isOver = () => clock.now() > until
  const rung: Promise<void>[] = []
  let preparing: Promise<Prepared> | undefined
  const begin = (task: string) => {
    const left = deadline.getRemainingTimeInMillis()
    // Half of it where a run is short, or nothing would ever be prepared.
    const end = new Date(clock.now().getTime() + left - Math.min(timeToStop, left / 2))
    preparing ??= prepare(repository, task, { until: end })
    return preparing
  }
  const onCommit = (published: Published) => {
    const failed = report(service, published, clock.now())
    rung.push(...failed.map((id) => service.deadLetters.ring(id)))
    // Beside short commits, for others may publish without a pause. What it throws is told where it is awaited.
    if (published.unprepared !== undefined) begin(published.unprepared).catch(() => undefined)
  }
  try {
    for (;;) {
      const { state, unprepared } = await publish(repository, onCommit, isOver)
      const prepared = await (unprepared === undefined ? preparing : begin(unprepared))
      preparing = undefined
      if (prepared !== undefined) service.log.info({ task: unprepared, prepared }, 'prepared')
      if (state === 'out of time' || prepared === 'out of time') break
      // Whoever is at it publishes it.
      if (prepared === undefined || prepared === 'busy') return
    }
  } finally {
    // Nothing may go on after the answer; if publishing failed, that is what is told.
    await Promise.allSettled([preparing])
    await Promise.all(rung)
  }
  const [next] = await listInbox(repository)
  service.log.info({ next }, 'out of time')
  if (next !== undefined) await queue.ring(next)
}

/** Logs and counts a commit; returns the tasks that ended as FAILURE. */
function report({ log, measure }: PublisherService, published: Published, now: Date): string[] {
  const { commit, head, tasks, refreshed } = published
  // The head's hash, so that an edit of history shows against the log.
  log.info({ commit, head, tasks: tasks.map(({ id, state }) => `${id} ${state}`), refreshed }, 'published')
  const failed = tellFailures(log, published)
  measure('commits', 1)
  measure('refreshedRoles', refreshed)
  measure('refusedTasks', tasks.filter(({ state }) => state === 'ERRORED').length)
  measure('failedTasks', failed.length)
  // Long work takes its time; what small publishes wait for is what matters.
  if (!published.ahead)
    for (const { id } of tasks) measure('publishLatency', Math.max(0, now.getTime() - acceptedAt(id)))
  return failed
}

/** Milliseconds since 1970: a task id is a UUIDv7 and begins with the time at which it was made. */
function acceptedAt(id: string): number {
  return Number.parseInt(id.slice(0, 12), 16)
}
