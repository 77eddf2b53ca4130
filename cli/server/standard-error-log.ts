import { pino } from 'pino'
import type { Logger } from '../../shared/app/logger.ts'

/**
 * One JSON document a line on standard error, at most a tenth of a second late. Whoever reads it may be slow or gone: that neither
 * blocks nor ends the service.
 */
export function standardErrorLog(): { readonly log: Logger; readonly flush: () => void } {
  const destination = pino.destination({
    ...{ dest: 2, sync: false, maxLength: 16 * 1024 * 1024 },
    // To write each line by itself takes a tenth of what a small post takes.
    ...{ minLength: 4096, periodicFlush: 100 },
  })
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
