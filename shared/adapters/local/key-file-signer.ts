import { constants, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { type Signer, SignerError } from '../../repository/ports.ts'
import { TufError } from '../../tuf/errors.ts'
import { type Key, keyFromPublicKey, keyid } from '../../tuf/keys.ts'
import { durableFiles, freePathBeside } from './durable-files.ts'
import { asStoreError, nodeFileSystem, systemErrorCode } from './file-system.ts'

const signAsync = promisify(sign)

/**
 * Signs with the private key in a file: P-256, Ed25519 or RSA of at least 2048 bits, as PEM (PKCS#8, SEC 1 or PKCS#1) or as binary
 * PKCS#8; an encrypted one needs its password. The file is read once. Throws SignerError 'unusable', which never tells
 * anything of what the file holds.
 */
export async function keyFileSigner(file: string, password?: string): Promise<Signer> {
  const privateKey = await readPrivateKey(file, password)
  const key = publicPart(file, privateKey)
  const [algorithm, how] = methodOf(key, privateKey)

  return {
    keyid: keyid(key),
    key,
    async sign(bytes) {
      try {
        const signature = isQuick(key, bytes) ? sign(algorithm, bytes, how) : await signAsync(algorithm, bytes, how)
        return signature.toString('hex')
      } catch (cause) {
        throw new SignerError('unavailable', `The key of ${file} did not sign.`, { cause })
      }
    },
  }
}

/**
 * Makes a new P-256 key, as PKCS#8 PEM in a file that only its owner may read. Durable and whole when it resolves. False if
 * there is such a file: a key is never overwritten. Throws StoreError.
 */
export async function createKeyFile(file: string): Promise<boolean> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  const pem = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const path = resolve(file)
  try {
    return await durableFiles(nodeFileSystem).create(path, pem, freePathBeside(path), 0o600)
  } catch (error) {
    throw asStoreError(error, `make the key file ${file}`)
  }
}

async function readPrivateKey(file: string, password: string | undefined): Promise<KeyObject> {
  let content: Buffer
  try {
    content = await readFile(file)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SignerError('unusable', `The key file ${file} cannot be read: ${reason}`, { cause })
  }
  const encoding = content.includes('-----BEGIN ')
    ? ({ key: content, format: 'pem' } as const)
    : ({ key: content, format: 'der', type: 'pkcs8' } as const)
  try {
    return createPrivateKey(password === undefined ? encoding : { ...encoding, passphrase: password })
  } catch (error) {
    // Without the cause: what a cryptographic library says about a file is not for logs.
    throw new SignerError('unusable', `The key file ${file} ${whyUnreadable(error, content, password)}`)
  }
}

const howToMakeKey =
  'make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out online.pem` and `chmod 600 online.pem`'

function whyUnreadable(error: unknown, content: Buffer, password: string | undefined): string {
  if (password !== undefined) return 'cannot be opened: the password is wrong, or it holds no private key.'
  // Node has its own code for this, but only sometimes.
  const encrypted = content.includes('ENCRYPTED') || systemErrorCode(error) === 'ERR_MISSING_PASSPHRASE'
  return encrypted
    ? `is encrypted, and no password is given. An online key must not be, for a service that starts has nobody to ask: ${howToMakeKey}.`
    : 'holds no private key that can be read. Give one as PEM or PKCS#8.'
}

function publicPart(file: string, privateKey: KeyObject): Key {
  try {
    return keyFromPublicKey(createPublicKey(privateKey))
  } catch (cause) {
    if (cause instanceof TufError) throw new SignerError('unusable', `${file}: ${cause.message}`, { cause })
    throw cause
  }
}

/** True where it takes longer to ask a thread than to sign. */
const isQuick = ({ keytype }: Key, bytes: Uint8Array) => keytype !== 'rsa' && bytes.length < 64 * 1024

/** What node:crypto has to be told for the key's scheme: as little as it needs, for it takes a third of its time to look at options. */
function methodOf(key: Key, privateKey: KeyObject) {
  switch (key.scheme) {
    case 'ed25519':
      return [null, privateKey] as const
    case 'ecdsa-sha2-nistp256':
      return ['sha256', privateKey] as const
    default:
      return ['sha256', { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }] as const
  }
}
