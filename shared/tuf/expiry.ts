import { compareCodePoints } from './code-points.ts'
import { TufError } from './errors.ts'

/** How metadata says until when it counts (specification, section 4.2). */

const expiresFormat = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

/** When the role expires. Throws TufError 'invalid-metadata' unless it is written as every client reads it. */
export function expiresAt(metadata: { readonly expires: string }): Date {
  const date = new Date(metadata.expires)
  if (
    !expiresFormat.test(metadata.expires) ||
    Number.isNaN(date.getTime()) ||
    formatExpires(date) !== metadata.expires
  ) {
    throw new TufError(
      'invalid-metadata',
      `expires has to read YYYY-MM-DDTHH:MM:SSZ, not ${JSON.stringify(metadata.expires)}.`,
    )
  }
  return date
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
