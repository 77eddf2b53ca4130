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
  // Before parsing: what comes out of JSON.parse no longer shows a key that was there twice.
  const membersInText = countMembers(text)
  let value: Json
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new TufError('invalid-json', `This is not JSON: ${cause instanceof Error ? cause.message : cause}.`, {
      cause,
    })
  }
  if (membersInText !== countKeys(value)) {
    throw new TufError(
      'invalid-json',
      `The JSON has a key twice in one object${whichKeyTwice(text)}. Send each key once.`,
    )
  }
  return value
}

/** How many `"key":` the text holds; refuses what is nested too deeply. Right for every text that JSON.parse accepts. */
function countMembers(text: string): number {
  let members = 0
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = endOfString(text, at)
        break
      case 0x3a:
        members++
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
  return members
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

/** Only on the way to an error message, so it may take its time. */
function whichKeyTwice(text: string): string {
  const open: Set<string>[] = []
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '{' || character === '[') open.push(new Set())
    else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const end = endOfString(text, at)
      const isKey = /^\s*:/.test(text.slice(end + 1, end + 100))
      const key: string = JSON.parse(text.slice(at, end + 1))
      if (isKey) {
        const keys = open.at(-1)
        if (keys?.has(key)) return ` (${JSON.stringify(key.slice(0, 100))}, at character ${at})`
        keys?.add(key)
      }
      at = end
    }
  }
  return ''
}
