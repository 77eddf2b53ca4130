import { TufError } from './errors.ts'
import type { Json, JsonObject } from './json.ts'

/** Where in a document a value stands, for the error that says so. */
export interface DecodeContext {
  readonly where: string
}

export function object(value: Json | undefined, at: DecodeContext): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw unexpected(value, 'an object', at)
}

export function text(value: Json | undefined, at: DecodeContext): string {
  if (typeof value === 'string') return value
  throw unexpected(value, 'a string', at)
}

export function integer(
  value: Json | undefined,
  at: DecodeContext,
  minimum: number,
  maximum = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum)
    return value as number
  throw unexpected(value, `a whole number from ${minimum} to ${maximum}`, at)
}

export function list<Element>(
  value: Json | undefined,
  at: DecodeContext,
  decode: (element: Json, at: DecodeContext) => Element,
): Element[] {
  if (!Array.isArray(value)) throw unexpected(value, 'an array', at)
  return value.map((element, index) => decode(element, { where: `${at.where}[${index}]` }))
}

/** An object whose keys somebody else chose, as a Map: there `__proto__` is a key like any other. */
export function map<Value>(
  value: Json | undefined,
  at: DecodeContext,
  decode: (member: Json, at: DecodeContext) => Value,
): Map<string, Value> {
  const fields = Object.entries(object(value, at))
  return new Map(fields.map(([key, member]) => [key, decode(member, { where: `${at.where}[${JSON.stringify(key)}]` })]))
}

export function optional<Value>(value: Json | undefined, decode: (value: Json) => Value): Value | undefined {
  return value === undefined ? undefined : decode(value)
}

function unexpected(value: Json | undefined, wanted: string, { where }: DecodeContext): TufError {
  const found = value === undefined ? 'missing' : (JSON.stringify(value) ?? '').slice(0, 80)
  return new TufError('invalid-metadata', `${where} has to be ${wanted}; it is ${found}.`)
}
