import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { keyFromPublicKey, keyid } from '../../shared/tuf/keys.ts'
import { tuffet } from '../support/tuffet.ts'

const password = 'correct horse'

describe('tuffet key', () => {
  let directory: string
  const path = (name: string) => join(directory, name)
  const newKey = (file: string, ...more: string[]) =>
    tuffet(['key', 'new', path(file), '--password-fd', '3', ...more], `${password}\n`)
  const show = (file: string, passwords?: string) =>
    tuffet(['key', 'show', path(file), '--json', ...(passwords === undefined ? [] : ['--password-fd', '3'])], passwords)

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet key '))
    const made = await Promise.all([newKey('ed.pem'), newKey('p256.pem', '--type', 'p256')])
    assert.deepEqual(
      made.map(({ code }) => code),
      [0, 0],
    )
  })
  after(() => rm(directory, { recursive: true }))

  for (const [file, scheme] of [
    ['ed.pem', 'ed25519'],
    ['p256.pem', 'ecdsa-sha2-nistp256'],
  ] as const) {
    it(`makes an encrypted ${scheme} key that its owner alone may read`, async () => {
      assert.equal((await stat(path(file))).mode & 0o777, 0o600)
      const pem = await readFile(path(file), 'utf8')
      assert.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
      assert.throws(() => createPrivateKey({ key: pem, passphrase: 'wrong' }))
      const opened = keyFromPublicKey(createPublicKey(createPrivateKey({ key: pem, passphrase: password })))
      const written = keyFromPublicKey(createPublicKey(await readFile(path(`${file}.pub`))))
      assert.equal(opened.scheme, scheme)
      assert.deepEqual(opened, written)
    })

    it(`shows the keyid of a private and of a public ${scheme} key`, async () => {
      const [fromPrivate, fromPublic] = await Promise.all([show(file, password), show(`${file}.pub`)])
      const shown = JSON.parse(fromPublic.stdout)
      assert.deepEqual(JSON.parse(fromPrivate.stdout), shown)
      assert.equal(shown.keyid, keyid(shown.key))
    })
  }

  it('makes a file that openssl opens', (context) => {
    const args = ['pkey', '-in', path('ed.pem'), '-passin', `pass:${password}`, '-noout', '-text']
    const openssl = spawnSync('openssl', args, { encoding: 'utf8' })
    if (openssl.error !== undefined) return context.skip('there is no openssl')
    assert.match(openssl.stdout, /ED25519 Private-Key/i, openssl.stderr)
  })

  it('makes a key that takes memory and time to guess at: scrypt, 16 MiB, ten rounds', async () => {
    const pem = await readFile(path('ed.pem'), 'utf8')
    const der = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64').toString('hex')
    const [scrypt, cost] = ['06092b06010401da47040b', '02024000' + '020108' + '02010a']
    assert.ok(der.includes(scrypt) && der.includes(cost), der)
  })

  it('overwrites nothing', async () => {
    const before = await readFile(path('ed.pem'))
    const { code, stderr } = await newKey('ed.pem')
    assert.equal(code, 1)
    assert.match(stderr, /exists, and is not overwritten/)
    assert.deepEqual(await readFile(path('ed.pem')), before)
  })

  it('makes neither file where one is there, and says so before it asks for a password', async () => {
    await writeFile(path('half.pem.pub'), 'a key of somebody else\n')
    const { code, stderr } = await tuffet(['key', 'new', path('half.pem')])
    assert.equal(code, 1)
    assert.match(stderr, /half\.pem\.pub exists, and is not overwritten/)
    await assert.rejects(stat(path('half.pem')), { code: 'ENOENT' })
  })

  it('takes what it shows as JSON for a public key file', async () => {
    const { stdout } = await show('ed.pem', password)
    await writeFile(path('ed.json'), stdout)
    assert.deepEqual(JSON.parse((await show('ed.json')).stdout), JSON.parse(stdout))
  })

  it('says how a key is named that is in no file', async () => {
    const [nameless, uri, made] = await Promise.all([
      tuffet(['key', 'show', 'kms:']),
      tuffet(['key', 'show', 'pkcs11:token=alice']),
      tuffet(['key', 'new', 'kms:alias/root']),
    ])
    assert.match(nameless.stderr, /kms:<key id, ARN or alias>/)
    assert.match(uri.stderr, /module-path/)
    assert.match(made.stderr, /is no file/)
    assert.deepEqual([nameless.code, uri.code, made.code], [2, 2, 2])
  })

  it('refuses a short password, a wrong one, and a file that is no key', async () => {
    const short = await tuffet(['key', 'new', path('new.pem'), '--password-fd', '3'], 'short\n')
    assert.equal(short.code, 2)
    assert.match(short.stderr, /at least 12 characters/)
    const wrong = await show('ed.pem', 'wrong password')
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /the password is wrong/)
    await writeFile(path('poem.txt'), 'There was a young lady of Niger\n')
    const poem = await show('poem.txt')
    assert.equal(poem.code, 1)
    assert.match(poem.stderr, /poem\.txt holds no public key/)
  })
})
