import { pino } from 'pino'
import type { Logger } from '../../shared/app/logger.ts'

/** One JSON document a line on standard error. Whoever reads it may be slow or gone: that neither blocks nor ends the service. */
export function standardErrorLog(): { readonly log: Logger; readonly flush: () => void } {
  const destination = pino.destination({ dest: 2, sync: false, maxLength: 16 * 1024 * 1024 })
  destination.on('error', () => {})
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination)
  return {
    log,
    flush() {
      try {
        destination.flushSync()
      } catch {
        // Nobody reads any more.
      }
    },
  }
}
