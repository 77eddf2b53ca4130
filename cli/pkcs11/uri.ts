import { TokenError } from './token-error.ts'

/** A key on a token, as a PKCS#11 URI names it (RFC 7512). What is left out fits anything. */
export interface TokenUri {
  /** The library of the token's maker. */
  readonly modulePath: string
  readonly token: Readonly<Partial<Record<TokenAttribute, string>>>
  readonly slot?: number
  /** The key's label, CKA_LABEL. */
  readonly object?: string
  /** CKA_ID */
  readonly id?: Buffer
}

const tokenAttributes = ['token', 'serial', 'manufacturer', 'model'] as const
export type TokenAttribute = (typeof tokenAttributes)[number]

const pathAttributes: readonly string[] = [...tokenAttributes, 'slot-id', 'object', 'id', 'type']
const example = 'pkcs11:token=alice;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so'

/** Throws TokenError 'uri'. What it says shows no value, for one might be a PIN. */
export function parseTokenUri(uri: string): TokenUri {
  const [, path = '', query] = /^pkcs11:([^?]*)(?:\?(.*))?$/s.exec(uri) ?? []
  const inPath = attributes(path, ';')
  const inQuery = attributes(query ?? '', '&')
  for (const name of ['pin-value', 'pin-source']) {
    if (inPath.has(name) || inQuery.has(name))
      throw wrong(`Leave ${name} out: PINs are asked for, or read from --password-fd.`)
  }
  const strange = [
    ...[...inPath.keys()].filter((name) => !pathAttributes.includes(name)),
    ...[...inQuery.keys()].filter((name) => name !== 'module-path'),
  ]
  if (strange.length > 0) {
    throw wrong(
      `${strange.join(' and ')} cannot stand there: before the ? may stand ${pathAttributes.join(', ')}, after it module-path.`,
    )
  }
  const modulePath = inQuery.get('module-path')?.toString()
  if (!modulePath) throw wrong("It has to name the library of the token's maker, in module-path.")
  const type = inPath.get('type')?.toString() ?? 'private'
  if (type !== 'private' && type !== 'public')
    throw wrong('Its type can be private or public, which name the same key.')
  const slot = slotIn(inPath.get('slot-id')?.toString())
  const object = inPath.get('object')?.toString()
  const id = inPath.get('id')
  const token: Partial<Record<TokenAttribute, string>> = {}
  for (const name of tokenAttributes) {
    const value = inPath.get(name)?.toString()
    if (value !== undefined) token[name] = value
  }
  return {
    modulePath,
    token,
    ...(slot !== undefined && { slot }),
    ...(object !== undefined && { object }),
    ...(id !== undefined && { id }),
  }
}

function attributes(text: string, separator: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  for (const part of text.split(separator)) {
    if (part === '') continue
    const [name = '', value] = part.split(/=(.*)/s)
    if (value === undefined || !/^[a-z][a-z-]*$/.test(name)) throw wrong('It consists of name=value.')
    if (found.has(name)) throw wrong(`${name} stands there twice.`)
    found.set(name, unescaped(name, value))
  }
  return found
}

/** The bytes of a value: an id is no text. */
function unescaped(name: string, value: string): Buffer {
  if (/%(?![0-9A-Fa-f]{2})/.test(value)) throw wrong(`A % in the value of ${name} is not followed by two hex digits.`)
  const parts = value.split(/(%[0-9A-Fa-f]{2})/)
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 0 ? Buffer.from(part) : Buffer.from(part.slice(1), 'hex'))),
  )
}

function slotIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text)) throw wrong('Its slot-id is a number.')
  return Number(text)
}

function wrong(why: string): TokenError {
  return new TokenError('uri', `This PKCS#11 URI does not name a key. ${why} Write it like '${example}'.`)
}
