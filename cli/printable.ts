const introducer = String.fromCodePoint(0x1b)
/** What `paint` makes. Whoever else writes it can make text bold or green by it, and no more. */
const colour = `${introducer}\\[(?:1|2|22|31|32|33|36|39)m`
/** By these, what others wrote could move a terminal's cursor, hide or reorder what it shows, or begin a line of its own. */
const unprintable = '[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]'

const inText = new RegExp(`(${colour}|\n)|${unprintable}`, 'gu')
const inLine = new RegExp(`(${colour})|${unprintable}`, 'gu')

/** Text for a terminal: only what it is meant to show. What else there is stands there as JSON would escape it, so JSON stays what it is. */
export function printable(text: string): string {
  return text.replace(inText, shown)
}

/** The same for what has to stay within one line. */
export function inOneLine(text: string): string {
  return text.replace(inLine, shown)
}

/** As a shell takes it for one word, in a command that is to be copied. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function shown(found: string, kept: string | undefined): string {
  if (kept !== undefined) return kept
  const units = Array.from({ length: found.length }, (_, at) => found.charCodeAt(at))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
