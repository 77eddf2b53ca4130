import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { post, type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

const checkout = join(import.meta.dirname, '../..')

/** What the README tells, from an empty directory on: each step by the command line or HTTP, on real files. */
describe('the journey of the README', () => {
  let directory: string
  let served: Served
  let builder: string
  const path = (name: string) => join(directory, name)
  const serve = () =>
    serveProcess([
      '--data',
      path('data'),
      '--artifacts',
      path('dist'),
      '--token-file',
      path('tokens.json'),
      '--port',
      '0',
    ])

  async function run(args: readonly string[], { passwords = '', token = '' } = {}) {
    const env = { TUFFET_API: served?.url.href ?? '', TUFFET_TOKEN: token, XDG_CACHE_HOME: path('cache') }
    const ran = await tuffet(args, passwords, { cwd: directory, env })
    assert.equal(ran.code, 0, `tuffet ${args.join(' ')}: ${ran.stderr}`)
    return ran.stdout
  }

  const download = async (name: string, out: string) =>
    tuffet(['download', name, '--root', path('root.json'), '--out', path(out)], '', {
      env: { TUFFET_API: served.url.href, XDG_CACHE_HOME: path('cache') },
    })

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet journey '))
    await mkdir(path('dist'))
    await copyFile(join(checkout, 'package.json'), path('dist/app-1.1.0.json'))
    await copyFile(join(checkout, 'tsconfig.json'), path('dist/app-1.2.0.json'))
  })
  after(async () => {
    await served?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  it('makes tokens, and a service that asks for them', async () => {
    const token = (...args: string[]) => run(['token', 'new', '--file', 'tokens.json', ...args])
    const administrator = (await token('--name', 'ops', '--permission', 'administer')).trim()
    builder = (await token('--permission', 'publish')).trim()
    served = await serve()
    const answer = await fetch(new URL('/api/v1/bootstrap', served.url), {
      headers: { authorization: `Bearer ${administrator}` },
    })
    assert.deepEqual(((await answer.json()) as { data: unknown }).data, { bootstrap: false })
    await writeFile(path('administrator'), administrator)
  })

  it('founds the repository in a ceremony of two holders', async () => {
    const token = await readFile(path('administrator'), 'utf8')
    for (const holder of ['alice', 'bob'])
      await run(['key', 'new', `${holder}.pem`, '--password-fd', '3'], { passwords: `password of ${holder}` })
    const first = ['--key', 'alice.pem', '--public-key', 'bob.pem.pub', '--bins', '64', '--later', '--yes']
    await run(['ceremony', ...first, '--password-fd', '3'], { passwords: 'password of alice', token })
    const second = ['--continue', 'payload.json', '--key', 'bob.pem', '--yes', '--send']
    const said = await run(['ceremony', ...second, '--password-fd', '3'], { passwords: 'password of bob', token })
    assert.match(said, /The repository is founded/)
    await copyFile(path('data/metadata/1.root.json'), path('root.json'))
  })

  it('publishes by the command, and by HTTP as any build system can', async () => {
    await run(['artifact', 'add', 'dist/app-1.1.0.json', '--base', 'dist'], { token: builder })
    const bytes = await readFile(path('dist/app-1.2.0.json'))
    const info = { length: bytes.length, hashes: { sha256: createHash('sha256').update(bytes).digest('hex') } }
    const body = { artifacts: [{ path: 'app-1.2.0.json', info }] }
    const headers = { authorization: `Bearer ${builder}`, prefer: 'wait=20', 'idempotency-key': 'job 42' }
    const { status, body: answer } = await post(served, 'artifacts', body, headers)
    assert.deepEqual([status, answer.data.state], [200, 'SUCCESS'])
    const again = await post(served, 'artifacts', body, headers)
    assert.equal(again.body.data.task_id, answer.data.task_id)
    const shown = JSON.parse(await run(['artifact', 'show', 'app-1.2.0.json', '--json'], { token: builder }))
    assert.deepEqual(shown.info, info)
  })

  it('lets a client verify both from the root up', async () => {
    for (const name of ['app-1.1.0.json', 'app-1.2.0.json']) {
      const { code, stderr } = await download(name, 'downloads')
      assert.equal(code, 0, stderr)
      assert.deepEqual(await readFile(path(`downloads/${name}`)), await readFile(path(`dist/${name}`)))
    }
  })

  it('has a tampered file and a removed one refused', async () => {
    await run(['artifact', 'remove', 'app-1.1.0.json'], { token: builder })
    const removed = await download('app-1.1.0.json', 'refused')
    assert.equal(removed.code, 4, removed.stderr)
    assert.match(removed.stderr, /no trusted role vouches for it/)
    const url = new URL('/artifacts/', served.url).href
    await writeFile(path('dist/app-1.2.0.json'), 'something else')
    const args = ['download', 'app-1.2.0.json', '--root', path('root.json'), '--targets-url', url, '--plain']
    const tampered = await tuffet([...args, '--out', path('refused')], '', {
      env: { TUFFET_API: served.url.href, XDG_CACHE_HOME: path('cache') },
    })
    assert.equal(tampered.code, 4, tampered.stderr)
  })

  it('tells what it is and what happened, and is valid all the while', async () => {
    const { versions, bins } = JSON.parse(await run(['status', '--json'], { token: builder }))
    assert.deepEqual([versions.root, versions.timestamp, bins.number], [1, 4, 64])
    const { commits } = JSON.parse(await run(['log', '--json'], { token: builder }))
    assert.deepEqual(
      commits.map(({ tasks }: { tasks: { task: string }[] }) => tasks[0]?.task),
      ['remove_artifacts', 'add_artifacts', 'add_artifacts', 'bootstrap'],
    )
    assert.equal(JSON.parse(await run(['check', 'data', '--json'])).valid, true)
  })

  it('goes on where it was after SIGTERM, and after SIGKILL', async () => {
    assert.equal(await served.stop('SIGTERM'), 0)
    served = await serve()
    assert.equal(await served.stop('SIGKILL'), 'SIGKILL')
    served = await serve()
    await run(['artifact', 'add', 'dist/app-1.2.0.json', '--base', 'dist'], { token: builder })
    const { code, stderr } = await download('app-1.2.0.json', 'later')
    assert.equal(code, 0, stderr)
    assert.equal(await readFile(path('later/app-1.2.0.json'), 'utf8'), 'something else')
    assert.equal(JSON.parse(await run(['check', '--json'])).valid, true)
  })
})
