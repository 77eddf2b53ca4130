import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../../shared/app/logger.ts'

/** Each takes some 6 KiB, also while it waits. */
const most = 10_000
/** Milliseconds from one warning to the next. */
const quiet = 60_000

/**
 * Keeps connections from taking the open files that the stores need: each is one, and the artifact that it downloads another. Who comes
 * when there are too many is sent away; connections that wait for their next request end then, so that there is room on the next try.
 */
export function boundConnections({ server }: FastifyInstance, log: Logger): void {
  server.maxConnections = Math.min(most, Math.floor(openFiles() / 3))
  let warned = Number.NEGATIVE_INFINITY
  server.on('drop', () => {
    server.closeIdleConnections()
    if (performance.now() - warned < quiet) return
    warned = performance.now()
    log.warn({ most: server.maxConnections }, 'connections are refused: there are as many as the service takes')
  })
}

/** How many this process may have; as many as it likes where the system does not say. */
function openFiles(): number {
  try {
    const [, number] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return Number(number ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
