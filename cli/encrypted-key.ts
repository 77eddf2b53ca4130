import { createCipheriv, type KeyObject, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { integer, objectIdentifier, octets, sequence } from './der.ts'

/**
 * scrypt with the most memory that OpenSSL grants it when it reads a key (16 MiB of at most 32), and twice the rounds that OWASP
 * asks for at that size. `KeyObject.export` would use PBKDF2 with 2,048 rounds, which a graphics card tries millions of times a second.
 */
const cost = { N: 2 ** 14, r: 8, p: 10 }
const deriveKey = promisify<string, Buffer, number, typeof cost, Buffer>(scrypt)

/**
 * The private key as PEM, encrypted: PKCS#8 with PBES2 (RFC 8018), its key derived by scrypt (RFC 7914), AES-256-CBC. Node's
 * `createPrivateKey` and `openssl pkey` (1.1 or later) open it with the password.
 */
export async function encryptedPem(privateKey: KeyObject, password: string): Promise<string> {
  const salt = randomBytes(16)
  const vector = randomBytes(16)
  const cipher = createCipheriv('aes-256-cbc', await deriveKey(password, salt, 32, cost), vector)
  const plain = privateKey.export({ type: 'pkcs8', format: 'der' })
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()])
  const derivation = sequence(identifiers.scrypt, sequence(octets(salt), count(cost.N), count(cost.r), count(cost.p)))
  const encryption = sequence(identifiers.aes256Cbc, octets(vector))
  const algorithm = sequence(identifiers.pbes2, sequence(derivation, encryption))
  const base64 = sequence(algorithm, octets(encrypted)).toString('base64')
  const lines = base64.match(/.{1,64}/g) ?? []
  return ['-----BEGIN ENCRYPTED PRIVATE KEY-----', ...lines, '-----END ENCRYPTED PRIVATE KEY-----', ''].join('\n')
}

const identifiers = {
  /** 1.2.840.113549.1.5.13 */
  pbes2: objectIdentifier('2a864886f70d01050d'),
  /** 1.3.6.1.4.1.11591.4.11 */
  scrypt: objectIdentifier('2b06010401da47040b'),
  /** 2.16.840.1.101.3.4.1.42 */
  aes256Cbc: objectIdentifier('60864801650304012a'),
}

function count(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return integer(bytes)
}
