import crypto, { createPublicKey, type KeyObject } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/**
 * A simulation verifies the same few signatures again and again, and they are most of its time. From here on, in this
 * process, a signature that was made by `signRemembered` is recognised; every other is verified as always.
 */
const made = new Map<string, { readonly bytes: Uint8Array; readonly publicKey: KeyObject }>()
const mostRemembered = 20_000
const publicKeys = new Map<KeyObject, KeyObject>()

export function signRemembered(privateKey: KeyObject, bytes: Uint8Array): string {
  const signature = crypto.sign(null, bytes, privateKey).toString('hex')
  const publicKey = publicKeys.get(privateKey) ?? createPublicKey(privateKey)
  publicKeys.set(privateKey, publicKey)
  if (made.size >= mostRemembered) made.clear()
  made.set(signature, { bytes: Uint8Array.from(bytes), publicKey })
  return signature
}

const verify = crypto.verify as (algorithm: null, bytes: Uint8Array, key: KeyObject, signature: Buffer) => boolean

function verifyRemembered(algorithm: null, bytes: Uint8Array, key: KeyObject, signature: Buffer): boolean {
  const known = made.get(signature.toString('hex'))
  if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0 && known.publicKey.equals(key)) return true
  return verify(algorithm, bytes, key, signature)
}

Object.assign(crypto, { verify: verifyRemembered })
syncBuiltinESMExports()
