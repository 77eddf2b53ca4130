import { TufError } from './errors.ts'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** Deep enough for any metadata, shallow enough that no recursion over what was parsed can overflow. */
const maximumDepth = 64

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Parses JSON that somebody may have made to be read differently by different readers: invalid UTF-8, the same key twice in
 * one object, and nesting beyond 64 levels are refused with TufError 'invalid-json'. `JSON.parse` does the parsing.
 */
export function parseJson(bytes: Uint8Array): Json {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch (cause) {
    throw new TufError('invalid-json', 'The JSON is not valid UTF-8. Send it encoded as UTF-8.', { cause })
  }
  const { members, hasEscapedKey } = survey(text)
  let value: Json
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new TufError('invalid-json', `This is not JSON: ${cause instanceof Error ? cause.message : cause}.`, {
      cause,
    })
  }
  // What comes out of JSON.parse no longer shows a key that was there twice. And V8 may take a key with an escape for another
  // that it has met before: https://github.com/nodejs/node/issues/63785.
  return hasEscapedKey || members !== countKeys(value) ? readKeyByKey(text) : value
}

/** How many `"key":` the text holds; refuses what is nested too deeply. Right for every text that JSON.parse accepts. */
function survey(text: string): { members: number; hasEscapedKey: boolean } {
  const hasEscapes = text.includes('\\')
  let members = 0
  let hasEscapedKey = false
  let depth = 0
  let stringStart = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        stringStart = at
        at = endOfString(text, at)
        break
      case 0x3a:
        members++
        hasEscapedKey ||= hasEscapes && text.slice(stringStart, at).includes('\\')
        break
      case 0x7b:
      case 0x5b:
        depth++
        if (depth > maximumDepth) {
          throw new TufError(
            'invalid-json',
            `The JSON is nested more than ${maximumDepth} levels deep. Send it flatter.`,
          )
        }
        break
      case 0x7d:
      case 0x5d:
        depth--
        break
    }
  }
  return { members, hasEscapedKey }
}

/** The index of the quote that ends the string beginning at `start`. */
function endOfString(text: string, start: number): number {
  let end = start
  for (;;) {
    end = text.indexOf('"', end + 1)
    if (end === -1) return text.length
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return end
  }
}

function countKeys(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const element of value) count += countKeys(element)
    return count
  }
  const object = value as JsonObject
  // Not Object.values, which takes twice as long over a big object.
  for (const key of Object.keys(object)) count += 1 + countKeys(object[key] as Json)
  return count
}

/** Reads what JSON.parse has found to be JSON, slowly but each key for itself. Throws where one comes twice in an object. */
function readKeyByKey(text: string): Json {
  let at = 0

  const token = (): string => {
    while (' \n\r\t'.includes(text.charAt(at))) at++
    const start = at
    if (text[start] === '"') at = endOfString(text, start) + 1
    else if ('{}[],:'.includes(text.charAt(start))) at++
    else while (/[\w.+-]/.test(text.charAt(at))) at++
    return text.slice(start, at)
  }

  const value = (first: string): Json => {
    if (first === '{') return members()
    return first === '[' ? elements() : JSON.parse(first)
  }

  const elements = (): Json[] => {
    const read: Json[] = []
    for (let next = token(); next !== ']'; next = token()) if (next !== ',') read.push(value(next))
    return read
  }

  const members = (): JsonObject => {
    const read = new Map<string, Json>()
    for (let next = token(); next !== '}'; next = token()) {
      if (next === ',') continue
      const key: string = JSON.parse(next)
      if (read.has(key)) {
        const which = `${JSON.stringify(key.slice(0, 100))}, at character ${at - next.length}`
        throw new TufError('invalid-json', `The JSON has a key twice in one object (${which}). Send each key once.`)
      }
      token() // the colon
      read.set(key, value(token()))
    }
    return Object.fromEntries(read)
  }

  return value(token())
}

/** True for a value that is nested more than so many levels deep. */
export function isDeeper(json: Json, levels: number): boolean {
  if (typeof json !== 'object' || json === null) return false
  return levels === 0 || Object.values(json).some((member) => isDeeper(member, levels - 1))
}
