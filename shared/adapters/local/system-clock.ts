import { setTimeout } from 'node:timers/promises'
import type { Clock } from '../../repository/ports.ts'
import { uuidV7Source } from './uuid-v7.ts'

/** The machine's clock. Ids grow within the process, so a process has one; and all are greater than `above`, if that is given. */
export function systemClock(above?: string): Clock {
  return {
    now: () => new Date(),
    newId: uuidV7Source(Date.now, undefined, above),
    sleep: (milliseconds) => setTimeout(milliseconds),
  }
}
