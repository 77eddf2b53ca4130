import { setTimeout } from 'node:timers/promises'
import type { Clock } from '../../repository/ports.ts'
import { uuidV7Source } from './uuid-v7.ts'

/** The machine's clock. Ids grow within the process, so a process has one. */
export function systemClock(): Clock {
  return {
    now: () => new Date(),
    newId: uuidV7Source(Date.now),
    sleep: (milliseconds) => setTimeout(milliseconds),
  }
}
