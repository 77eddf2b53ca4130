import { TufError } from './errors.ts'
import type { Json, JsonObject } from './json.ts'

/** Where in a document a value stands. Only an error puts it into words: a big file has many places and seldom an error. */
export interface Place {
  readonly within?: Place
  readonly member: string | number
}

export function inside(within: Place, member: string | number): Place {
  return { within, member }
}

/** Such as `snapshot.meta["targets.json"].version`. */
export function inWords({ within, member }: Place): string {
  if (within === undefined) return String(member)
  return typeof member === 'string' && /^\w+$/.test(member)
    ? `${inWords(within)}.${member}`
    : `${inWords(within)}[${JSON.stringify(member)}]`
}

export function object(value: Json | undefined, at: Place): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw unexpected(value, 'an object', at)
}

export function text(value: Json | undefined, at: Place): string {
  if (typeof value === 'string') return value
  throw unexpected(value, 'a string', at)
}

export function integer(
  value: Json | undefined,
  at: Place,
  minimum: number,
  maximum = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum)
    return value as number
  throw unexpected(value, `a whole number from ${minimum} to ${maximum}`, at)
}

export function list<Element>(
  value: Json | undefined,
  at: Place,
  decode: (element: Json, at: Place) => Element,
): Element[] {
  if (!Array.isArray(value)) throw unexpected(value, 'an array', at)
  return value.map((element, index) => decode(element, inside(at, index)))
}

/** An object whose keys somebody else chose, as a Map: there `__proto__` is a key like any other. */
export function map<Value>(
  value: Json | undefined,
  at: Place,
  decode: (member: Json, at: Place) => Value,
): Map<string, Value> {
  const fields = object(value, at)
  const decoded = new Map<string, Value>()
  // Not Object.entries, which takes thrice as long over a big object.
  for (const key of Object.keys(fields)) decoded.set(key, decode(fields[key] as Json, inside(at, key)))
  return decoded
}

export function optional<Value>(value: Json | undefined, decode: (value: Json) => Value): Value | undefined {
  return value === undefined ? undefined : decode(value)
}

function unexpected(value: Json | undefined, wanted: string, at: Place): TufError {
  const found = value === undefined ? 'missing' : (JSON.stringify(value) ?? '').slice(0, 80)
  return new TufError('invalid-metadata', `${inWords(at)} has to be ${wanted}; it is ${found}.`)
}
