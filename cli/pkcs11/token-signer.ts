import { createHash } from 'node:crypto'
import { type Signer, SignerError } from '../../shared/repository/ports.ts'
import { type Key, keyid } from '../../shared/tuf/keys.ts'
import { integer, sequence } from '../der.ts'
import type { Passwords } from '../prompt.ts'
import {
  CK_PARAMS_RSA_PSS,
  CKA_ALWAYS_AUTHENTICATE,
  CKG_MGF1_SHA256,
  CKM_ECDSA,
  CKM_EDDSA,
  CKM_RSA_PKCS_PSS,
  CKM_SHA256,
} from './constants.ts'
import { type Mechanism, returnValue, whyOf } from './library.ts'
import { openToken, type Token } from './token.ts'
import { TokenError } from './token-error.ts'
import { attribute, findPrivateKey, findPublicKey, publicKeyBeside, type TokenObject, tufKeyOf } from './token-key.ts'
import { parseTokenUri } from './uri.ts'

/**
 * Signs with a key on a token: P-256, RSA with PSS, or Ed25519. Of the first two only the SHA-256 of what is signed goes to the token.
 * Asks for the PIN, once in a process for each token. Throws TokenError.
 */
export async function tokenSigner(uri: string, passwords: Passwords): Promise<Signer> {
  const wanted = parseTokenUri(uri)
  const token = openToken(wanted)
  await token.login(passwords)
  const privateKey = findPrivateKey(token, wanted)
  const key = tufKeyOf(token, publicKeyBeside(token, privateKey))
  return {
    key,
    keyid: keyid(key),
    async sign(bytes) {
      return signOn(token, privateKey, key, bytes).toString('hex')
    },
  }
}

/** The public part of a key on a token; no PIN is asked for. Throws TokenError. */
export function tokenPublicKey(uri: string): Key {
  const wanted = parseTokenUri(uri)
  const token = openToken(wanted)
  return tufKeyOf(token, findPublicKey(token, wanted))
}

/** The largest signature is one of a 4096-bit RSA key; room for twice of that. */
const room = 1024

function signOn(token: Token, privateKey: TokenObject, key: Key, bytes: Uint8Array): Buffer {
  const { library, name } = token
  const { mechanism, prepare, finish } = methods[key.scheme as keyof typeof methods]
  const asksEachTime = attribute(token, privateKey.handle, CKA_ALWAYS_AUTHENTICATE)?.[0] === 1
  try {
    const signature = token.inSession((session) => {
      library.C_SignInit(session, mechanism, privateKey.handle)
      if (asksEachTime) token.loginAgain(session)
      return library.C_Sign(session, prepare(bytes), Buffer.alloc(room))
    })
    return finish(signature)
  } catch (cause) {
    if (cause instanceof TokenError) throw cause
    const what = `The key ${JSON.stringify(privateKey.label)} on token ${name}`
    switch (returnValue(cause)) {
      case 'CKR_MECHANISM_INVALID':
      case 'CKR_MECHANISM_PARAM_INVALID':
        throw new TokenError(
          'kind',
          `${what} cannot sign by ${key.scheme}, and clients read no other. Use a P-256 key.`,
        )
      case 'CKR_KEY_FUNCTION_NOT_PERMITTED':
        throw new TokenError('kind', `${what} is not allowed to sign.`)
      default:
        throw new SignerError('unavailable', `${what} did not sign: ${whyOf(cause)}.`, { cause })
    }
  }
}

interface Method {
  readonly mechanism: Mechanism
  readonly prepare: (bytes: Uint8Array) => Uint8Array
  readonly finish: (signature: Buffer) => Buffer
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
const asItIs = <Bytes>(bytes: Bytes) => bytes
const pss = { type: CK_PARAMS_RSA_PSS, hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, saltLen: 32 }

const methods = {
  'ecdsa-sha2-nistp256': { mechanism: { mechanism: CKM_ECDSA }, prepare: sha256, finish: inDer },
  'rsassa-pss-sha256': { mechanism: { mechanism: CKM_RSA_PKCS_PSS, parameter: pss }, prepare: sha256, finish: asItIs },
  ed25519: { mechanism: { mechanism: CKM_EDDSA }, prepare: asItIs, finish: asItIs },
} satisfies Record<string, Method>

/** PKCS#11 has r and s side by side, TUF has them in DER. */
function inDer(signature: Buffer): Buffer {
  const half = signature.length / 2
  return sequence(integer(signature.subarray(0, half)), integer(signature.subarray(half)))
}
