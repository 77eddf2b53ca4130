import { createPublicKey, type KeyObject } from 'node:crypto'
import { TufError } from '../../shared/tuf/errors.ts'
import { type Key, keyFromPublicKey } from '../../shared/tuf/keys.ts'
import {
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_MODULUS,
  CKA_PUBLIC_EXPONENT,
  CKK_EC,
  CKK_EC_EDWARDS,
  CKK_RSA,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
} from './constants.ts'
import type { Attribute, Handle } from './library.ts'
import { attempt, type Token } from './token.ts'
import { TokenError } from './token-error.ts'
import type { TokenUri } from './uri.ts'

/** One of the two objects that a key pair is on a token. */
export interface TokenObject {
  readonly handle: Handle
  readonly label: string
  readonly id: Buffer
}

/** The private key that the URI names, as far as the token shows it: most do after a login only. Throws TokenError 'key'. */
export function findPrivateKey(token: Token, uri: TokenUri): TokenObject {
  return findOne(token, uri, CKO_PRIVATE_KEY)
}

/** The public key that goes with a private one. Throws TokenError 'key'. */
export function publicKeyBeside(token: Token, { id, label }: TokenObject): TokenObject {
  return findOne(token, id.length > 0 ? { id } : { object: label }, CKO_PUBLIC_KEY)
}

/** The public key that the URI names, which tokens show without a PIN. Throws TokenError 'key'. */
export function findPublicKey(token: Token, uri: TokenUri): TokenObject {
  return findOne(token, uri, CKO_PUBLIC_KEY)
}

function findOne(token: Token, wanted: Pick<TokenUri, 'object' | 'id'>, kind: number): TokenObject {
  const fitting = find(token, [
    { type: CKA_CLASS, value: kind },
    ...(wanted.object === undefined ? [] : [{ type: CKA_LABEL, value: Buffer.from(wanted.object) }]),
    ...(wanted.id === undefined ? [] : [{ type: CKA_ID, value: wanted.id }]),
  ])
  const [found] = fitting
  if (found !== undefined && fitting.length === 1) return found
  const what = kind === CKO_PRIVATE_KEY ? 'private key' : 'public key'
  if (found !== undefined)
    throw new TokenError(
      'key',
      `On token ${token.name} that name fits ${listed(fitting)}. Say which one, with object and id.`,
    )
  const there = find(token, [{ type: CKA_CLASS, value: kind }])
  const shows = there.length === 0 ? `It shows no ${what}.` : `It shows ${listed(there)}.`
  throw new TokenError('key', `Token ${token.name} shows no such ${what}. ${shows}`)
}

const shownAtMost = 20

function find({ library, session, name }: Token, template: readonly Attribute[]): TokenObject[] {
  const handles = attempt(`Token ${name} shows no keys`, () => {
    library.C_FindObjectsInit(session, template)
    try {
      return library.C_FindObjects(session, shownAtMost)
    } finally {
      library.C_FindObjectsFinal(session)
    }
  })
  return handles.map((handle) => {
    const [label, id] = [CKA_LABEL, CKA_ID].map((type) => attribute({ library, session }, handle, type))
    return { handle, label: label?.toString() ?? '', id: id ?? Buffer.alloc(0) }
  })
}

const listed = (objects: readonly TokenObject[]) =>
  objects.map(({ label, id }) => `object=${encodeURIComponent(label)};id=${escaped(id)}`).join(' and ')

const escaped = (id: Buffer) => id.toString('hex').replace(/../g, '%$&')

/** Nothing where the object has none, or does not show it. */
export function attribute({ library, session }: Pick<Token, 'library' | 'session'>, object: Handle, type: number) {
  try {
    return library.C_GetAttributeValue(session, object, [{ type }])[0]?.value
  } catch {
    return undefined
  }
}

/** The key in TUF's form. Throws TokenError 'kind' for one that clients refuse. */
export function tufKeyOf(token: Token, object: TokenObject): Key {
  const what = `The key ${JSON.stringify(object.label)} on token ${token.name}`
  try {
    return keyFromPublicKey(readPublicKey(token, object, what))
  } catch (cause) {
    if (cause instanceof TufError) throw new TokenError('kind', `${what}: ${cause.message}`, { cause })
    throw cause
  }
}

/** 1.2.840.10045.3.1.7, as the parameters of a P-256 key. */
const p256 = Buffer.from('06082a8648ce3d030107', 'hex')

function readPublicKey(token: Token, { handle }: TokenObject, what: string): KeyObject {
  const read = (type: number) => {
    const value = attribute(token, handle, type)
    if (value !== undefined) return value
    throw new TokenError('kind', `${what} does not show its public part.`)
  }
  const fromJwk = (key: Readonly<Record<string, string>>) => {
    try {
      return createPublicKey({ format: 'jwk', key })
    } catch (cause) {
      throw new TokenError('kind', `${what} has a public part that cannot be read.`, { cause })
    }
  }
  const keyType = read(CKA_KEY_TYPE).readUInt32LE()
  if (keyType === CKK_RSA) {
    const [n, e] = [read(CKA_MODULUS), read(CKA_PUBLIC_EXPONENT)].map((number) => number.toString('base64url'))
    return fromJwk({ kty: 'RSA', n: n ?? '', e: e ?? '' })
  }
  if (keyType === CKK_EC && read(CKA_EC_PARAMS).equals(p256)) {
    const point = withoutWrapping(read(CKA_EC_POINT), 65)
    if (point?.[0] !== 4) throw new TokenError('kind', `${what} has a public part that cannot be read.`)
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((number) => number.toString('base64url'))
    return fromJwk({ kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' })
  }
  if (keyType === CKK_EC_EDWARDS) {
    const x = withoutWrapping(read(CKA_EC_POINT), 32)
    if (x !== undefined) return fromJwk({ kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') })
  }
  throw new TokenError(
    'kind',
    `${what} is of a kind that TUF clients refuse. Use P-256, Ed25519 or RSA of at least 2048 bits.`,
  )
}

/** A point of this many bytes: as a DER octet string, which is how it should come, or bare. */
function withoutWrapping(point: Buffer, length: number): Buffer | undefined {
  if (point.length === length) return point
  return point.length === length + 2 && point[0] === 0x04 && point[1] === length ? point.subarray(2) : undefined
}
