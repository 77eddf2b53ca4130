import { bigMap, membersInPieces } from './canonical-pieces.ts'
import { TufError } from './errors.ts'

/**
 * The OLPC canonical JSON of a value, as TUF signs it (specification, section 4.1): keys in the order of their code points,
 * no white space, no fractions, and `"` and `\` the only characters that are escaped. A Map is written as an object, which
 * is how metadata holds names that somebody else chose (`__proto__` among them). Throws TufError 'not-canonical'.
 */
export function canonicalBytes(value: unknown): Uint8Array {
  return Buffer.from(canonicalText(value), 'utf8')
}

export function canonicalText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quoted(value)
    case 'number':
      if (Number.isSafeInteger(value)) return String(value === 0 ? 0 : value)
      throw new TufError('not-canonical', `Canonical JSON holds whole numbers up to 2^53 - 1 only, not ${value}.`)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      if (Array.isArray(value)) return `[${Array.from(value, canonicalText).join(',')}]`
      return value instanceof Map
        ? `{${membersOfMap(value)}}`
        : `{${members(inOrder(Object.keys(value)), (key) => (value as Record<string, unknown>)[key])}}`
    default:
      throw new TufError('not-canonical', `Canonical JSON cannot hold a value of type ${typeof value}.`)
  }
}

function membersOfMap(map: ReadonlyMap<string, unknown>): string {
  const serialise = (keys: readonly string[]) => members(keys, (key) => map.get(key))
  const remembered = map.size < bigMap ? undefined : membersInPieces(map, isSorted, serialise)
  return remembered ?? serialise(inOrder([...map.keys()]))
}

function inOrder(keys: string[]): string[] {
  // Most keys are in order already, and seeing that is much cheaper than sorting them.
  return isSorted(keys) ? keys : keys.sort(compareCodePoints)
}

function members(keys: readonly string[], get: (key: string) => unknown): string {
  const texts: string[] = []
  for (const key of keys) {
    const member = get(key)
    if (member !== undefined) texts.push(`${quoted(key)}:${canonicalText(member)}`)
  }
  // Joined rather than added up: what is added up stays in its pieces, and is put together again each time it is used.
  return texts.join(',')
}

const needsEscape = /["\\]/

function quoted(text: string): string {
  if (!text.isWellFormed()) {
    throw new TufError(
      'not-canonical',
      `${JSON.stringify(text)} has half of a surrogate pair, which UTF-8 cannot hold.`,
    )
  }
  return needsEscape.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`
}

function isSorted(keys: readonly string[]): boolean {
  for (let at = 1; at < keys.length; at++) {
    if (compareCodePoints(keys[at - 1] ?? '', keys[at] ?? '') > 0) return false
  }
  return true
}

/** Negative, zero or positive as `left` comes before, at or after `right` in code-point order; `<` compares UTF-16 units. */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const leftUnit = left.charCodeAt(at)
    const rightUnit = right.charCodeAt(at)
    if (leftUnit !== rightUnit) return rank(leftUnit) - rank(rightUnit)
  }
  return left.length - right.length
}

/** Surrogates stand for code points above U+FFFF, so they come after U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
