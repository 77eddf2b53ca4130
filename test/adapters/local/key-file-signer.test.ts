import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { createKeyFile, keyFileSigner } from '../../../shared/adapters/local/key-file-signer.ts'
import { SignerError } from '../../../shared/repository/ports.ts'
import { verifySignature } from '../../../shared/tuf/keys.ts'
import { signerContract } from '../../contract/signer.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

const pkcs8 = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' })
const encrypted = (key: KeyObject) =>
  key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' })

const files: Record<string, { content: string | Buffer; scheme: string; passphrase?: string }> = {
  'P-256 in PKCS#8': { content: pkcs8(p256), scheme: 'ecdsa-sha2-nistp256' },
  'P-256 in SEC 1': { content: p256.export({ type: 'sec1', format: 'pem' }), scheme: 'ecdsa-sha2-nistp256' },
  'P-256 in binary PKCS#8': { content: p256.export({ type: 'pkcs8', format: 'der' }), scheme: 'ecdsa-sha2-nistp256' },
  'P-256, encrypted': { content: encrypted(p256), scheme: 'ecdsa-sha2-nistp256', passphrase: 'open sesame' },
  'Ed25519 in PKCS#8': { content: pkcs8(ed25519), scheme: 'ed25519' },
  'RSA in PKCS#8': { content: pkcs8(rsa), scheme: 'rsassa-pss-sha256' },
  'RSA in PKCS#1': { content: rsa.export({ type: 'pkcs1', format: 'pem' }), scheme: 'rsassa-pss-sha256' },
}

for (const [name, { content, scheme, passphrase }] of Object.entries(files)) {
  signerContract(`keyFileSigner with ${name}`, async () => {
    await using cleanup = new AsyncDisposableStack()
    const directory = cleanup.use(await temporaryDirectory())
    const file = join(directory.path, 'key.pem')
    await writeFile(file, content)
    const signer = await keyFileSigner(file, passphrase)
    assert.equal(signer.key.scheme, scheme)
    const kept = cleanup.move()
    return { signer, [Symbol.asyncDispose]: () => kept.disposeAsync() }
  })
}

describe('keyFileSigner', () => {
  const refused: Record<string, { content: string | Buffer; passphrase?: string; says: RegExp }> = {
    'an encrypted key without its passphrase': {
      content: encrypted(p256),
      says: /encrypted.* online key must not be.*openssl genpkey/,
    },
    'an encrypted binary key without its passphrase': {
      content: p256.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: 'open sesame' }),
      says: /encrypted.* online key must not be.*openssl genpkey/,
    },
    'a wrong passphrase': { content: encrypted(p256), passphrase: 'guess', says: /password is wrong/ },
    'a public key': {
      content: generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }),
      says: /no private key/,
    },
    'an empty file': { content: '', says: /no private key/ },
    'half a key': { content: String(pkcs8(p256)).slice(0, 120), says: /no private key/ },
    'a P-384 key': { content: pkcs8(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey), says: /P-256/ },
    'an RSA key of 1024 bits': {
      content: pkcs8(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey),
      says: /2048/,
    },
    'a key for key agreement': { content: pkcs8(generateKeyPairSync('x25519').privateKey), says: /x25519/ },
  }
  for (const [name, { content, passphrase, says }] of Object.entries(refused)) {
    it(`refuses ${name}, and quotes nothing of the file`, async () => {
      await using directory = await temporaryDirectory()
      const file = join(directory.path, 'key.pem')
      await writeFile(file, content)
      const error = await keyFileSigner(file, passphrase).catch((error: unknown) => error)
      assert.ok(error instanceof SignerError)
      assert.equal(error.code, 'unusable')
      assert.match(error.message, says)
      assert.ok(error.message.includes(file))
      assertTellsNothing(error, content)
    })
  }

  it('refuses a file that is not there', async () => {
    await using directory = await temporaryDirectory()
    const missing = keyFileSigner(join(directory.path, 'none.pem'))
    await assert.rejects(missing, { name: 'SignerError', code: 'unusable', message: /ENOENT/ })
  })

  it('keeps the private key to itself', async () => {
    await using directory = await temporaryDirectory()
    const file = join(directory.path, 'key.pem')
    await writeFile(file, pkcs8(p256))
    assertTellsNothing(await keyFileSigner(file), pkcs8(p256))
  })
})

describe('createKeyFile', () => {
  it('makes a P-256 key that only its owner may read, and leaves nothing else', async () => {
    await using directory = await temporaryDirectory()
    const file = join(directory.path, 'key.pem')
    await createKeyFile(file)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(directory.path), ['key.pem'])
    const signer = await keyFileSigner(file)
    assert.equal(signer.key.keytype, 'ecdsa')
    const bytes = Buffer.from('metadata')
    assert.ok(verifySignature(signer.key, bytes, await signer.sign(bytes)))
  })

  it('never overwrites', async () => {
    await using directory = await temporaryDirectory()
    const file = join(directory.path, 'key.pem')
    const attempts = await Promise.all([1, 2, 3].map(() => createKeyFile(file)))
    assert.deepEqual(attempts.sort(), [false, false, true])
    const before = await readFile(file, 'utf8')
    assert.equal(await createKeyFile(file), false)
    assert.equal(await readFile(file, 'utf8'), before)
    assert.deepEqual(await readdir(directory.path), ['key.pem'])
  })

  it('says where it could not', async () => {
    await using directory = await temporaryDirectory()
    await mkdir(join(directory.path, 'key.pem'))
    assert.equal(await createKeyFile(join(directory.path, 'key.pem')), false)
    await assert.rejects(createKeyFile(join(directory.path, 'none', 'key.pem')), {
      code: 'unavailable',
      message: /none/,
    })
  })
})

/** Neither the value nor what it refers to shows a piece of the secret, however it is printed. */
function assertTellsNothing(value: unknown, secret: string | Buffer): void {
  const printed = inspect(value, { depth: 20, showHidden: true }) + JSON.stringify(value) + String(value)
  const lines = secret.toString().split('\n')
  for (const line of lines) if (line.length > 20 && !line.startsWith('-----')) assert.ok(!printed.includes(line))
}
