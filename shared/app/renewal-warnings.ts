import type { HeldRole } from '../repository/renewal.ts'
import { day } from '../tuf/expiry.ts'
import type { Logger } from './logger.ts'

/**
 * Warns of roles that only their holders can sign anew, of each once a day as long as this process lives: whoever asks every
 * minute fills no log with it.
 */
export function renewalWarnings(log: Logger): (due: readonly HeldRole[], now: Date) => void {
  const warned = new Map<string, number>()
  return (due, now) => {
    for (const { role, version, expires } of due) {
      const name = `${version}.${role}`
      // Either way: a clock that was ahead for a moment does not silence it until that time.
      if (Math.abs(now.getTime() - (warned.get(name) ?? Number.NEGATIVE_INFINITY)) < day) continue
      warned.set(name, now.getTime())
      const days = Math.floor((expires.getTime() - now.getTime()) / day)
      const message = days < 0 ? 'a role has expired' : 'a role expires soon'
      log.warn(
        { role, version, expires: expires.toISOString(), days },
        `${message} that only its holders can sign anew`,
      )
    }
  }
}
