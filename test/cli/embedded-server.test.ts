import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { embeddedServer } from '../../cli/embedded-server.ts'
import { type ApiHandler, type ApiRequest, apiHandler } from '../../shared/app/handlers/api.ts'
import { type UploadHandler, uploadHandler, uploadPath, uploadsHere } from '../../shared/app/handlers/upload.ts'
import type { Principal } from '../../shared/app/principal.ts'
import { bearer, newToken } from '../../shared/app/tokens.ts'
import { beginImport } from '../../shared/repository/imports.ts'
import { artifact } from '../support/api.ts'
import { recordedLog } from '../support/log.ts'
import { bootstrapped } from '../support/repository.ts'

/** Of which nobody gets more than are left for others. */
const atOnce = 4
const forOne = 2
const importId = 'ab'.repeat(32)
const { token, entry } = newToken('ci', 'publish')
const others = ['second', 'third'].map((name) => newToken(name, 'publish'))
const entries = [entry, ...others.map(({ entry }) => entry)]
const good = { authorization: `Bearer ${token}` }
const body = JSON.stringify({ artifacts: [artifact('a')] })

describe('the server of the embedded service', () => {
  const logged = recordedLog()
  let server: ReturnType<typeof embeddedServer>
  let port: number
  /** Of each request to the API: resolves when its body is asked for, and when it has been answered. */
  let seen: { readonly admitted: Promise<void>; readonly answered: ReturnType<ApiHandler> }[]
  let admitted = 0

  before(async () => {
    const repository = await bootstrapped()
    const { log } = logged
    const authenticate = async ({ headers }: ApiRequest) => bearer(headers['authorization'], entries, new Date())
    const parts = { repository, uploads: uploadsHere(async () => undefined), authenticate, log }
    const handler = apiHandler(parts)
    const api: ApiHandler = (event) => {
      const admission = Promise.withResolvers<void>()
      const admit = (sender: Principal) => {
        admitted++
        const bytes = event.admit?.(sender) ?? Promise.reject(new Error('The body is to come after the event.'))
        admission.resolve()
        return bytes
      }
      const answered = handler({ ...event, admit })
      seen.push({ admitted: admission.promise, answered })
      arrival.resolve()
      return answered
    }
    await beginImport(repository, importId, { principal: 'ci', format: 'csv' })
    const receive = async (_: string, chunks: AsyncIterable<Uint8Array>) => {
      uploading.resolve()
      for await (const _ of chunks);
      return true
    }
    const uploads = uploadHandler(parts, receive)
    const upload: UploadHandler = (...sent) => {
      arrival.resolve()
      uploaded = uploads(...sent)
      return uploaded
    }
    const unused = () => assert.fail('Nobody asks for this here.')
    const service = { api, upload, metadata: repository.ports.metadata, check: unused, close: unused }
    server = embeddedServer({ service, log, lettingIn: 'tokens', atOnce })
    await server.listen({ port: 0, host: '127.0.0.1' })
    port = Number(new URL(server.listeningOrigin).port)
  })
  after(async () => {
    server.server.closeAllConnections()
    await server.close()
  })

  let arrival = Promise.withResolvers<void>()
  let uploaded: ReturnType<UploadHandler>
  let uploading = Promise.withResolvers<void>()
  /** Sends the head of a request and half of its body; resolves when the service has it. */
  async function begun(method: string, path: string, headers: Record<string, string>): Promise<ClientRequest> {
    arrival = Promise.withResolvers<void>()
    const sent = request({ port, method, path, headers })
    sent.on('error', () => {})
    sent.write(body.slice(0, 20))
    await arrival.promise
    return sent
  }
  const half = async (headers: Record<string, string>) => {
    const sent = await begun('POST', '/api/v1/artifacts', headers)
    const [now] = seen.slice(-1)
    assert.ok(now)
    return { sent, ...now }
  }
  async function rest(sent: ClientRequest): Promise<number | undefined> {
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>
    sent.end(body.slice(20))
    const [answer] = await answered
    answer.resume()
    return answer.statusCode
  }

  it('bounds how many bodies are on their way, and frees the place of each that came or broke off', async () => {
    seen = []
    const [first, second] = [await half(good), await half(good)]
    await Promise.all([first.admitted, second.admitted])
    for (let more = 0; more < 2; more++) assert.equal(await rest((await half(good)).sent), 429)
    assert.equal(await rest(first.sent), 202)
    second.sent.destroy()
    await second.answered
    const [third, fourth] = [await half(good), await half(good)]
    assert.equal(await rest((await half(good)).sent), 429)
    assert.equal(await rest(third.sent), 202)
    assert.equal(await rest(fourth.sent), 202)
  })

  it('lets nobody take all places from the others', async () => {
    seen = []
    const taken = [await half(good), await half(good)]
    assert.equal(await rest((await half(good)).sent), 429)
    for (const { token } of others) {
      const one = { authorization: `Bearer ${token}` }
      taken.push(await half(one))
      assert.equal(await rest((await half(one)).sent), 429)
    }
    for (const { sent } of taken) assert.equal(await rest(sent), 202)
    assert.equal(await rest((await half(good)).sent), 202)
  })

  it('keeps no body, and no place, for who may not send it', async () => {
    seen = []
    admitted = 0
    const strangers = [await half({}), await half({ authorization: 'Bearer x' }), await half({})]
    await Promise.all(strangers.map(({ answered }) => answered))
    assert.equal(admitted, 0)
    assert.equal(await rest((await half(good)).sent), 202)
    for (const { sent } of strangers) assert.equal(await rest(sent), 401)
  })
  it('counts an upload among them, but none of who may not upload', async () => {
    const half = (headers: Record<string, string>) => begun('PUT', uploadPath(importId), headers)
    const post = async () => rest(await begun('POST', '/api/v1/artifacts', good))
    const strangers = [await half({}), await half({ authorization: 'Bearer x' })]
    assert.equal(await post(), 202)
    const uploads: ClientRequest[] = []
    for (let more = 0; more < forOne; more++) {
      uploading = Promise.withResolvers<void>()
      uploads.push(await half(good))
      await uploading.promise
    }
    assert.equal(await post(), 429)
    assert.equal(await rest(await half(good)), 429)
    for (const sent of uploads) assert.equal(await rest(sent), 200)
    for (const sent of strangers) assert.equal(await rest(sent), 401)
    assert.equal(await post(), 202)
  })
  it('takes a body that breaks off for no fault of its own', async () => {
    seen = []
    const post = await half(good)
    await post.admitted
    post.sent.destroy()
    assert.equal((await post.answered).statusCode, 400)
    for (const headers of [good, {}]) {
      const sent = await begun('PUT', uploadPath(importId), headers)
      sent.destroy()
      assert.equal((await uploaded).statusCode, 400)
    }
    assert.deepEqual(logged.errors, [])
  })
  it('ends a connection on which requests come without end and answers are not taken', async () => {
    seen = []
    const answersTo = async (requests: number) => {
      const socket = connect(port, '127.0.0.1')
      const ask = (more = '') => `GET /api/v1/status HTTP/1.1\r\nhost: x\r\n${more}\r\n`
      socket.write(ask().repeat(requests - 1) + ask('connection: close\r\n'))
      let answers = ''
      try {
        for await (const chunk of socket) answers += chunk
      } catch {
        // It may end by a reset.
      }
      return answers.match(/HTTP\/1\.1 401 /g)?.length
    }
    assert.equal(await answersTo(8), 8)
    await answersTo(1000)
    assert.ok(seen.length < 100, `${seen.length} were taken`)
  })

  it('sends away who comes when there are too many connections, and those that wait make room for the next try', async () => {
    const most = server.server.maxConnections
    assert.ok(most > 16 && most <= 10_000, `${most} connections`)
    const ended = (socket: Socket) => new Promise((resolve) => socket.on('error', () => {}).once('close', resolve))
    const kept = connect(port, '127.0.0.1')
    const keptEnded = ended(kept)
    kept.write('GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(kept, 'data')
    try {
      server.server.maxConnections = await promisify(server.server.getConnections).call(server.server)
      await ended(connect(port, '127.0.0.1'))
      await keptEnded
      assert.equal((await fetch(`${server.listeningOrigin}/openapi.json`)).status, 200)
      assert.equal(logged.warnings.length, 1)
    } finally {
      server.server.maxConnections = most
    }
  })

  it('gives the place back of who falls silent', async () => {
    seen = []
    const { timeout } = server.server
    assert.ok(timeout > 30_000 && timeout < 1_000_000, `${timeout} ms`)
    const arrived = once(server.server, 'request') as Promise<[IncomingMessage]>
    const silent = await half(good)
    await silent.admitted
    const [{ socket }] = await arrived
    socket.emit('timeout')
    assert.equal((await silent.answered).statusCode, 400)
  })
})
