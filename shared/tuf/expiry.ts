import { compareCodePoints } from './code-points.ts'
import { TufError } from './errors.ts'

/** How metadata says until when it counts (specification, section 4.2). */

const expiresFormat = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

const fraction = /\.\d{1,9}Z$/

/**
 * When the role expires, to the second. Fractions, which go-tuf v2 and tuftool have written and some clients read, are dropped: what we
 * publish has none, see `checkExpires`. Throws TufError 'invalid-metadata' for anything else that is no such time.
 */
export function expiresAt({ expires }: { readonly expires: string }): Date {
  const whole = expires.replace(fraction, 'Z')
  const date = new Date(whole)
  if (!expiresFormat.test(whole) || Number.isNaN(date.getTime()) || formatExpires(date) !== whole)
    throw new TufError('invalid-metadata', `expires has to read YYYY-MM-DDTHH:MM:SSZ, not ${JSON.stringify(expires)}.`)
  return date
}

/** Throws TufError 'invalid-metadata' unless every client can read when this expires. `what` names the metadata in the message. */
export function checkExpires(what: string, metadata: { readonly expires: string }): void {
  const whole = formatExpires(expiresAt(metadata))
  if (metadata.expires === whole) return
  throw new TufError(
    'invalid-metadata',
    `${what}.expires has to read YYYY-MM-DDTHH:MM:SSZ, not ${JSON.stringify(metadata.expires)}: some clients refuse fractions ` +
      `of a second. Sign it with ${JSON.stringify(whole)}.`,
  )
}

/** Whole seconds and a Z: fractions and offsets each break a client. Throws TufError 'invalid-metadata' beyond the year 9999. */
export function formatExpires(date: Date): string {
  const text = `${date.toISOString().slice(0, 19)}Z`
  if (expiresFormat.test(text)) return text
  throw new TufError('invalid-metadata', `${date.toISOString()} is beyond the years that clients read, 0000 to 9999.`)
}

/** In milliseconds. */
export const day = 24 * 60 * 60 * 1000

/** When a role expires that is signed now and lives so many days. */
export const expiresIn = (now: Date, days: number) => formatExpires(new Date(now.getTime() + days * day))

/** Sorts what expires first to the front; of what expires at the same time, by the names of the roles. */
export function byExpiry(one: Expiring, other: Expiring): number {
  return one.expires.getTime() - other.expires.getTime() || compareCodePoints(one.role, other.role)
}

interface Expiring {
  readonly role: string
  readonly expires: Date
}
