import crypto, { type JsonWebKey, type KeyObject } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/**
 * A simulation makes and verifies the same few signatures again and again, by the same few keys, and they would be most of its
 * time. From here on, in this process, a signature that was made by `signRemembered` is recognised, for these bytes and this
 * key alone; every other is verified as always. An Ed25519 key that is read again is the one that was read before.
 */
const made = new Map<string, { readonly bytes: Uint8Array; readonly publicKey: KeyObject }>()
const signatures = new Map<KeyObject, Map<string, string>>()
const mostRemembered = 20_000
const publicKeys = new Map<KeyObject, KeyObject>()
const readKeys = new Map<string, KeyObject>()
const { verify, createPublicKey } = crypto

export function signRemembered(privateKey: KeyObject, bytes: Uint8Array): string {
  if (made.size >= mostRemembered) {
    made.clear()
    signatures.clear()
  }
  const before = signatures.get(privateKey) ?? new Map<string, string>()
  signatures.set(privateKey, before)
  const content = Buffer.from(bytes).toString('latin1')
  const signature = before.get(content) ?? crypto.sign(null, bytes, privateKey).toString('hex')
  before.set(content, signature)
  made.set(signature, { bytes: Uint8Array.from(bytes), publicKey: publicOf(privateKey) })
  return signature
}

/** A key, and how it signs. */
export interface Signatory {
  readonly privateKey: KeyObject
  readonly sign: (bytes: Uint8Array) => string
}

/** Made from the real signature, and as good as it in this process alone: as if chance had a part in it. */
const differentlyMade = new Map<string, { readonly bytes: Uint8Array; readonly publicKey: KeyObject }>()

export function signDifferently({ privateKey, sign }: Signatory, bytes: Uint8Array, time: number): string {
  const signature = crypto
    .createHash('sha512')
    .update(`${sign(bytes)} ${time}`)
    .digest('hex')
  differentlyMade.set(signature, { bytes: Uint8Array.from(bytes), publicKey: publicOf(privateKey) })
  return signature
}

function publicOf(privateKey: KeyObject): KeyObject {
  const publicKey = publicKeys.get(privateKey) ?? createPublicKeyOnce(createPublicKey(privateKey).export(jwk))
  publicKeys.set(privateKey, publicKey)
  return publicKey
}

const jwk = { format: 'jwk' } as const

function createPublicKeyOnce(key: JsonWebKey): KeyObject {
  const x = key.x ?? ''
  const known = readKeys.get(x)
  if (known !== undefined) return known
  const publicKey = createPublicKey({ ...jwk, key })
  const exported = publicKey.export(jwk)
  const exportKey = publicKey.export.bind(publicKey) as (options: unknown) => unknown
  Object.assign(publicKey, {
    export: (options: { format?: string }) => (options.format === 'jwk' ? { ...exported } : exportKey(options)),
  })
  readKeys.set(x, publicKey)
  return publicKey
}

Object.assign(crypto, {
  createPublicKey(input: Parameters<typeof createPublicKey>[0] & { format?: string; key?: JsonWebKey }) {
    return input.format === 'jwk' && input.key?.crv === 'Ed25519'
      ? createPublicKeyOnce(input.key)
      : createPublicKey(input)
  },
  verify(algorithm: null, bytes: Uint8Array, key: KeyObject, signature: Buffer) {
    const hex = signature.toString('hex')
    const known = made.get(hex) ?? differentlyMade.get(hex)
    if (known !== undefined && known.publicKey === key && Buffer.compare(known.bytes, bytes) === 0) return true
    return verify(algorithm, bytes, key, signature)
  },
})
syncBuiltinESMExports()
