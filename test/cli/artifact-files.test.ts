import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { constants, promises } from 'node:fs'
import { mkdir, mkdtemp, open, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { type FastifyInstance, fastify } from 'fastify'
import { serveArtifacts } from '../../cli/server/artifact-files.ts'

describe('files among the artifacts', () => {
  let directory: string
  let server: FastifyInstance
  const get = (path: string) => server.inject(`/artifacts/${path}`)
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet-artifacts-'))
    server = fastify()
    serveArtifacts(server, directory)
    server.get('/next', () => 'the next answer')
    await server.listen({ host: '127.0.0.1', port: 0 })
  })
  after(async () => {
    server.server.closeAllConnections()
    await server.close()
    await rm(directory, { recursive: true })
  })

  it('are read once to be hashed, however many ask at once, and not at all for their head', async (test) => {
    const content = Buffer.alloc(1_000_000, 'x')
    await writeFile(join(directory, 'file'), content)
    const handle = await open(join(directory, 'file'))
    await handle.close()
    const reading = test.mock.method(Object.getPrototypeOf(handle) as typeof handle, 'createReadStream')
    const name = `${createHash('sha256').update(content).digest('hex')}.file`
    const answers = await Promise.all(Array.from({ length: 5 }, () => get(name)))
    for (const { statusCode, rawPayload } of answers)
      assert.deepEqual([statusCode, rawPayload.length], [200, 1_000_000])
    assert.equal(reading.mock.callCount(), 1 + answers.length)
    const head = await server.inject({ method: 'HEAD', url: `/artifacts/${name}` })
    assert.deepEqual([head.statusCode, head.headers['content-length'], head.payload], [200, '1000000', ''])
    assert.equal(reading.mock.callCount(), 1 + answers.length)
  })

  it('that shrink while they are read end the connection, and take nothing of the next answer', async () => {
    const path = join(directory, 'large')
    await writeFile(path, '')
    // More than the system keeps on its way.
    await truncate(path, 256 * 1024 * 1024)
    const socket = connect(Number(new URL(server.listeningOrigin).port), '127.0.0.1')
    const ask = (what: string, more = '') => socket.write(`GET ${what} HTTP/1.1\r\nhost: x\r\n${more}\r\n`)
    ask('/artifacts/large')
    ask('/next', 'connection: close\r\n')
    await once(socket, 'readable')
    await truncate(path, 1000)
    let end = ''
    try {
      for await (const chunk of socket) end = (end + (chunk as Buffer).toString('latin1')).slice(-1000)
    } catch {
      // It may end by a reset as well.
    }
    assert.doesNotMatch(end, /the next answer/)
  })

  it('that grow from nothing while they are asked for put nothing into the next answer', async (test) => {
    const path = join(directory, 'growing')
    await writeFile(path, '')
    const handle = await open(path)
    await handle.close()
    const { stat } = Object.getPrototypeOf(handle) as typeof handle
    let looks = 0
    test.mock.method(Object.getPrototypeOf(handle) as typeof handle, 'stat', async function (this: typeof handle) {
      const found = await stat.call(this)
      // Once its size is known, and not while it is opened.
      if (++looks === 2) await writeFile(path, 'more')
      return found
    })
    const socket = connect(Number(new URL(server.listeningOrigin).port), '127.0.0.1')
    const ask = (what: string, more = '') => socket.write(`GET ${what} HTTP/1.1\r\nhost: x\r\n${more}\r\n`)
    ask('/artifacts/growing')
    ask('/next', 'connection: close\r\n')
    assert.doesNotMatch(await text(socket), /more/)
    assert.equal(looks, 2)
  })

  it('that are none hold up nobody', { skip: process.platform === 'win32', timeout: 20_000 }, async (test) => {
    const pipe = join(directory, 'pipe')
    execFileSync('mkfifo', [pipe])
    // Lets go whoever waits for it.
    test.after(async () => (await open(pipe, constants.O_RDWR)).close())
    const socket = createServer().listen(join(directory, 'socket'))
    await once(socket, 'listening')
    test.after(() => socket.close())
    await writeFile(join(directory, 'small'), 'small')
    const none = await Promise.all(['pipe', 'pipe', 'pipe', 'pipe', 'socket'].map(get))
    for (const { statusCode } of none) assert.equal(statusCode, 404)
    assert.equal((await get('small')).payload, 'small')
  })
  it('stay inside while a directory becomes a link', { skip: process.platform !== 'linux' }, async (test) => {
    const inside = join(directory, 'changing')
    const outside = join(directory, 'outside')
    for (const folder of [join(inside, 'folder'), outside]) {
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, 'file'), folder === outside ? 'outside' : 'inside')
    }
    await using served = fastify()
    serveArtifacts(served, inside)
    assert.equal((await served.inject('/artifacts/folder/file')).payload, 'inside')
    const { realpath } = promises
    const looked = test.mock.method(promises, 'realpath', async (path: string) => {
      const found = await realpath(path)
      if (!path.endsWith('file')) return found
      // Between the look at the way and the opening.
      await rename(join(inside, 'folder'), join(inside, 'before'))
      await symlink(outside, join(inside, 'folder'))
      return found
    })
    syncBuiltinESMExports()
    const { statusCode, payload } = await served.inject('/artifacts/folder/file')
    looked.mock.restore()
    syncBuiltinESMExports()
    assert.equal(looked.mock.callCount(), 2)
    assert.equal(statusCode, 404, payload)
  })

  it('are all that any address gives, and none breaks the service', async () => {
    const inside = join(directory, 'inside')
    await mkdir(join(inside, 'folder'), { recursive: true })
    await writeFile(join(directory, 'secret'), 'outside')
    await symlink(join(directory, 'secret'), join(inside, 'link'))
    await symlink(directory, join(inside, 'up'))
    await writeFile(join(inside, 'folder', 'file'), 'inside')
    const hash = createHash('sha256').update('outside').digest('hex')
    await using served = fastify()
    serveArtifacts(served, inside)
    const words = [
      '..',
      '.',
      '',
      'secret',
      'link',
      'up',
      'folder',
      'file',
      `${hash}.secret`,
      `${hash}.link`,
      `${hash}.`,
    ]
    const odd = ['%2e%2e', '%252e', '%5c', '\\', '%00', '%ff', '%0a', '%', '~', ';', inside, 'a'.repeat(300)]
    const part = fc.oneof(
      fc.constantFrom(...words),
      fc.constantFrom(...words, ...odd),
      fc.string().map(encodeURIComponent),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 8 }),
        fc.constantFrom('/', '%2f', '//', '%2F..%2f'),
        async (parts, separator) => {
          const { statusCode, payload } = await served.inject(`/artifacts/${parts.join(separator)}`)
          assert.ok([200, 400, 404].includes(statusCode), `${statusCode}`)
          if (statusCode === 200) assert.equal(payload, 'inside')
        },
      ),
      { numRuns: 1000, examples: [[['folder', 'file'], '/']] },
    )
  })
})
