import { CarriedMap } from './carried-map.ts'
import { inOrder } from './code-points.ts'
import { comma, EditedMap, type Part } from './edited-map.ts'
import { TufError } from './errors.ts'
import { OrderedMap, type Piece } from './ordered-map.ts'
import { ReadOnlyMap } from './read-only-map.ts'

/**
 * The OLPC canonical JSON of a value, as TUF signs it (specification, section 4.1): keys in the order of their code points,
 * no white space, no fractions, and `"` and `\` the only characters that are escaped. A Map is written as an object, which
 * is how metadata holds names that somebody else chose (`__proto__` among them). Throws TufError 'not-canonical'.
 */
export function canonicalBytes(value: unknown): Uint8Array {
  const parts = partsOf(value)
  const bytes = parts.length === 1 && parts[0] ? parts[0].bytes : joined(parts)
  if (parts.every(({ isJson }) => isJson)) json.add(bytes)
  return bytes
}

/**
 * True if `canonicalBytes` has made these very bytes, and they are JSON as well. They are not where a string holds a control
 * character, which canonical JSON leaves as it is and JSON escapes.
 */
export function isJson(bytes: Uint8Array): boolean {
  return json.has(bytes)
}

const json = new WeakSet<Uint8Array>()

/** Bytes that have room around them, so that a file can be made of them without a copy. */
export interface Roomy {
  /** The bytes, with the room in front of them and behind. */
  readonly whole: Uint8Array
  readonly before: number
}

const roomy = new WeakMap<Uint8Array, Roomy>()
const room = { before: 2048, after: 64 }

/** The room around bytes that `canonicalBytes` has put together from pieces. Whoever asks first gets it, and nobody after. */
export function takeRoom(bytes: Uint8Array): Roomy | undefined {
  const taken = roomy.get(bytes)
  roomy.delete(bytes)
  return taken
}

function joined(parts: readonly Part[]): Uint8Array {
  const length = parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const whole = Buffer.allocUnsafeSlow(room.before + length + room.after)
  let at = room.before
  for (const { bytes, placed } of parts) {
    whole.set(bytes, at)
    at += bytes.length
    placed?.(whole, at)
  }
  const bytes = whole.subarray(room.before, at)
  roomy.set(bytes, { whole, before: room.before })
  return bytes
}

/**
 * Maps that are members of `value` itself are not serialised anew as a whole: of an OrderedMap each piece is once, however often
 * it is written; of an EditedMap what has changed; of a CarriedMap nothing.
 */
function partsOf(value: unknown): readonly Part[] {
  const isInPieces =
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).some(
      (member) => member instanceof OrderedMap || member instanceof EditedMap || member instanceof CarriedMap,
    )
  if (!isInPieces) return [partOf(canonicalText(value))]
  const parts: Part[] = []
  let text = '{'
  for (const key of inOrder(Object.keys(value))) {
    const member = (value as Record<string, unknown>)[key]
    if (member === undefined) continue
    text += `${text === '{' && parts.length === 0 ? '' : ','}${quoted(key)}:`
    if (member instanceof OrderedMap) {
      parts.push(partOf(`${text}{`))
      for (const [at, piece] of member.pieces.entries()) parts.push(...(at === 0 ? [] : [comma]), partOfPiece(piece))
      text = '}'
    } else if (member instanceof EditedMap) {
      parts.push(partOf(`${text}{`))
      for (const part of member.parts(memberText, partOf)) parts.push(part)
      text = '}'
    } else if (member instanceof CarriedMap) {
      parts.push(partOf(`${text}{`), { bytes: member.bytes, isJson: true })
      text = '}'
    } else text += canonicalText(member)
  }
  return [...parts, partOf(`${text}}`)]
}

const controlCharacter = /[^ -\uffff]/
const partOf = (text: string): Part => ({ bytes: Buffer.from(text), isJson: !controlCharacter.test(text) })
const partsOfPieces = new WeakMap<Piece<unknown>, Part>()

function partOfPiece(piece: Piece<unknown>): Part {
  const known = partsOfPieces.get(piece)
  if (known !== undefined) return known
  const part = partOf(piece.map(([key, value]) => memberText(key, value)).join(','))
  partsOfPieces.set(piece, part)
  return part
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
      return isMap(value)
        ? `{${members(inOrder([...value.keys()]), (key) => value.get(key))}}`
        : `{${members(inOrder(Object.keys(value)), (key) => (value as Record<string, unknown>)[key])}}`
    default:
      throw new TufError('not-canonical', `Canonical JSON cannot hold a value of type ${typeof value}.`)
  }
}

const isMap = (value: object): value is ReadonlyMap<string, unknown> =>
  value instanceof Map || value instanceof OrderedMap || value instanceof ReadOnlyMap

const memberText = (key: string, value: unknown) => `${quoted(key)}:${canonicalText(value)}`

function members(keys: readonly string[], get: (key: string) => unknown): string {
  const [only] = keys
  if (only !== undefined && keys.length === 1) {
    const value = get(only)
    return value === undefined ? '' : memberText(only, value)
  }
  const texts: string[] = []
  for (const key of keys) {
    const value = get(key)
    if (value !== undefined) texts.push(memberText(key, value))
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
