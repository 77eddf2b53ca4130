import { paint } from './output.ts'
import { fromNow } from './table.ts'

/** Such as `expires in 6 days`, or `expired 3 hours ago`. */
export function describeExpiry(expires: Date, now: Date): string {
  return `${expires <= now ? 'expired' : 'expires'} ${fromNow(expires, now)}`
}

/** For a column of expiries: such as `in 6 days`, or in red `expired 3 hours ago`. */
export function expiryCell(expires: Date, now: Date): string {
  return expires <= now ? paint('red', describeExpiry(expires, now)) : fromNow(expires, now)
}
