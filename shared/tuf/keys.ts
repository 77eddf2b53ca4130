import { constants, createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import { canonicalBytes, canonicalText } from './canonical.ts'
import { TufError } from './errors.ts'
import type { Json } from './json.ts'

/** A public key as metadata holds it (specification, section 4.2). Fields that we do not know stay. */
export interface Key {
  readonly keytype: string
  readonly scheme: string
  /** Text in `public`; under schemes that are not ours, whose signatures count for nothing, anything. */
  readonly keyval: { readonly public?: Json; readonly [field: string]: Json }
  readonly [field: string]: Json
}

/** The three schemes that TUF clients agree on, and the key types that go with them. */
const keytypes: Readonly<Record<string, readonly string[]>> = {
  ed25519: ['ed25519'],
  // Older tools name the key type after the scheme.
  'ecdsa-sha2-nistp256': ['ecdsa', 'ecdsa-sha2-nistp256'],
  'rsassa-pss-sha256': ['rsa'],
}

/** True for a scheme under which some key can verify. */
export const isKnownScheme = (scheme: string) => Object.hasOwn(keytypes, scheme)

/** The key itself, as its scheme writes it. Throws TufError 'invalid-key' for one that is not text, which no key of ours is. */
export function publicPart({ keyval }: Key): string {
  if (typeof keyval.public === 'string') return keyval.public
  throw invalid('its public part is no text')
}

/** The SHA-256 of the canonical key, in hex. */
export function keyid(key: Key): string {
  return hash('sha256', canonicalBytes(key))
}

/** What python-tuf put into every key to make its keyid, up to version 3, and left out of the metadata. */
const leftOut = { keyid_hash_algorithms: ['sha256', 'sha512'] }

/**
 * True if this is how metadata may name the key. `rstuf` and tuf-on-ci make the keyid before they add fields of their own to the key
 * (`x-rstuf-key-name`, `x-tuf-on-ci-keyowner`): python-tuf, go-tuf and tuf-js find a key under any keyid, tough under the SHA-256 of the whole key only.
 */
export function isKeyidOf(id: string, key: Key): boolean {
  if (id === keyid(key)) return true
  const { keytype, scheme, keyval, ...others } = key
  const kept = Object.entries(others).filter(([field]) => !field.startsWith('x-'))
  const plain = { keytype, scheme, keyval, ...Object.fromEntries(kept) }
  return id === keyid(plain) || id === keyid({ ...leftOut, ...plain })
}

/** Ed25519 keys of small order, without the sign of x: for these anybody can make signatures that some clients take. */
const pointsOfSmallOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((point) => Buffer.from(point, 'hex'))

function hasSmallOrder(point: Buffer): boolean {
  const withoutSign = Buffer.from(point)
  withoutSign[31] = (point[31] ?? 0) & 0x7f
  return pointsOfSmallOrder.some((small) => small.equals(withoutSign))
}

/**
 * The key in TUF's form: P-256 as `ecdsa`, Ed25519 as `ed25519`, RSA of at least 2048 bits as `rsa`.
 * Throws TufError 'invalid-key' for any other.
 */
export function keyFromPublicKey(publicKey: KeyObject): Key {
  const details = publicKey.asymmetricKeyDetails
  switch (publicKey.asymmetricKeyType) {
    case 'ec':
      if (details?.namedCurve !== 'prime256v1') {
        throw invalid(`an elliptic-curve key has to be on P-256, this one is on ${details?.namedCurve}`)
      }
      return { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval: { public: pemOf(inFull(publicKey)) } }
    case 'ed25519': {
      const point = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
      if (hasSmallOrder(point)) throw invalid('anybody can sign for this Ed25519 key')
      return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: point.toString('hex') } }
    }
    case 'rsa':
      if ((details?.modulusLength ?? 0) < 2048) {
        throw invalid(`an RSA key needs at least 2048 bits, this one has ${details?.modulusLength}`)
      }
      if ((details?.publicExponent ?? 0n) < 3n) throw invalid('anybody can sign for an RSA key with this exponent')
      return { keytype: 'rsa', scheme: 'rsassa-pss-sha256', keyval: { public: pemOf(publicKey) } }
    default:
      throw invalid(`keys of type ${publicKey.asymmetricKeyType} are refused by clients`)
  }
}

const pemOf = (publicKey: KeyObject) => publicKey.export({ type: 'spki', format: 'pem' }).toString()

/** A point on P-256 can be written in full, compressed, or in a mixture of both. */
function inFull(publicKey: KeyObject): KeyObject {
  return createPublicKey({ format: 'jwk', key: publicKey.export({ format: 'jwk' }) })
}

/**
 * Throws TufError 'invalid-key' for a key that is good, but not for every client. go-tuf refuses all metadata that names a key on P-256 whose
 * point is not written in full, whoever else has signed.
 */
export function checkForEveryClient(key: Key): void {
  const publicKey = publicKeyOf(key)
  if (publicKey.asymmetricKeyType === 'ec') {
    const pem = pemOf(inFull(publicKey))
    if (pemOf(publicKey) !== pem) throw invalid(`its point is not written in full. Write it as ${JSON.stringify(pem)}`)
  }
  const { modulusLength = 0, publicExponent = 0n } = publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength > 8192) throw invalid(`tough verifies RSA keys up to 8192 bits, this one has ${modulusLength}`)
  if (publicExponent >= 2n ** 31n) throw invalid('go-tuf verifies no RSA key with so big an exponent')
}

const publicKeyPem = /^-----BEGIN PUBLIC KEY-----[\w+/=\s]+-----END PUBLIC KEY-----\s*$/
const parsedKeys = new WeakMap<Key, KeyObject>()

/** The key for node:crypto. Throws TufError 'invalid-key' where the scheme is not one of the three or the key does not fit it. */
export function publicKeyOf(key: Key): KeyObject {
  const known = parsedKeys.get(key)
  if (known !== undefined) return known
  if (!isKnownScheme(key.scheme) || !keytypes[key.scheme]?.includes(key.keytype)) {
    throw invalid(
      `key type ${JSON.stringify(key.keytype)} with scheme ${JSON.stringify(key.scheme)} is not one that clients read`,
    )
  }
  const parsed = parse(key)
  const natural = keyFromPublicKey(parsed)
  if (natural.scheme !== key.scheme)
    throw invalid(`its scheme says ${key.scheme}, but it is a key for ${natural.scheme}`)
  parsedKeys.set(key, parsed)
  return parsed
}

function parse(key: Key): KeyObject {
  try {
    const written = publicPart(key)
    if (key.scheme !== 'ed25519') {
      // createPublicKey would also take a private key, or a certificate; clients take nothing but this.
      if (!publicKeyPem.test(written)) throw invalid('its public part is not a PEM "PUBLIC KEY"')
      return createPublicKey(written)
    }
    if (!/^[0-9a-f]{64}$/.test(written)) throw invalid('an Ed25519 key is 64 lower-case hex digits')
    const x = Buffer.from(written, 'hex').toString('base64url')
    return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })
  } catch (cause) {
    if (cause instanceof TufError) throw cause
    throw invalid('its public part cannot be read', cause)
  }
}

/**
 * True if `signature`, in hex, is one by this key over these bytes. A key or signature that cannot be read verifies nothing.
 * `saltLength`: of RSA-PSS.
 */
export function verifySignature(key: Key, bytes: Uint8Array, signature: string, saltLength?: number): boolean {
  if (!isHex(signature)) return false
  try {
    const [algorithm, publicKey] = methodOf(key, saltLength)
    return verify(algorithm, bytes, publicKey, Buffer.from(signature, 'hex'))
  } catch {
    return false
  }
}

/** The same on another thread: for many signatures at once, while this one has other work. */
export function verifySignatureAside(key: Key, bytes: Uint8Array, signature: string): Promise<boolean> {
  return new Promise((resolve) => {
    if (!isHex(signature)) return resolve(false)
    try {
      const [algorithm, publicKey] = methodOf(key)
      verify(algorithm, bytes, publicKey, Buffer.from(signature, 'hex'), (error, good) => resolve(!error && good))
    } catch {
      resolve(false)
    }
  })
}

const isHex = (signature: string) => signature.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(signature)

/** The salt of RSA-PSS is as long as the hash; some clients take no other, though others sign with another. */
export const saltForEveryClient = constants.RSA_PSS_SALTLEN_DIGEST

function methodOf(key: Key, saltLength: number = constants.RSA_PSS_SALTLEN_AUTO) {
  const publicKey = publicKeyOf(key)
  switch (key.scheme) {
    case 'ed25519':
      return [null, publicKey] as const
    case 'ecdsa-sha2-nistp256':
      return ['sha256', publicKey] as const
    default: {
      const padding = constants.RSA_PKCS1_PSS_PADDING
      return ['sha256', { key: publicKey, padding, saltLength }] as const
    }
  }
}

/** What tells two keys apart, whatever keyid or spelling (a compressed point, say) each came under. */
export function keyIdentity(key: Key): string {
  return canonicalText(publicKeyOf(key).export({ format: 'jwk' }))
}

/** Whether that is the identity of this key; one that cannot be read has none. */
export function hasIdentity(key: Key, identity: string): boolean {
  try {
    return keyIdentity(key) === identity
  } catch (error) {
    if (error instanceof TufError) return false
    throw error
  }
}

function invalid(what: string, cause?: unknown): TufError {
  return new TufError('invalid-key', `This key cannot be used: ${what}. Use a P-256, an Ed25519 or an RSA key.`, {
    cause,
  })
}
