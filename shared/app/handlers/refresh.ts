import { collect } from '../../repository/collect.ts'
import { toRenew } from '../../repository/renewal.ts'
import { readStatus } from '../../repository/status.ts'
import { renewalWarnings } from '../renewal-warnings.ts'
import { attempt, type Deadline, endForeseen, type PublisherService, publishInTime } from './publish.ts'

/**
 * Runs every minute, whatever the event says: publishes what no bell has rung for, signs again what is half spent, and
 * then, also if that failed, measures how the repository fares, warns of what it cannot sign itself, and takes away what
 * nobody needs any more.
 */
export function refreshHandler(service: PublisherService) {
  const warn = renewalWarnings(service.log)
  return async (_event: unknown, deadline: Deadline): Promise<void> => {
    using _ = endForeseen(service.log, {}, deadline)
    await attempt(
      service,
      {},
      () => publishInTime(service, deadline),
      () => measureStatus(service, warn),
      () => tidy(service),
    )
  }
}

async function measureStatus(
  { repository, measure }: PublisherService,
  warn: ReturnType<typeof renewalWarnings>,
): Promise<void> {
  const opened = await repository()
  const now = opened.ports.clock.now()
  const { waiting, published } = await readStatus(opened)
  measure('oldestTask', waiting.oldest === undefined ? 0 : secondsBetween(waiting.oldest, now))
  if (published === undefined) return
  const { current, firstToExpire, root, signedOffline } = published
  const [first] = firstToExpire
  if (first !== undefined) measure('nearestExpiry', secondsBetween(now, first.expires))
  measure('parkedChanges', current.parked.changes.length)
  const due = toRenew(root, signedOffline, now)
  measure('rootExpiry', secondsBetween(now, root.expires))
  measure('rootToRenew', due.includes(root) ? 1 : 0)
  // What is not measured costs nothing, and most repositories have nothing signed offline.
  const [offline] = signedOffline
  if (offline !== undefined) {
    measure('offlineExpiry', secondsBetween(now, offline.expires))
    measure('offlineToRenew', due.filter((role) => role !== root).length)
  }
  warn(due, now)
}

/** Old records go by lifecycle rules of the bucket. */
async function tidy({ repository, log }: PublisherService): Promise<void> {
  const collected = await collect(await repository())
  if (Object.values(collected).some((count) => count > 0)) log.info({ ...collected }, 'collected')
}

const secondsBetween = (from: Date, to: Date) => (to.getTime() - from.getTime()) / 1000
