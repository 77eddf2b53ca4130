import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { post, type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'
import { kinds, modulePath, type SoftHsm, startSoftHsm } from './softhsm.ts'

const password = 'correct horse'
const pin = '271828'
const uri = (token: string, object: string) => `pkcs11:token=${token};object=${object}?module-path=${modulePath}`
const root = uri('alice', 'root')
const project = uri('alice', 'project')

/** Alice's keys are on a token, Bob's is in a file, Carol has a token too. */
describe('the commands with keys on tokens', () => {
  let softHsm: SoftHsm
  let served: Served
  const seen: string[] = []

  async function run(args: readonly string[], passwords = '') {
    const env = { TUFFET_API: served.url.href }
    const ran = await tuffet(args, passwords, { cwd: softHsm.directory, env })
    seen.push(ran.stdout, ran.stderr)
    return ran
  }
  async function works(args: readonly string[], passwords = '') {
    const { code, stdout, stderr } = await run([...args, '--password-fd', '3'], passwords)
    assert.equal(code, 0, stderr)
    return { stdout, stderr }
  }

  before(async () => {
    softHsm = await startSoftHsm()
    const keys = { alice: ['root', 'project'], carol: ['root'] }
    for (const [label, objects] of Object.entries(keys)) {
      softHsm.makeToken(label, pin)
      for (const [index, object] of objects.entries()) {
        const { privateKey } = object === 'root' ? kinds.p256() : kinds['rsa-2048']()
        await softHsm.importKey({ label, pin }, { label: object, id: `0${index + 1}`, privateKey })
      }
    }
    served = await serveProcess(['--data', join(softHsm.directory, 'data'), '--port', '0'])
    await works(['key', 'new', 'bob.pem'], password)
  })
  after(async () => {
    await served.stop()
    await softHsm[Symbol.asyncDispose]()
  })

  it('shows a key, which is a public key file in itself', async () => {
    const { stdout } = await works(['key', 'show', root, '--json'], pin)
    const { keyid, key } = JSON.parse(stdout)
    assert.equal(key.scheme, 'ecdsa-sha2-nistp256')
    assert.match((await works(['key', 'show', project], pin)).stdout, /rsa \(rsassa-pss-sha256\)/)
    assert.match((await run(['key', 'show', root])).stderr, /terminal to ask at/)
    assert.equal(keyid.length, 64)
  })

  it('holds a ceremony with a token and a file, each with a secret of its own', async () => {
    const { stderr } = await works(
      ['ceremony', '--yes', '--bins', '4', '--key', root, '--key', 'bob.pem', '--send'],
      `${pin}\n${password}\n`,
    )
    assert.match(stderr, /pkcs11:token=alice;object=root\S+ \(held\)/)
    assert.equal((await run(['status'])).code, 0)
  })

  it('changes root: a token comes in, another signs now and the file later', async () => {
    await works(['root', 'update', '--add-key', uri('carol', 'root'), '--key', root, '-y'], pin)
    const { stdout } = await works(['root', 'sign', '--key', 'bob.pem', '-y'], password)
    assert.match(stdout, /Root version 2 is published/)
    await works(['root', 'update', '--remove-key', await keyidOf('bob.pem.pub'), '--key', root, '-y'], pin)
    const last = await works(['root', 'sign', '--key', uri('carol', 'root'), '-y'], pin)
    assert.match(last.stdout, /Root version 3 is published/)
  })

  it('signs a delegated role', async () => {
    await works(['delegation', 'add', 'project', '--path', 'project/*', '--key', project])
    await works(['delegation', 'sign', 'project', '--key', project, '-y'], pin)
    const artifact = { path: 'project/a', info: { length: 1, hashes: { sha256: 'ab'.repeat(32) } } }
    await post(served, 'artifacts', { artifacts: [artifact] })
    const signed = await works(['delegation', 'sign', 'project', '--key', project, '-y'], pin)
    assert.match(signed.stderr, / {2}\+ project\/a {2}1 byte/)
    const checked = await run(['check', new URL('/metadata/', served.url).href])
    assert.equal(checked.code, 0, checked.stderr)
  })

  const refusals: readonly (readonly [what: string, uri: string, passwords: string, code: number, RegExp])[] = [
    ['a wrong PIN', root, '314159', 1, /PIN of token "alice" is wrong/],
    ['a token that is not there', uri('dave', 'root'), pin, 1, /No token .* There are/],
    ['a key that is not there', uri('alice', 'toor'), pin, 1, /shows no such private key/],
    ['a PIN on the command line', `${root}&pin-value=${pin}`, '', 2, /Leave pin-value out/],
  ]
  for (const [what, name, passwords, code, message] of refusals) {
    it(`refuses ${what}`, async () => {
      const ran = await run(['key', 'show', name, '--password-fd', '3'], passwords)
      assert.equal(ran.code, code)
      assert.match(ran.stderr, message)
    })
  }

  it('says how to install what is not installed', async () => {
    const { code, stderr } = await tuffet(['key', 'show', root], '', { env: { NODE_PATH: '' } })
    assert.equal(code, 1)
    assert.match(stderr, /npm install --no-save --ignore-scripts=false pkcs11js@\d+\.\d+\.\d+\n$/)
  })

  it('has never said a PIN or a password', () => {
    assert.ok(seen.length > 20)
    for (const text of seen) for (const secret of [pin, '314159', password]) assert.ok(!text.includes(secret), text)
  })

  async function keyidOf(file: string): Promise<string> {
    return JSON.parse((await works(['key', 'show', file, '--json'])).stdout).keyid
  }
})
