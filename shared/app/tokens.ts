import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import * as z from 'zod'
import { TufError } from '../tuf/errors.ts'
import { parseJson } from '../tuf/json.ts'
import { ApiError } from './errors.ts'
import {
  type Authenticate,
  type Permission,
  type Principal,
  permissions,
  principal,
  principalName,
} from './principal.ts'

/** One line of a token file: who it is for and what it allows, and nothing that would let a reader of the file use it. */
export interface TokenEntry {
  readonly name: string
  readonly permission: Permission
  /** Of the token's characters, in hex. Tokens are random, so this needs no salt and no slowness. */
  readonly sha256: string
  /** ISO 8601, UTC; absent: never. */
  readonly expires?: string
}

const entry = z.strictObject({
  name: z.string().regex(principalName, '1 to 100 printable ASCII characters'),
  permission: z.enum(permissions),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits'),
  expires: z.iso.datetime({ offset: true }).optional(),
})

export class TokenFileError extends Error {
  override readonly name = 'TokenFileError'
}

/** A new token, to be shown once, and the entry by which it is known. */
export function newToken(
  name: string,
  permission: Permission,
  expires?: Date,
): { readonly token: string; readonly entry: TokenEntry } {
  const token = `tuffet_${randomBytes(32).toString('base64url')}`
  const sha256 = hash(token).toString('hex')
  return { token, entry: { name, permission, sha256, ...(expires && { expires: expires.toISOString() }) } }
}

/** The entries of a token file: a JSON array. Throws TokenFileError that says what is wrong in which entry. */
export function decodeTokens(bytes: Uint8Array): TokenEntry[] {
  let json: unknown
  try {
    json = parseJson(bytes)
  } catch (cause) {
    throw new TokenFileError(cause instanceof TufError ? cause.message : String(cause), { cause })
  }
  const parsed = z.array(entry).safeParse(json)
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`)
    throw new TokenFileError(`This is no token file: ${wrong.join('; ')}. \`tuffet token new\` makes one.`)
  }
  return parsed.data.map(({ expires, ...known }) => ({ ...known, ...(expires !== undefined && { expires }) }))
}

export async function readTokens(file: string): Promise<TokenEntry[]> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(file)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new TokenFileError(`The token file ${file} cannot be read: ${why}`, { cause })
  }
  try {
    return decodeTokens(bytes)
  } catch (cause) {
    throw new TokenFileError(`${file}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

/**
 * Knows who calls by the bearer tokens of a file, which is read again whenever it has changed; while it cannot be read nobody
 * is let in. Throws TokenFileError if it cannot be read now.
 */
export async function tokensOf(file: string, read = readTokens): Promise<Authenticate> {
  // Before what it is the version of: a change in between is then seen the next time.
  let version = await versionOf(file)
  let tokens = await read(file)
  return async (event) => {
    const now = await versionOf(file)
    if (now !== version) {
      try {
        tokens = await read(file)
        version = now
      } catch (cause) {
        const why = 'The tokens of this service cannot be read, so nobody can be let in. Its log says why.'
        throw new ApiError('unavailable', 'The service is not available.', why, { cause })
      }
    }
    return bearer(event.headers['authorization'], tokens, new Date())
  }
}

/** What tells one state of the file from another. */
async function versionOf(file: string): Promise<string> {
  try {
    const { mtimeMs, ctimeMs, size, ino } = await stat(file)
    return [mtimeMs, ctimeMs, size, ino].join('/')
  } catch {
    return 'not there'
  }
}

/** Exported for tests and for tokens that live in memory alone. */
export function bearer(header: string | undefined, tokens: readonly TokenEntry[], now: Date): Principal {
  const token = /^Bearer +([\x21-\x7e]+) *$/i.exec(header ?? '')?.[1]
  if (token === undefined) throw unauthenticated('Send "Authorization: Bearer <token>".', 'Bearer realm="tuffet"')
  const sent = hash(token)
  // All of them, so that the time it takes says nothing about which one it was.
  const [found] = tokens.filter(({ sha256 }) => timingSafeEqual(Buffer.from(sha256, 'hex'), sent))
  if (found === undefined) throw unauthenticated('This token is not known here.', invalidToken)
  if (found.expires !== undefined && new Date(found.expires) <= now) {
    throw unauthenticated(`This token expired at ${found.expires}. \`tuffet token new\` makes another.`, invalidToken)
  }
  return principal(found.name, found.permission)
}

const invalidToken = 'Bearer realm="tuffet", error="invalid_token"'

function unauthenticated(why: string, challenge: string): ApiError {
  return new ApiError('unauthenticated', 'Unauthenticated.', why, { headers: { 'www-authenticate': challenge } })
}

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
