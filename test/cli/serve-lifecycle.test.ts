import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { createKeyFile } from '../../shared/adapters/local/key-file-signer.ts'
import { newToken } from '../../shared/app/tokens.ts'
import { artifact } from '../support/api.ts'
import { post, serveInVain, serveProcess } from '../support/served.ts'

let directory: string
let count = 0
const freshData = () => join(directory, `data-${count++}`)
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tuffet serve '))
})
after(() => rm(directory, { recursive: true }))

describe('starting', () => {
  it('takes its options from the environment too', async () => {
    const data = freshData()
    const env = { TUFFET_DATA: data, TUFFET_PORT: '0', TUFFET_TRIAL: '1', TUFFET_TRIAL_BINS: 'path_hash_prefixes' }
    const served = await serveProcess([], { env: { ...env, TUFFET_ARTIFACTS: '', TUFFET_HOST: '' } })
    const config = (await (await fetch(new URL('/api/v1/config', served.url))).json()) as { data: object }
    assert.equal((config.data as Record<string, unknown>)['bins_delegation'], 'path_hash_prefixes')
    assert.equal(await served.stop(), 0)
    const again = await serveProcess([], { env: { ...env, TUFFET_TRIAL: 'false' } })
    assert.equal(await again.stop(), 0)
    assert.ok((await readdir(data)).includes('state'))
  })

  it('is refused where it would be open to others, or cannot be', async () => {
    const file = join(directory, 'file')
    await writeFile(file, 'x')
    const cases: readonly (readonly [args: readonly string[], code: number, says: RegExp])[] = [
      [['--host', '0.0.0.0'], 2, /--token-file FILE, or --behind-proxy/],
      [['--port', 'x'], 2, /0 to 65535/],
      [['--port', '70000'], 2, /0 to 65535/],
      [['--artifacts', join(directory, 'nowhere')], 2, /is not a directory/],
      [['--token-file', join(directory, 'nowhere')], 2, /nowhere cannot be read/],
      [['--token-file', directory], 2, /cannot be read/],
      [['--token-file', file], 1, /not JSON/],
      [['--key', file], 1, /no private key/],
      [['--key', join(directory, 'nowhere')], 2, /nowhere cannot be read/],
      [['--key', directory], 2, /cannot be read/],
      [['--key', ''], 2, /--key is empty/],
      [['--data', file], 2, /is not a directory/],
      [['--data', join(file, 'x')], 1, /data directory/],
      [['nonsense'], 2, /too many arguments/],
    ]
    for (const [args, code, says] of cases) {
      const refused = await serveInVain(['--data', freshData(), '--port', '0', ...args])
      assert.equal(refused.code, code, `${args}: ${refused.stderr}`)
      assert.match(refused.stderr, says)
    }
  })

  it('is refused where its key, its state or its tokens would be among the artifacts', async () => {
    const place = join(directory, 'place')
    const data = join(place, 'data')
    await mkdir(join(place, 'artifacts'), { recursive: true })
    await mkdir(join(data, 'state'), { recursive: true })
    await symlink(place, join(directory, 'by another name'))
    const [key, tokens] = [join(place, 'artifacts', 'key.pem'), join(place, 'artifacts', 'tokens.json')]
    await createKeyFile(key)
    await writeFile(tokens, '[]')
    for (const [artifacts, ...more] of [
      [place],
      [data],
      [join(directory, 'by another name')],
      [place, '--data', join(directory, 'by another name', 'not', 'yet')],
      [join(data, 'state')],
      [join(place, 'artifacts'), '--key', key],
      [join(place, 'artifacts'), '--token-file', tokens],
    ] as const) {
      const refused = await serveInVain(['--data', data, '--port', '0', '--artifacts', artifacts, ...more])
      assert.equal(refused.code, 2, `${artifacts} ${more}: ${refused.stderr}`)
      assert.match(refused.stderr, /Name a directory that has nothing but artifacts/)
    }
  })

  it('warns of an online key that others may open', { skip: process.platform === 'win32' }, async () => {
    const key = join(directory, 'open.pem')
    await createKeyFile(key)
    const warnings = async (mode: number) => {
      await chmod(key, mode)
      const served = await serveProcess(['--data', freshData(), '--port', '0', '--key', key])
      await served.stop()
      return served.output().stderr.match(/others than its owner may open .*chmod 600 .*open\.pem/g)?.length ?? 0
    }
    assert.deepEqual([await warnings(0o644), await warnings(0o640), await warnings(0o600)], [1, 1, 0])
  })

  it('is refused on a port that is taken', async () => {
    const served = await serveProcess(['--data', freshData(), '--port', '0'])
    const refused = await serveInVain(['--data', freshData(), '--port', served.url.port])
    await served.stop()
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /port is taken; --port 0/)
  })

  it('is refused over a directory that cannot be written to', { skip: process.getuid?.() === 0 }, async () => {
    const data = freshData()
    await mkdir(data)
    await chmod(data, 0o500)
    const refused = await serveInVain(['--data', data, '--port', '0'])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /data directory/)
  })

  it('publishes nothing over metadata that it did not write, and says what to do', async () => {
    const data = freshData()
    const first = await serveProcess(['--data', data, '--port', '0', '--trial'])
    assert.equal(await first.stop(), 0)
    const timestamp = join(data, 'metadata', 'timestamp.json')
    await writeFile(timestamp, '{}')
    const served = await serveProcess(['--data', data, '--port', '0'])
    const refused = await post(served, 'artifacts', { artifacts: [artifact('a')] })
    assert.equal(refused.status, 503)
    assert.match(JSON.stringify(refused.body), /timestamp\.json .*restore it/i)
    assert.equal((await fetch(new URL('/health', served.url))).status, 503)
    assert.equal(await readFile(timestamp, 'utf8'), '{}')
    assert.equal(await served.stop(), 0)
  })

  it('does not wait for a trial to be founded whose metadata is lost', async () => {
    const args = ['--data', freshData(), '--port', '0', '--trial']
    const first = await serveProcess(args)
    assert.equal(await first.stop(), 0)
    await rm(join(args[1] ?? '', 'metadata'), { recursive: true })
    const refused = await serveInVain(args)
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /timestamp\.json is missing.*tuffet repair/)
  })

  it('lets in who has a token, on any address', async () => {
    const data = freshData()
    const file = join(directory, 'tokens.json')
    const { token, entry } = newToken('ci', 'publish')
    await writeFile(file, JSON.stringify([entry]))
    const served = await serveProcess([
      '--data',
      data,
      '--port',
      '0',
      '--host',
      '0.0.0.0',
      '--token-file',
      file,
      '--trial',
    ])
    served.url.hostname = '127.0.0.1'
    assert.equal((await post(served, 'artifacts', { artifacts: [artifact('a')] })).status, 401)
    const headers = { authorization: `Bearer ${token}`, prefer: 'wait=10' }
    assert.equal((await post(served, 'artifacts', { artifacts: [artifact('a')] }, headers)).status, 200)
    assert.equal((await post(served, 'metadata/online', { roles: [] }, headers)).status, 403)
    assert.equal((await fetch(new URL('/metadata/timestamp.json', served.url))).status, 200)
    assert.ok(!served.output().stderr.includes(token))
    assert.equal(await served.stop(), 0)
  })
})

describe('ending', () => {
  it('leaves no server behind where localhost has two addresses', { skip: process.platform !== 'linux' }, async () => {
    const addresses = "host === 'localhost' ? ['127.0.0.1', '127.0.0.2'] : [host]"
    const preload = join(directory, 'two-addresses.mjs')
    const found = `(${addresses}).map((address) => ({ address, family: 4 }))`
    const lookup = `(host, _, done) => process.nextTick(done, null, ${found})`
    await writeFile(preload, `import dns from 'node:dns'\ndns.lookup = ${lookup}\n`)
    const env = { NODE_OPTIONS: `--import ${JSON.stringify(pathToFileURL(preload).href)}` }
    const served = await serveProcess(['--data', freshData(), '--port', '0', '--host', 'localhost'], { env })
    await assert.rejects(fetch(`http://127.0.0.2:${served.url.port}/health`))
    assert.equal((await fetch(`http://127.0.0.1:${served.url.port}/health`)).status, 200)
    assert.equal(await served.stop(), 0)
  })

  it('is clean at SIGTERM and SIGINT, with a request under way and nobody reading', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const served = await serveProcess(['--data', freshData(), '--port', '0', '--trial'])
      served.child.stdout?.destroy()
      const posts = Array.from({ length: 20 }, (_, n) => {
        return post(served, 'artifacts', { artifacts: [artifact(`a-${n}`)] }, { prefer: 'wait=10' }).catch(
          () => undefined,
        )
      })
      await Promise.race(posts)
      assert.equal(await served.stop(signal), 0)
      await Promise.all(posts)
    }
  })

  it('outlives a closed standard error', async () => {
    const served = await serveProcess(['--data', freshData(), '--port', '0'])
    served.child.stdout?.destroy()
    served.child.stderr?.destroy()
    for (let n = 0; n < 5; n++) assert.equal((await fetch(new URL('/api/v1/status', served.url))).status, 200)
    assert.equal(await served.stop(), 0)
  })

  it('by SIGKILL at any moment loses nothing that was accepted', async () => {
    const args = ['--data', freshData(), '--port', '0', '--trial']
    const accepted: string[] = []
    // Not three times: a task that was alone in each of them would count as what the service dies of.
    for (let round = 0; round < 2; round++) {
      const served = await serveProcess(args)
      const posting = Array.from({ length: 30 }, async (_, n) => {
        const path = `round-${round}/${n}-${randomBytes(4).toString('hex')}`
        const answer = await post(served, 'artifacts', { artifacts: [artifact(path)] }).catch(() => undefined)
        if (answer?.status === 202) accepted.push(answer.body.data.task_id)
      })
      await Promise.race(posting)
      assert.equal(await served.stop('SIGKILL'), 'SIGKILL')
      await Promise.all(posting)
    }
    assert.ok(accepted.length > 0)
    const served = await serveProcess(args)
    for (const id of accepted) {
      const task = await fetch(new URL(`/api/v1/task?task_id=${id}`, served.url))
      const { data } = (await task.json()) as { data?: { state: string } }
      assert.equal(data?.state, 'SUCCESS', id)
    }
    assert.equal(await served.stop(), 0)
  })
})
