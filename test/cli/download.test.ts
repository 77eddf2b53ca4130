import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { keyFileSigner } from '../../shared/adapters/local/key-file-signer.ts'
import { canonicalBytes } from '../../shared/tuf/canonical.ts'
import { type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

describe('tuffet download', () => {
  let directory: string
  let served: Served
  const path = (name: string) => join(directory, name)
  const run = (...args: string[]) =>
    tuffet(args, '', { cwd: directory, env: { TUFFET_API: served.url.href, XDG_CACHE_HOME: path('cache') } })
  const download = (...args: string[]) => run('download', ...args)

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet download '))
    await mkdir(path('files/sub'), { recursive: true })
    await writeFile(path('files/a.txt'), 'the true a')
    await writeFile(path('files/sub/b.txt'), 'the true b')
    const flags = ['--data', path('data'), '--artifacts', path('files'), '--port', '0', '--trial']
    served = await serveProcess(flags)
    const added = await run('artifact', 'add', 'files', '--base', 'files')
    assert.equal(added.code, 0, added.stderr)
    await run('artifact', 'add', 'nowhere.bin', '--length', '1', '--sha256', 'ab'.repeat(32))
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  it('says that it trusts on first use, and on the second that it knows the repository', async () => {
    const first = await download('a.txt', 'sub/b.txt', '--out', 'first')
    assert.equal(first.code, 0, first.stderr)
    assert.match(first.stderr, /Trusting http.*\/metadata\/1\.root\.json on first use \(SHA-256 [0-9a-f]{64}\)/)
    assert.match(first.stdout, /^verified {2}a\.txt {6}10 bytes {2}sha256 [0-9a-f]{12}… {2}-> first\/a\.txt$/m)
    assert.equal(await readFile(path('first/a.txt'), 'utf8'), 'the true a')
    assert.equal(await readFile(path('first/sub/b.txt'), 'utf8'), 'the true b')
    const second = await download('a.txt', '--out', 'first', '--json')
    assert.equal(second.stderr, '')
    assert.equal(JSON.parse(second.stdout).trust.by, 'cache')
  })

  it('begins with a root that came by a trusted way', async () => {
    const root = path('data/metadata/1.root.json')
    const { code, stdout } = await download('a.txt', '--root', root, '--out', 'rooted', '--json')
    assert.equal(code, 0)
    assert.equal(JSON.parse(stdout).trust.by, 'file')
  })

  it('trusts no repository that the given root does not lead to', async () => {
    const forged = JSON.parse(await readFile(path('data/metadata/1.root.json'), 'utf8'))
    forged.signed.expires = '2099-01-01T00:00:00Z'
    await writeFile(path('forged.json'), JSON.stringify(forged))
    const args = ['a.txt', '--root', 'forged.json', '--out', 'forged']
    // Once more, for what was not trusted must not be found in the cache either.
    for (const _ of [1, 2]) {
      const { code, stderr } = await download(...args)
      assert.equal(code, 4, stderr)
      assert.match(stderr, /was not verified/)
    }
  })

  it('writes nothing that was not verified, and what was all the same', async () => {
    const mirror = createServer((request, response) =>
      response.end(request.url?.includes('a.txt') ? 'the fake a' : 'the true b'),
    )
    await once(mirror.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`
    try {
      const { code, stdout, stderr } = await download(
        'a.txt',
        'sub/b.txt',
        '--targets-url',
        url,
        '--out',
        'fake',
        '--json',
      )
      assert.equal(code, 4)
      assert.match(stderr, /a\.txt: what http.* serves is not what trusted metadata vouches for/)
      const [a, b] = JSON.parse(stdout).files
      assert.equal(a.error.code, 'not-verified')
      assert.equal(b.length, 10)
      assert.deepEqual((await readdir(path('fake'), { recursive: true })).sort(), ['sub', 'sub/b.txt'])
    } finally {
      mirror.close().closeAllConnections()
    }
  })

  it('takes a place that cannot be written for no fault of the repository', async (test) => {
    assert.equal((await download('a.txt', '--out', 'placed', '--cache', 'spoilt')).code, 0)
    const [of = ''] = await readdir(path('spoilt'))
    for (const name of ['timestamp', 'snapshot']) {
      const kept = path(`spoilt/${of}/metadata/${name}.json`)
      await rm(kept)
      await mkdir(kept)
      const { code, stderr } = await download('a.txt', '--out', 'placed', '--cache', 'spoilt')
      assert.equal(code, 1, stderr)
      assert.match(stderr, /The cache spoilt cannot be used: .*EISDIR.* Name another directory with --cache\.$/m)
      await rm(kept, { recursive: true })
    }

    if (process.platform !== 'linux') return test.skip('there is no directory that root cannot write to')
    const nowhere = await download('a.txt', '--out', '/proc/self/fdinfo')
    assert.equal(nowhere.code, 1, nowhere.stderr)
    assert.match(nowhere.stderr, /fdinfo\/a\.txt cannot be written: /)
  })

  it('says of metadata that expired who can do something about it', async () => {
    const timestamp = JSON.parse(await readFile(path('data/metadata/timestamp.json'), 'utf8'))
    timestamp.signed.expires = '2020-01-01T00:00:00Z'
    const signer = await keyFileSigner(path('data/keys/online.pem'))
    timestamp.signatures[0].sig = await signer.sign(canonicalBytes(timestamp.signed))
    const mirror = createServer((request, response) => {
      const name = basename(request.url ?? '')
      const file = path(`data/metadata/${name}`)
      if (name === 'timestamp.json') response.end(JSON.stringify(timestamp))
      else if (existsSync(file)) response.end(readFileSync(file))
      else response.writeHead(404).end()
    })
    await once(mirror.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`
    try {
      const { code, stderr } = await download('a.txt', '--metadata-url', url, '--out', 'expired')
      assert.equal(code, 4, stderr)
      assert.match(stderr, /timestamp.* is expired.*not refreshed in time/)
      assert.doesNotMatch(stderr, /remove/)
    } finally {
      mirror.close().closeAllConnections()
    }
  })

  it('tells who is not there from who is not to be trusted', async () => {
    const cases: readonly (readonly [number, RegExp, ...string[]])[] = [
      [4, /unknown: no trusted role vouches for it/, 'unknown'],
      [3, /nowhere\.bin cannot be had: the server answered 404/, 'nowhere.bin'],
      [3, /127\.0\.0\.1:9.* cannot be reached/, 'a.txt', '--targets-url', 'http://127.0.0.1:9/'],
      [3, /127\.0\.0\.1:9.* cannot be reached/, 'a.txt', '--metadata-url', 'http://127.0.0.1:9/'],
      [3, /1\.root\.json cannot be had: the server answered 404/, 'a.txt', '--metadata-url', `${served.url}nowhere/`],
      [1, /tuf-js.*cannot look for a target of that name/, 'constructor'],
      [1, /\.\.\/x would be written outside/, '../x'],
      [2, /--root nosuch\.json cannot be read: ENOENT/, 'a.txt', '--root', 'nosuch.json'],
      [1, /cache files\/a\.txt cannot be used: ENOTDIR.* --cache/, 'a.txt', '--cache', 'files/a.txt'],
      [2, /--root files\/a\.txt is not root metadata/, 'a.txt', '--root', 'files/a.txt'],
      [2, /timestamp\.json is not root metadata/, 'a.txt', '--root', 'data/metadata/timestamp.json'],
    ]
    for (const [code, message, ...args] of cases) {
      const ran = await download(...args, '--out', 'none')
      assert.equal(ran.code, code, `${args}: ${ran.stderr}`)
      assert.match(ran.stderr, message)
    }
  })

  it('fetches target files under their plain names where it is told to', async () => {
    const { code, stderr } = await download('a.txt', '--plain', '--out', 'plain')
    assert.equal(code, 0, stderr)
  })

  it('refuses a repository that went back in time', async () => {
    await cp(path('data/metadata'), path('old'), { recursive: true })
    await run('refresh', 'timestamp')
    assert.equal((await download('a.txt', '--cache', 'own', '--out', 'now', '--json')).code, 0)
    const serveOld = createServer(async (request, response) => {
      const bytes = await readFile(path(`old${decodeURIComponent(request.url ?? '').replace('/metadata', '')}`)).catch(
        () => undefined,
      )
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
    })
    // The same URL as before is what makes it the same repository.
    const port = served.url.port
    await served.stop()
    await once(serveOld.listen(Number(port), '127.0.0.1'), 'listening')
    try {
      const { code, stderr } = await download('a.txt', '--cache', 'own', '--out', 'back')
      assert.equal(code, 4, stderr)
      assert.match(stderr, /was not verified: .*less than current version.*remove .*own/)
    } finally {
      serveOld.close().closeAllConnections()
    }
  })
})
