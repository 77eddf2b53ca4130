import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { tuffet } from '../support/tuffet.ts'

const checkout = join(import.meta.dirname, '../..')

/** `npm start` in a checkout of its own, whose path has spaces. */
describe('npm start', { timeout: 60_000 }, () => {
  let directory: string
  const path = (name: string) => join(directory, name)
  const children = new Set<ChildProcess>()

  function begin() {
    const child = spawn(process.execPath, ['cli/start.ts'], {
      cwd: directory,
      env: { ...process.env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.add(child)
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
    const ended = once(child, 'close') as Promise<[number | null]>
    return {
      child,
      ended,
      said: () => said,
      async serving(): Promise<URL> {
        while (!said.includes('until Ctrl-C')) {
          assert.equal(child.exitCode, null, said)
          await sleep(50)
        }
        return new URL(/Serving at (\S+) until/.exec(said)?.[1] ?? '')
      },
    }
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'a newcomer’s first minute '))
    for (const name of ['cli', 'shared', 'package.json', 'README.md'])
      await cp(join(checkout, name), path(name), { recursive: true })
    await symlink(join(checkout, 'node_modules'), path('node_modules'))
  })
  after(async () => {
    for (const child of children) child.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  })

  it('goes on after first starts that were interrupted', async () => {
    for (const milliseconds of [300, 600, 900]) {
      const interrupted = begin()
      await sleep(milliseconds)
      interrupted.child.kill('SIGKILL')
      await interrupted.ended
    }
    const { serving, said, child, ended } = begin()
    const url = await serving()
    assert.equal((await fetch(new URL('health', url))).status, 200)
    assert.match(said(), /1 {2}(A repository is founded|The trial repository is there)/)
    assert.match(said(), /2 {2}A build publishes README\.md\n.*sha256/)
    assert.match(said(), /root +version 1 +signed by 2 of 2 root keys, 2 needed/)
    assert.match(said(), /README\.md +[\d,]+ bytes +verified: sha256/)
    assert.match(said(), /README\.md +refused: another hash/)
    assert.match(said(), /tuffet-data\/trial +not for real use/)
    child.kill('SIGINT')
    assert.deepEqual(await ended, [0, null])
    assert.match(said(), /Stopped\. tuffet-data stays/)
  })

  it('keeps its keys to itself', async () => {
    const keys = (await readdir(path('tuffet-data/trial'))).filter((name) => name.endsWith('.pem'))
    assert.deepEqual(keys, ['root-1.pem', 'root-2.pem'])
    for (const key of keys) assert.equal((await stat(path(`tuffet-data/trial/${key}`))).mode & 0o777, 0o600)
    assert.match(await readFile(path('tuffet-data/trial/README.txt'), 'utf8'), /for trying Tuffet out/)
  })

  it('works over the data that is there, on another port if its own is taken, and not twice at once', async () => {
    const other = createServer()
    // Or else somebody has it already.
    await once(other.listen(8080, '127.0.0.1'), 'listening').catch(() => {})
    try {
      const first = begin()
      const url = await first.serving()
      assert.notEqual(url.port, '8080')
      assert.match(first.said(), /The trial repository is there/)
      const pasted = new RegExp(`node_modules/\\.bin/tuffet --api ${url.origin} status`)
      assert.match(first.said(), pasted)

      const second = begin()
      assert.deepEqual(await second.ended, [1, null])
      assert.match(second.said(), /error: The data directory .* is in use by another process/)

      first.child.kill('SIGTERM')
      assert.deepEqual(await first.ended, [0, null])
    } finally {
      other.close()
    }
  })

  it('starts a service that does long work, too, which has threads of its own', async () => {
    const { serving, child, ended } = begin()
    const url = await serving()
    await writeFile(path('many.csv'), `imported;7;sha256;${'ab'.repeat(32)}\n`)
    const { code, stderr } = await tuffet(['import', path('many.csv')], '', { env: { TUFFET_API: url.origin } })
    assert.equal(code, 0, stderr)
    child.kill('SIGINT')
    assert.deepEqual(await ended, [0, null])
  })

  it('leaves no service behind when it is killed', async () => {
    const { serving, child, ended } = begin()
    const url = await serving()
    child.kill('SIGKILL')
    await ended
    for (;;) {
      const answer = await fetch(new URL('health', url)).catch(() => undefined)
      if (answer === undefined) break
      await sleep(100)
    }
  })
})
