import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'
import { makeWriter } from './kill/writer.ts'
import { seededRandom } from './world.ts'

/**
 * The embedded service, while build systems send without a pause, over a disk of 24 MB that is filled up, and then made
 * read-only, some times each: `npm run test:disk`. It needs to mount something, which it does in a user namespace of its own;
 * where the machine forbids that it says so and leaves it out.
 */
const rounds = 2
const [inside] = process.argv.slice(2)

if (inside === undefined) {
  const namespace = ['--user', '--map-root-user', '--mount']
  if (spawnSync('unshare', [...namespace, 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status !== 0) {
    console.log('This machine lets nobody mount a file system here (unshare --user --map-root-user --mount). Left out.')
    process.exit(0)
  }
  const mountPoint = mkdtempSync(join(tmpdir(), 'tuffet-disk-'))
  const { status } = spawnSync('unshare', [...namespace, process.execPath, import.meta.filename, mountPoint], {
    stdio: 'inherit',
  })
  rmSync(mountPoint, { recursive: true })
  process.exit(status ?? 1)
}

const disk = inside
const mount = (...args: readonly string[]) => execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'pipe'] })
mount('-t', 'tmpfs', '-o', 'size=24m', 'none', disk)
const data = join(disk, 'data')
/** Where the service writes what stays. */
const folders = ['log', 'metadata', 'state'].map((name) => join(data, name))
// It looks around every second.
const served = await serveProcess(['--data', data, '--port', '0', '--trial', '--rotation-grace', '1'])
const writers = Array.from({ length: 4 }, (_, at) => makeWriter(`writer-${at}`, served.url, seededRandom(at), true))
let over = false
const working = Promise.all(writers.map((writer) => writer.run(() => over)))
working.catch(() => {})

const troubles: Readonly<Record<string, { begin: () => Promise<void>; end: () => Promise<void> }>> = {
  full: {
    begin: async () => fill(),
    end: async () => rmSync(ballast),
  },
  'read-only': {
    begin: async () => {
      for (const folder of folders) {
        mount('--bind', folder, folder)
        await patiently(() => mount('-o', 'remount,bind,ro', folder))
      }
    },
    end: async () => {
      for (const folder of folders) await patiently(() => execFileSync('umount', [folder], { stdio: 'pipe' }))
    },
  },
}
const ballast = join(disk, 'ballast')

for (let round = 1; round <= rounds; round++) {
  for (const [code, { begin, end }] of Object.entries(troubles)) {
    await healthy()
    const before = accepted()
    await begin()
    await until(`a write is refused as ${code}`, async () => {
      if (code === 'full') fill()
      const { status, text } = await postOne()
      assert.ok([200, 202, 503].includes(status), text)
      return status === 503 && text.includes(`"${code}"`)
    })
    assert.equal((await fetch(new URL('metadata/timestamp.json', served.url))).status, 200)
    assert.equal((await fetch(new URL('api/v1/status', served.url))).status, 200)
    await sleep(1500)
    await end()
    await healthy()
    await until('tasks are accepted again', async () => accepted() > before)
    console.log(`round ${round}, ${code}: refused, said so, and went on by itself`)
  }
}
over = true
await working
for (const id of writers.flatMap((writer) => [...writer.accepted])) {
  await until(`task ${id} is done`, async () => {
    const text = await (await fetch(new URL(`api/v1/task?task_id=${id}`, served.url))).text()
    assert.ok(/"state":"(SUCCESS|PENDING)"/.test(text), text)
    return text.includes('SUCCESS')
  })
}
const { code, stdout, stderr } = await tuffet(['check', data, '--json'])
assert.equal(code, 0, `tuffet check: ${stdout} ${stderr}`)
assert.match(served.output().stderr + served.output().stdout, /Make room on that disk/)
assert.equal(await served.stop(), 0)
console.log(`${accepted()} tasks accepted, each done; tuffet check is clean.`)
process.exit(0)

function accepted(): number {
  return writers.reduce((sum, writer) => sum + writer.accepted.size, 0)
}

/** Not a byte is left. */
function fill(): void {
  for (let size = 1024 * 1024; size >= 4096; size >>= 1) {
    try {
      for (;;) writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' })
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ENOSPC')
    }
  }
}

async function postOne(): Promise<{ status: number; text: string }> {
  const response = await fetch(new URL('api/v1/artifacts/publish', served.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  return { status: response.status, text: await response.text() }
}

async function healthy(): Promise<void> {
  await until('the service says that it is well', async () => (await fetch(new URL('health', served.url))).ok)
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 100, `not in time: ${what}\n${served.output().stderr.slice(-2000)}`)
    await Promise.race([sleep(200), working])
  }
}

/** It is refused while somebody writes there. */
async function patiently(attempt: () => unknown): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      attempt()
      return
    } catch (error) {
      if (tries === 200) throw error
      await sleep(5)
    }
  }
}
