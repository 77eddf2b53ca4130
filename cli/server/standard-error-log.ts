import { pino } from 'pino'
import type { Logger } from '../../shared/app/logger.ts'

/** Lines that come within so many milliseconds are written by one call, which takes longer than to make a line. */
const gatheredFor = 10

/** One JSON document a line on standard error. Whoever reads it may be slow or gone: that neither blocks nor ends the service. */
export function standardErrorLog(): { readonly log: Logger; readonly flush: () => void } {
  const destination = pino.destination({ dest: 2, sync: false, maxLength: 16 * 1024 * 1024 })
  destination.on('error', () => {})
  let lines = ''
  const writeLines = () => {
    const gathered = lines
    lines = ''
    if (gathered !== '') destination.write(gathered)
  }
  const write = (line: string) => {
    if (lines === '') setTimeout(writeLines, gatheredFor)
    lines += line
  }
  // Each cause by itself, as Powertools has them: by default what the causes say is said again in the message above them.
  const serializers = { err: pino.stdSerializers.errWithCause }
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers }, { write })
  const flush = () => {
    try {
      writeLines()
      destination.flushSync()
    } catch {
      // Nobody reads any more.
    }
  }
  // However the process ends, short of being killed.
  process.once('exit', flush)
  return { log, flush }
}
