import type * as z from 'zod'
import type { awaitedSignatures } from '../shared/app/result-schemas.ts'
import { describeExpiry } from './expiry.ts'
import { paint } from './output.ts'
import { inOneLine } from './printable.ts'
import { plural, table } from './table.ts'

/** What waits for the signatures of its holders, as the API shows it. */
export type Awaited = z.infer<typeof awaitedSignatures>

/** What waits, how many signatures each piece needs still, and whose would count; empty if nothing waits. */
export function describeAwaited(awaited: Awaited, now: Date): string {
  if (awaited.length === 0) return ''
  return `${paint('bold', 'Waits for signatures')}\n${awaited.map((one) => describeOne(one, now)).join('\n')}`
}

function describeOne({ role, version, expires, groups }: Awaited[number], now: Date): string {
  const life = describeExpiry(new Date(expires), now)
  const several = groups.length > 1
  const rows = groups.map(({ threshold, signed, unsigned }, index) => {
    const missing = Math.max(0, threshold - signed.length)
    // A root's first group is its own; the other, that of the root before.
    const whose = several ? [['its own holders', 'those of the root before'][index] ?? ''] : []
    const state = missing === 0 ? 'signed' : `${plural(missing, 'signature')} missing, of ${unsigned.join(', ')}`
    return [`    ${signed.length} of ${threshold}`, ...whose, state]
  })
  return `  ${inOneLine(role)}, version ${version}, ${life}\n${table(rows)}`
}
