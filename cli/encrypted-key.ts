import { createCipheriv, type KeyObject, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'

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
  const derivation = sequence(
    objectIdentifier.scrypt,
    sequence(octets(salt), integer(cost.N), integer(cost.r), integer(cost.p)),
  )
  const encryption = sequence(objectIdentifier.aes256Cbc, octets(vector))
  const algorithm = sequence(objectIdentifier.pbes2, sequence(derivation, encryption))
  const base64 = sequence(algorithm, octets(encrypted)).toString('base64')
  const lines = base64.match(/.{1,64}/g) ?? []
  return ['-----BEGIN ENCRYPTED PRIVATE KEY-----', ...lines, '-----END ENCRYPTED PRIVATE KEY-----', ''].join('\n')
}

const objectIdentifier = {
  /** 1.2.840.113549.1.5.13 */
  pbes2: element(0x06, Buffer.from('2a864886f70d01050d', 'hex')),
  /** 1.3.6.1.4.1.11591.4.11 */
  scrypt: element(0x06, Buffer.from('2b06010401da47040b', 'hex')),
  /** 2.16.840.1.101.3.4.1.42 */
  aes256Cbc: element(0x06, Buffer.from('60864801650304012a', 'hex')),
}

function sequence(...elements: Buffer[]): Buffer {
  return element(0x30, Buffer.concat(elements))
}

function octets(bytes: Buffer): Buffer {
  return element(0x04, bytes)
}

function integer(value: number): Buffer {
  const hex = value.toString(16)
  const digits = hex.padStart(hex.length + (hex.length % 2), '0')
  // The first bit is the sign.
  const positive = Number.parseInt(digits.slice(0, 2), 16) >= 0x80 ? `00${digits}` : digits
  return element(0x02, Buffer.from(positive, 'hex'))
}

/** One element in DER: tag, length, content. */
function element(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(content.length)]), content])
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length]
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
}
