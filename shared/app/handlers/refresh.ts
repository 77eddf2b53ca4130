import { collect } from '../../repository/collect.ts'
import { readStatus } from '../../repository/status.ts'
import { attempt, type Deadline, type PublisherService, publishInTime } from './publish.ts'

/**
 * Runs every minute, whatever the event says: publishes what no bell has rung for, signs again what is half spent, and
 * then, also if that failed, measures how the repository fares, and takes away what nobody needs any more.
 */
export function refreshHandler(service: PublisherService) {
  return async (_event: unknown, deadline: Deadline): Promise<void> => {
    await attempt(service, {}, () => publishInTime(service, deadline))
    await attempt(service, {}, () => measureStatus(service))
    await attempt(service, {}, () => tidy(service))
  }
}

async function measureStatus({ repository, measure }: PublisherService): Promise<void> {
  const opened = await repository()
  const now = opened.ports.clock.now().getTime()
  const { waiting, published } = await readStatus(opened)
  measure('oldestTask', waiting.oldest === undefined ? 0 : secondsBetween(waiting.oldest.getTime(), now))
  if (published === undefined) return
  const { current, firstToExpire, rootExpires } = published
  const [first] = firstToExpire
  if (first !== undefined) measure('nearestExpiry', secondsBetween(now, first.expires.getTime()))
  measure('rootExpiry', secondsBetween(now, rootExpires.getTime()))
  measure('parkedChanges', current.parked.changes.length)
}

/** Old records go by lifecycle rules of the bucket. */
async function tidy({ repository, log }: PublisherService): Promise<void> {
  const collected = await collect(await repository())
  if (Object.values(collected).some((count) => count > 0)) log.info({ ...collected }, 'collected')
}

const secondsBetween = (from: number, to: number) => (to - from) / 1000
