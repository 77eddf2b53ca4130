import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { describeRoot } from '../../cli/root/standing.ts'
import { createKeyFile } from '../../shared/adapters/local/key-file-signer.ts'
import { decodeSigned } from '../../shared/tuf/signed.ts'
import { post, type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

const password = 'correct horse'

describe('tuffet root', () => {
  let directory: string
  let served: Served
  let alice: string
  let bob: string
  const path = (name: string) => join(directory, name)
  const root = (args: readonly string[], passwords?: string) =>
    tuffet(['--api', served.url.href, 'root', ...args], passwords)

  async function json(args: readonly string[], passwords?: string) {
    const { code, stdout, stderr } = await root([...args, '--json'], passwords)
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet root '))
    await Promise.all(['online.pem', 'next.pem'].map((name) => createKeyFile(path(name))))
    const keys = ['--key', path('online.pem'), '--key', path('next.pem')]
    served = await serveProcess(['--data', path('data'), '--port', '0', '--trial', ...keys])
    alice = path('data/trial/root-1.pem')
    bob = path('data/trial/root-2.pem')
    assert.equal((await tuffet(['key', 'new', path('carol.pem'), '--password-fd', '3'], password)).code, 0)
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  it('shows the current root while none waits, and signs or cancels none', async () => {
    const { stdout } = await root(['status'])
    assert.match(
      stdout,
      /^Root version 1 expires in 365 days.*\n2 of these keys have to sign the next one:\n {2}[0-9a-f]{64}/,
    )
    assert.match(stdout, /No root waits for signatures/)
    const first = decodeSigned('root', await readFile(path('data/metadata/1.root.json'))).signed
    assert.match(describeRoot(first, new Date('2100-01-01')), /^Root version 1 expired [\d,]+ days ago, at 20/)
    for (const args of [
      ['sign', '--key', alice, '-y'],
      ['cancel', '-y'],
    ]) {
      const { code, stderr } = await root(args)
      assert.equal(code, 1)
      assert.match(stderr, /No root waits for signatures/)
    }
  })

  it('has the next root signed by one holder now and by another later', async () => {
    const updated = await json(['update', '--expiration', '100', '--key', alice, '-y'])
    assert.equal(updated.published, false)
    assert.deepEqual(updated.missing, { current: 1, next: 1 })
    const status = await root(['status'])
    assert.match(status.stdout, /Root version 2 waits for signatures\n {2}version {2}1 → 2\n {2}expires/)
    assert.match(status.stdout, / signed .*\n {2}not yet .*\n\nRoot version 2 needs 1 more signature\./)

    const twice = await root(['sign', '--key', alice, '-y'])
    assert.equal(twice.code, 1)
    assert.match(twice.stderr, /has signed this root already/)
    const second = await root(['update', '--key', bob, '-y'])
    assert.match(second.stderr, /A root waits for signatures already/)

    const signed = await root(['sign', '--key', bob, '-y'])
    assert.equal(signed.code, 0, signed.stderr)
    assert.match(signed.stderr, /version {2}1 → 2/, 'what it changes is shown')
    assert.match(signed.stdout, /Root version 2 is published/)
    assert.equal((await json(['status'])).current.version, 2)
  })

  it('changes holders: those of before and those of after have to sign', async () => {
    const { holders } = await json(['update', '--threshold', '2', '--out', path('look.json'), '-y'])
    const [first] = holders
    const updated = await json([
      'update',
      ...['--add-key', path('carol.pem.pub'), '--remove-key', first.keyid.slice(0, 8), '--key', alice, '-y'],
    ])
    assert.deepEqual(updated.missing, { current: 1, next: 2 })
    assert.deepEqual(updated.changes.filter(({ what }: { what: string }) => what === 'key of root').length, 2)
    const status = await root(['status'])
    assert.match(status.stdout, / signed .* on its way out\n.*\n.* new\n/)
    const carol = await json(['sign', '--key', path('carol.pem'), '--password-fd', '3', '-y'], password)
    assert.deepEqual(carol.missing, { current: 1, next: 1 })
    assert.equal((await json(['sign', '--key', bob, '-y'])).published, true)
    const gone = await root(['update', '--key', alice, '-y'])
    assert.equal(gone.code, 1)
    assert.match(gone.stderr, /may not sign this root/)
  })

  it('gives up the one that waits', async () => {
    assert.equal((await json(['update', '--key', bob, '-y'])).published, false)
    assert.equal((await json(['cancel', '-y'])).version, 4)
    assert.equal((await json(['status'])).waiting, undefined)
  })

  it('changes the online key', async () => {
    const shown = await tuffet(['key', 'show', path('next.pem'), '--json'])
    const { keyid } = JSON.parse(shown.stdout)
    const strange = await root(['update', '--online-key', 'ab'.repeat(32), '-y'])
    assert.equal(strange.code, 2)
    assert.match(strange.stderr, /The service does not hold key/)

    const keys = ['--key', bob, '--key', path('carol.pem'), '--password-fd', '3']
    const updated = await json(['update', '--online-key', keyid, '--compromised', ...keys, '-y'], password)
    assert.equal(updated.published, true)
    const changed = updated.changes.map(({ what }: { what: string }) => what)
    for (const role of ['targets', 'snapshot', 'timestamp']) assert.ok(changed.includes(`key of ${role}`))
    const added = await post(served, 'artifacts', { artifacts: [] }, { prefer: 'wait=20' })
    assert.equal(added.body.data.state, 'SUCCESS')
    const timestamp = JSON.parse(await readFile(path('data/metadata/timestamp.json'), 'utf8'))
    assert.deepEqual(
      timestamp.signatures.map((signature: { keyid: string }) => signature.keyid),
      [keyid],
    )
  })

  it('saves a payload instead of sending it, and overwrites nothing', async () => {
    const { version } = (await json(['status'])).current
    const saved = await json(['update', '--key', bob, '--out', path('root.json'), '-y'])
    assert.equal(saved.version, version + 1)
    const payload = JSON.parse(await readFile(path('root.json'), 'utf8'))
    assert.equal(payload.metadata.root.signed.version, version + 1)
    assert.equal((await json(['status'])).waiting, undefined)
    assert.match((await root(['update', '--out', path('root.json'), '-y'])).stderr, /exists, and is not overwritten/)
    const sent = await post(served, 'metadata', payload, { prefer: 'wait=20' })
    assert.equal(sent.body.data.state, 'SUCCESS')
    assert.equal((await json(['cancel', '-y'])).version, version + 1)
  })

  it('trusts no root that does not follow the one that is given', async () => {
    const file = path('trusted.json')
    await copyFile(path('data/metadata/2.root.json'), file)
    assert.equal((await root(['status', '--root', file])).code, 0)
    const other = await mkdtemp(join(tmpdir(), 'tuffet root '))
    const elsewhere = await serveProcess(['--data', other, '--port', '0', '--trial'])
    try {
      const foreign = join(other, 'metadata/1.root.json')
      const { code, stderr } = await root(['status', '--root', foreign])
      assert.equal(code, 4)
      assert.match(stderr, /2\.root\.json is not to be trusted/)
    } finally {
      await elsewhere.stop()
      await rm(other, { recursive: true })
    }
    await writeFile(file, 'not a root')
    assert.equal((await root(['status', '--root', file])).code, 2)
  })

  it('wants a confirmation, a key, and an update that can be', async () => {
    const { stderr, code } = await root(['update', '--key', bob])
    assert.deepEqual([code, /--yes/.test(stderr)], [2, true])
    for (const [args, says] of [
      [['--threshold', '3'], /2 keys and a threshold of 3\. Choose a lower --threshold, or add keys with --add-key\./],
      [['--remove-key', 'ffffffff'], /none of the keys of root/],
      [['--add-key', path('carol.pem.pub')], /is in the root already/],
      [['--targets-threshold', '1'], /The service signs targets/],
      [['--compromised'], /online keys that go, and none does.*--online-key/],
    ] as const) {
      const refused = await root(['update', ...args, '-y'])
      assert.equal(refused.code, 2, refused.stderr)
      assert.match(refused.stderr, says)
    }
  })
})
