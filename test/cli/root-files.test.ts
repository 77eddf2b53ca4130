import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, mock } from 'node:test'
import { tokenAccess } from '../../cli/access.ts'
import { apiClient } from '../../cli/api-client.ts'
import { createOutput } from '../../cli/output.ts'
import { passwords } from '../../cli/prompt.ts'
import { signRoot } from '../../cli/root/sign.ts'
import { createKeyFile } from '../../shared/adapters/local/key-file-signer.ts'
import { post, type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

/** Nobody listens there. */
const nowhere = ['--api', 'http://127.0.0.1:9', '--metadata-url', 'http://127.0.0.1:9/metadata/']

describe('a root that goes from holder to holder in a file', () => {
  let directory: string
  let served: Served
  /** The keyid of the key that is left. */
  let next: string
  const path = (name: string) => join(directory, name)
  const holder = (number: number) => path(`data/trial/root-${number}.pem`)
  const root = (...args: string[]) => tuffet(['--api', served.url.href, 'root', ...args])
  const offline = (...args: string[]) => tuffet([...nowhere, 'root', ...args])
  const serve = (key: string) => serveProcess(['--data', path('data'), '--port', '0', '--trial', '--key', path(key)])

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet root '))
    await Promise.all(['online.pem', 'next.pem'].map((name) => createKeyFile(path(name))))
    // The key that signs the timestamp is lost: this service can write down nothing until a root names the other.
    await (await serve('online.pem')).stop()
    served = await serve('next.pem')
    await copyFile(path('data/metadata/1.root.json'), path('trusted.json'))
    next = JSON.parse((await tuffet(['key', 'show', path('next.pem'), '--json'])).stdout).keyid
    const update = ['--online-key', next, '--compromised', '--key', holder(1), '--out', path('root-2.json'), '-y']
    const { code, stdout, stderr } = await root('update', ...update)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /nothing was sent/)
    assert.match(
      stdout,
      /Root version 2 needs 1 more signature\.\nEach of them runs: tuffet root sign --in '.*root-2\.json' --key/,
    )
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  it('is refused to who may not sign it, and where it does not follow what is trusted', async () => {
    const saved = await readFile(path('root-2.json'))
    const trusted = ['--root', path('trusted.json'), '-y']
    const first = JSON.parse(await readFile(path('trusted.json'), 'utf8'))
    await writeFile(path('first.json'), JSON.stringify({ metadata: { root: first } }))
    await copyFile(path('trusted.json'), path('other.json'))
    const input = ['--in', path('root-2.json')]
    for (const [args, code, says] of [
      [[...input, '--key', path('next.pem'), ...trusted], 1, /may not sign this root/],
      [[...input, '--key', holder(1), ...trusted], 1, /has signed this root already. Root version 2 needs 1 more/],
      [[...input, '--key', holder(2), '--out', path('other.json'), ...trusted], 1, /other.json exists/],
      [[...input, '--key', holder(2), '--root', path('first.json'), '-y'], 2, /holds no root metadata/],
      [[...input, '--key', holder(2), '-y'], 3, /127\.0\.0\.1:9/],
      [
        ['--in', path('first.json'), '--key', holder(2), ...trusted],
        1,
        /first root: tuffet ceremony --continue '.*first\.json'/,
      ],
      [['--in', path('trusted.json'), '--key', holder(2), ...trusted], 1, /holds no payload with a root/],
      [['--out', path('x.json'), '--key', holder(2), ...trusted], 2, /--out goes with --in/],
      [[...input, '--key', holder(2), '--root', path('trusted.json')], 2, /--yes/],
    ] as const) {
      const refused = await offline('sign', ...args)
      assert.deepEqual([refused.code, says.test(refused.stderr)], [code, true], refused.stderr)
    }
    assert.deepEqual(await readFile(path('root-2.json')), saved)
  })

  it('is sent complete, or not at all, to a service that could not keep what waits', async () => {
    const both = ['--key', holder(1), '--key', holder(2), '-y']
    for (const [args, says] of [
      [['send', path('root-2.json'), '-y'], /--out FILE.*root sign --in FILE.*root send FILE/],
      [['update', ...both], new RegExp(`name another one that it holds: --online-key, one of ${next}`)],
      [['update', '--online-key', next, ...both], /cannot sign along with the next one: --compromised/],
    ] as const) {
      const { code, stderr } = await root(...args)
      assert.equal(code, 1)
      assert.match(stderr, /error: The service has lost the key of the timestamp\./)
      assert.match(stderr, says)
    }
  })

  it('is shown to who is asked to confirm it, with --quiet and --json, too', async () => {
    const url = new URL('http://127.0.0.1:9')
    for (const option of ['quiet', 'json']) {
      const asked: string[] = []
      const unasked = () => Promise.reject(new Error('Nobody was to be asked that.'))
      const confirm = async (message: string) => asked.push(message) === 0
      const hands = {
        ...{ output: createOutput({ [option]: true }), api: apiClient(url), access: tokenAccess(undefined) },
        ...{ apiBase: url, metadataUrl: url, passwords: passwords(undefined, undefined) },
        prompter: { confirm, text: unasked, secret: unasked, choose: unasked },
      }
      const write = mock.method(process.stderr, 'write', () => true)
      const options = { in: path('root-2.json'), root: path('trusted.json'), key: holder(2) }
      const outcome = await signRoot(options, hands).catch((error: unknown) => error)
      const shown = write.mock.calls.map(({ arguments: [text] }) => String(text)).join('')
      write.mock.restore()
      assert.match(String(outcome), /Not confirmed/)
      assert.deepEqual(asked, ['Is this right?'])
      assert.match(shown, /key of timestamp +- /)
    }
  })

  it('is signed without a network, is sent, and has a service go on whose timestamp key is lost', async () => {
    const signing = ['sign', '--in', path('root-2.json'), '--root', path('trusted.json'), '-y']
    const signed = await offline(...signing, '--key', holder(2), '--out', path('complete.json'))
    assert.equal(signed.code, 0, signed.stderr)
    assert.match(signed.stderr, /key of timestamp +- /, 'what it changes is shown')
    assert.match(signed.stdout, /has all its signatures\.\nTo send it: tuffet root send '.* .*complete\.json'\n/)

    const sent = await root('send', path('complete.json'), '-y')
    assert.equal(sent.code, 0, sent.stderr)
    assert.match(sent.stderr, /key of timestamp +- .*sent as --compromised: online keys that go stop signing at once/s)
    assert.match(sent.stdout, /Root version 2 is published/)
    const added = await post(served, 'artifacts', { artifacts: [] }, { prefer: 'wait=20' })
    assert.equal(added.body.data.state, 'SUCCESS')
    const checked = await tuffet(['--api', served.url.href, 'check'])
    assert.equal(checked.code, 0, checked.stderr)
  })

  it('is refused once its version has passed', async () => {
    for (const args of [
      ['send', path('complete.json'), '-y'],
      ['sign', '--in', path('root-2.json'), '--key', holder(2), '-y'],
    ]) {
      const { code, stderr } = await root(...args)
      assert.equal(code, 1)
      assert.match(stderr, /has root version 2, which does not follow version 2 of http.*Begin anew/)
    }
  })

  it('waits at the service for the rest, if it is sent before it is complete', async () => {
    assert.equal((await root('update', '--key', holder(1), '--out', path('root-3.json'), '-y')).code, 0)
    const sent = await root('send', path('root-3.json'), '-y')
    assert.equal(sent.code, 0, sent.stderr)
    assert.doesNotMatch(sent.stderr, /compromised/)
    assert.match(sent.stdout, /needs 1 more signature/)
    assert.match((await root('sign', '--key', holder(2), '-y')).stdout, /Root version 3 is published/)
  })

  it('is sent again for the signatures that it has got since', async () => {
    const file = path('root-4.json')
    assert.equal((await root('update', '--key', holder(1), '--out', file, '-y')).code, 0)
    assert.equal((await root('send', file, '-y')).code, 0)
    const nothingNew = await root('send', file, '-y')
    assert.equal(nothingNew.code, 1)
    assert.match(nothingNew.stderr, /no signature that it lacks\. Root version 4 needs 1 more signature/)

    const other = path('other-4.json')
    assert.equal((await root('update', '--expiration', '9', '--key', holder(1), '--out', other, '-y')).code, 0)
    assert.match((await root('send', other, '-y')).stderr, /Another root waits for signatures.*tuffet root cancel/)

    const trusted = ['--root', path('data/metadata/3.root.json'), '-y']
    assert.equal((await offline('sign', '--in', file, '--key', holder(2), ...trusted)).code, 0)
    const sent = await root('send', file, '-y', '--json')
    assert.equal(sent.code, 0, sent.stderr)
    const { published, missing, task } = JSON.parse(sent.stdout)
    assert.deepEqual([published, missing, task.state], [true, { current: 0, next: 0 }, 'SUCCESS'])
  })
})
