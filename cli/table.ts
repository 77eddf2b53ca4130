import { stripVTControlCharacters } from 'node:util'
import { inOneLine } from './printable.ts'

/** Rows as columns of equal width, two spaces apart; each stays in its line, whatever its cells hold. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(inOneLine))
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width(cell))
  }
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell))).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length
}

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const

/** Such as `in 6 days` or `3 hours ago`. */
export function fromNow(time: Date, now: Date): string {
  const seconds = Math.round((time.getTime() - now.getTime()) / 1000)
  if (seconds === 0) return 'just now'
  return seconds < 0 ? `${duration(-seconds)} ago` : `in ${duration(seconds)}`
}

/** Such as `6 days`: rounded, in the biggest unit that there is one of. */
export function duration(seconds: number): string {
  const [unit, length] = units.find(([, length]) => seconds >= length) ?? (['second', 1] as const)
  return plural(Math.round(seconds / length), unit)
}

/** Such as `1 file` or `1,024 files`. */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}

const barWidth = 24

/** Such as `████░░░░ 1 of 2 files`. */
export function progressBar(done: number, total: number, noun: string): string {
  const full = total === 0 ? barWidth : Math.min(barWidth, Math.round((barWidth * done) / total))
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${done.toLocaleString('en')} of ${plural(total, noun)}`
}

/** Enough of a digest or keyid to tell it from others at a glance. */
export function short(hex: string): string {
  return hex.length > 16 ? `${hex.slice(0, 12)}…` : hex
}
