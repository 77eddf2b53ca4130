import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FileSystem, nodeFileSystem } from '../../shared/adapters/local/file-system.ts'
import { type EmbeddedService, openEmbedded } from '../../shared/app/embedded.ts'
import { everybodyAs } from '../../shared/app/principal.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import { apiEvent, artifact, bootstrapBody } from '../support/api.ts'
import { makeKey } from '../support/keys.ts'

/** Where writing fails for a while, as the system would have it fail, and how. */
interface Trouble {
  code?: 'ENOSPC' | 'EROFS'
  below: string
}

/** The service opens the file system of the machine itself; so that one is what fails. */
function breakFileSystem(trouble: Trouble): Disposable {
  const { open, link, rename, unlink, mkdir, place } = nodeFileSystem
  const failing =
    <Arguments extends readonly string[], Result>(work: (...paths: Arguments) => Promise<Result>) =>
    async (...paths: Arguments) => {
      refuse(paths.at(-1) ?? '')
      return work(...paths)
    }
  function refuse(path: string): void {
    const { code, below } = trouble
    if (code === undefined || !path.includes(below)) return
    throw Object.assign(new Error(`${code}: no write to ${path}`), { code })
  }
  const broken: FileSystem = {
    ...nodeFileSystem,
    async open(path, flags, mode) {
      if (flags !== 'r') refuse(path)
      const file = await open(path, flags, mode)
      const writeFile = async (bytes: Uint8Array) => {
        refuse(path)
        return file.writeFile(bytes)
      }
      return { ...file, writeFile }
    },
    link: failing(link),
    rename: failing(rename),
    unlink: failing(unlink),
    mkdir: failing(mkdir),
    async place(path, bytes, temporary) {
      refuse(path)
      return place(path, bytes, temporary)
    },
  }
  Object.assign(nodeFileSystem, broken)
  return { [Symbol.dispose]: () => void Object.assign(nodeFileSystem, { open, link, rename, unlink, mkdir, place }) }
}

async function call(service: EmbeddedService, request: string, body?: unknown, wait = 20) {
  const headers = { prefer: `wait=${wait}` }
  const { statusCode = 0, body: text = '' } = await service.api(apiEvent(request, { headers, body }))
  return { status: statusCode, data: JSON.parse(text).data, detail: JSON.parse(text).detail }
}

async function eventually(holds: () => Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 200, what)
    await sleep(20)
  }
}

describe('A disk that cannot be written for a while', () => {
  for (const [code, says] of [
    ['ENOSPC', 'full'],
    ['EROFS', 'read-only'],
  ] as const) {
    it(`stops publishing with a clear error, and that ends with the trouble: ${code}`, async () => {
      await using cleanup = new AsyncDisposableStack()
      const directory = await mkdtemp(join(tmpdir(), 'tuffet-disk-'))
      cleanup.defer(() => rm(directory, { recursive: true }))
      const trouble: Trouble = { below: join(directory, 'data') }
      cleanup.use(breakFileSystem(trouble))
      const errors: unknown[] = []
      const log = { info() {}, warn() {}, error: ({ err }: { err?: unknown }) => void errors.push(err) }
      // It looks around that often, too.
      const rotationGrace = 100
      const options = { data: join(directory, 'data'), keys: [], authenticate: everybodyAs('test'), log, rotationGrace }
      const service = await openEmbedded(options)
      cleanup.defer(() => service.close())
      const { keys } = (await call(service, 'GET /keys')).data as { keys: Record<string, Key> }
      const online = Object.entries(keys).map(([keyid, key]) => ({ keyid, key }))
      const founded = await call(service, 'POST /bootstrap', bootstrapBody({ rootKeys: [makeKey()], online }))
      assert.equal(founded.data.state, 'SUCCESS', JSON.stringify(founded))

      // Where tasks are accepted there is room, where they are published there is none.
      Object.assign(trouble, { code, below: 'metadata' })
      const accepted = await call(service, 'POST /artifacts', { artifacts: [artifact('a')] }, 0)
      assert.equal(accepted.status, 202)
      await eventually(
        () => service.check().then(() => false, isTrouble),
        `the service does not say that it is ${says}`,
      )
      assert.ok(errors.some(isTrouble), 'the log does not say it')
      assert.equal((await call(service, 'GET /status')).status, 200)
      // Then there is none anywhere.
      trouble.below = directory
      const refused = await call(service, 'POST /artifacts', { artifacts: [artifact('b')] })
      assert.deepEqual([refused.status, refused.detail.code], [503, says])
      assert.ok(await service.metadata.read('timestamp.json'))

      delete trouble.code
      await eventually(
        () =>
          service.check().then(
            () => true,
            () => false,
          ),
        'it does not go on by itself',
      )
      const task = await call(service, `GET /task?task_id=${accepted.data.task_id}`)
      assert.equal(task.data.state, 'SUCCESS')
      assert.equal((await call(service, 'POST /artifacts', { artifacts: [artifact('b')] })).data.state, 'SUCCESS')
      assert.equal((await call(service, 'GET /artifacts?path=a')).status, 200)

      function isTrouble(error: unknown): boolean {
        assert.equal((error as { code?: string }).code, says)
        return true
      }
    })
  }
})
