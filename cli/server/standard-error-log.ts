import { write as writeSome, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { systemErrorCode } from '../../shared/adapters/local/file-system.ts'
import type { Logger } from '../../shared/app/logger.ts'

const standardError = 2
/** Lines that come within so many milliseconds are written by one call, which takes longer than to make a line. */
const gatheredFor = 10
/** What could not be written, because nobody has read what came before or a disk is full, is tried again. Milliseconds. */
const pause = 200
/** At the end, with a pause before each. */
const mostTries = 5
/** Of lines that nobody has taken yet. What comes then is lost. */
const mostCharacters = 16 * 1024 * 1024

/**
 * One JSON document a line on standard error. Whoever reads it may be slow or gone, and a disk that it goes to may be full: that neither
 * blocks nor ends the service. Not by pino's own destination: at the end of the process that tries for ever where a disk is full or nobody
 * reads, and mixes up what was on its way.
 */
export function standardErrorLog(): Logger {
  let lines = ''
  let isOnItsWay = false
  let isGone = false

  function write(line: string): void {
    if (isGone || lines.length + line.length > mostCharacters) return
    lines += line
    if (!isOnItsWay) writeIn(gatheredFor)
  }

  function writeIn(milliseconds: number): void {
    isOnItsWay = true
    setTimeout(writeLines, milliseconds).unref()
  }

  async function writeLines(): Promise<void> {
    let bytes = Buffer.from(lines)
    lines = ''
    let after = gatheredFor
    try {
      while (bytes.length > 0) bytes = bytes.subarray((await promisify(writeSome)(standardError, bytes)).bytesWritten)
    } catch (error) {
      isGone = systemErrorCode(error) === 'EPIPE'
      lines = isGone ? '' : bytes.toString() + lines
      after = pause
    }
    isOnItsWay = false
    if (lines !== '') writeIn(after)
  }

  // Each cause by itself, as Powertools has them: by default what the causes say is said again in the message above them.
  const serializers = { err: pino.stdSerializers.errWithCause }
  // However the process ends, short of being killed.
  process.once('exit', () => writeNow(Buffer.from(lines)))
  return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers }, { write })
}

/** Gives up where nobody reads on, or nothing can be written. */
function writeNow(bytes: Buffer): void {
  let left = bytes
  for (let tries = 0; left.length > 0 && tries < mostTries; ) {
    try {
      left = left.subarray(writeSync(standardError, left))
      tries = 0
    } catch (error) {
      if (systemErrorCode(error) !== 'EAGAIN') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause)
      tries++
    }
  }
}
