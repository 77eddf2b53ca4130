import { createPublicKey, generateKeyPair, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { durableFiles, freePathBeside } from '../shared/adapters/local/durable-files.ts'
import { nodeFileSystem } from '../shared/adapters/local/file-system.ts'
import { keyFileSigner } from '../shared/adapters/local/key-file-signer.ts'
import { type Signer, SignerError } from '../shared/repository/ports.ts'
import { TufError } from '../shared/tuf/errors.ts'
import { parseJson } from '../shared/tuf/json.ts'
import { type Key, keyFromPublicKey, publicKeyOf, verifySignature } from '../shared/tuf/keys.ts'
import { encryptedPem } from './encrypted-key.ts'
import { CliError, unreadable, unwritable } from './output.ts'

export const keyKinds = ['ed25519', 'p256'] as const
export type KeyKind = (typeof keyKinds)[number]

export interface KeyFiles {
  readonly privateKey: string
  readonly publicKey: string
}

/** Throws CliError 'refused' if one of them is there. */
export function refuseToOverwrite(...files: readonly string[]): void {
  for (const file of files) if (existsSync(file)) throw exists(file)
}

/**
 * Makes a key: the private part encrypted (see `encryptedPem`) in a file of mode 0600, the public part as PEM in another. Neither
 * replaces a file that is there: if one is, neither is made. Throws CliError 'refused'.
 */
export async function createKeyFiles(files: KeyFiles, kind: KeyKind, password: string): Promise<Key> {
  refuseToOverwrite(files.privateKey, files.publicKey)
  const { publicKey, privateKey } = await makePair(kind)
  await createFile(files.privateKey, await encryptedPem(privateKey, password), 0o600)
  await createFile(files.publicKey, publicKey.export({ type: 'spki', format: 'pem' }).toString(), 0o644)
  return keyFromPublicKey(publicKey)
}

async function makePair(kind: KeyKind) {
  if (kind === 'ed25519') return promisify(generateKeyPair)('ed25519')
  return promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
}

/** Writes a new file, whole and durable. Throws CliError 'refused' if there is one, or none can be written. */
export async function createFile(file: string, content: string, mode: number): Promise<void> {
  const path = resolve(file)
  let created: boolean
  try {
    created = await durableFiles(nodeFileSystem).create(path, Buffer.from(content), freePathBeside(path), mode)
  } catch (cause) {
    throw unwritable(file, cause)
  }
  if (!created) throw exists(file)
}

function exists(file: string): CliError {
  return new CliError('refused', `${file} exists, and is not overwritten. Choose another name.`)
}

/** Whether a key file asks for a password. Throws CliError 'usage' if it cannot be read. */
export async function isEncrypted(file: string): Promise<boolean> {
  return (await readText(file)).includes('ENCRYPTED')
}

/**
 * The key of a file, which has just shown that it signs: what it signed was verified with its public part. Throws CliError
 * 'refused' where there is no such key, or the password is not its.
 */
export async function openKeyFile(file: string, password?: string): Promise<Signer> {
  try {
    return await proved(file, await keyFileSigner(file, password))
  } catch (cause) {
    if (cause instanceof SignerError) throw new CliError('refused', cause.message, { cause })
    throw cause
  }
}

/** The signer, once it has signed something. Throws CliError 'refused' if its public part does not verify that; SignerError. */
export async function proved(name: string, signer: Signer): Promise<Signer> {
  const proof = Buffer.from(`This proves that the key ${signer.keyid} is held: ${randomUUID()}`)
  if (verifySignature(signer.key, proof, await signer.sign(proof))) return signer
  throw new CliError('refused', `The key of ${name} makes signatures that do not verify. Do not use it.`)
}

/** The public key in a file: PEM ("PUBLIC KEY"), or a TUF key as JSON. Throws CliError 'refused'. */
export async function readPublicKey(file: string): Promise<Key> {
  const content = await readText(file)
  try {
    // A key as JSON may hold PEM.
    if (/^-----BEGIN PUBLIC KEY-----/m.test(content)) return keyFromPublicKey(createPublicKey(content))
    const json = parseJson(Buffer.from(content)) as { key?: unknown }
    const key = (json.key ?? json) as Key
    publicKeyOf(key)
    return key
  } catch (cause) {
    throw new CliError('refused', `${file} holds no public key that can be used. ${whyNotPublic(content, cause)}`, {
      cause,
    })
  }
}

function whyNotPublic(content: string, cause: unknown): string {
  if (/^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/m.test(content))
    return 'It is a private key. Its public part is wanted: FILE.pub beside it, or what tuffet key show FILE --json says.'
  return cause instanceof TufError && cause.code === 'invalid-key' ? cause.message : 'It is neither PEM nor JSON.'
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw unreadable(file, cause)
  }
}
