import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { apiClient, apiUrl, siblingUrl } from '../../cli/api-client.ts'
import { CliError } from '../../cli/output.ts'

const main = join(import.meta.dirname, '../../cli/main.ts')

type Reaction = (request: IncomingMessage, response: ServerResponse) => void

const json =
  (status: number, body: unknown): Reaction =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
const hangUp: Reaction = (request) => void request.socket.destroy()
const finished = { data: { task_id: 'ab', state: 'SUCCESS', result: { status: true, message: 'Done', details: {} } } }

describe('the API client', () => {
  const closing: (() => void)[] = []
  afterEach(() => {
    for (const close of closing.splice(0)) close()
  })

  /** Reacts to each request in turn, to all further ones as to the last; keeps what it was asked. */
  async function service(...reactions: Reaction[]) {
    const asked: IncomingMessage[] = []
    const server = createServer((request, response) => {
      const reaction = reactions[Math.min(asked.length, reactions.length - 1)]
      asked.push(request)
      reaction?.(request, response)
    })
    closing.push(() => server.close().closeAllConnections())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), asked }
  }

  async function refused(work: Promise<unknown>, code: CliError['code'], words: RegExp): Promise<void> {
    await assert.rejects(work, (error) => {
      assert.ok(error instanceof CliError, `${error}`)
      assert.equal(error.code, code)
      assert.match(error.message, words)
      return true
    })
  }

  it('adds /api/v1 where it is missing, and finds what lies beside it', () => {
    for (const given of ['http://h', 'http://h/', 'http://h/api/v1', 'http://h/api/v1/'])
      assert.equal(apiUrl(new URL(given)).href, 'http://h/api/v1/')
    assert.equal(apiUrl(new URL('http://h/tuffet/')).href, 'http://h/tuffet/api/v1/')
    assert.equal(siblingUrl(new URL('http://h/tuffet'), 'metadata').href, 'http://h/tuffet/metadata/')
  })

  it('repeats a GET that broke off, and a POST under the same key', async () => {
    const { url, asked } = await service(hangUp, json(200, { data: {} }), hangUp, json(200, finished))
    assert.deepEqual(await apiClient(url).get('status'), { data: {} })
    assert.equal((await apiClient(url).submit('POST', 'artifacts', {})).state, 'SUCCESS')
    const keys = asked.slice(2).map(({ headers }) => headers['idempotency-key'])
    assert.equal(keys.length, 2)
    assert.ok(keys[0] !== undefined && keys[0] === keys[1])
  })

  it('repeats what a service in trouble answers, and does not what it refuses', async () => {
    const down = json(503, { detail: { message: 'Down.', error: 'Come back.' } })
    const { url, asked } = await service(down, down, down)
    await refused(apiClient(url).get('status'), 'refused', /^Down\. Come back\.$/)
    assert.equal(asked.length, 3)
    const other = await service(json(409, { detail: { message: 'No.', error: 'Never.' } }))
    await refused(apiClient(other.url).get('status'), 'refused', /Never/)
    assert.equal(other.asked.length, 1)
    const once = await service(down)
    await refused(apiClient(once.url).send('POST', 'imports', {}), 'refused', /Come back/)
    assert.equal(once.asked.length, 1, 'it might be done twice')
  })

  it('asks again where too many ask at once, also what is not to be done twice: nobody has looked at it', async () => {
    const crowded = json(429, { message: 'Too Many Requests' })
    const { url, asked } = await service(crowded, crowded, crowded, json(201, { data: {} }))
    assert.deepEqual(await apiClient(url).send('POST', 'imports', {}), { data: {} })
    assert.equal(asked.length, 4)
  })

  it('waits for a task through throttling and a gateway that times out', async () => {
    const accepted = { data: { task_id: 'ab', last_update: '2026-01-01T00:00:00Z' }, message: 'Accepted.' }
    const throttled = json(429, { message: 'Too Many Requests' })
    const late = json(503, { message: 'Service Unavailable' })
    const { url, asked } = await service(json(202, accepted), throttled, late, late, json(200, finished))
    assert.equal((await apiClient(url).submit('POST', 'artifacts', {})).state, 'SUCCESS')
    assert.equal(asked.length, 5)
  })

  it('asks for the task until it is finished', async () => {
    const accepted = { data: { task_id: 'ab', last_update: '2026-01-01T00:00:00Z' }, message: 'Accepted.' }
    const pending = json(200, { data: { task_id: 'ab', state: 'PENDING' } })
    const { url, asked } = await service(json(202, accepted), pending, pending, json(200, finished))
    assert.equal((await apiClient(url).submit('POST', 'artifacts', {})).state, 'SUCCESS')
    assert.deepEqual(
      asked.map(({ method, url }) => `${method} ${url}`),
      ['POST /api/v1/artifacts', ...Array(3).fill('GET /api/v1/task?task_id=ab')],
    )
    assert.equal(asked[0]?.headers['prefer'], 'wait=20')
  })

  it('says once that it still waits for a task, and where to look', async (context) => {
    context.mock.timers.enable({ apis: ['Date'] })
    const pending = json(200, { data: { task_id: 'ab', state: 'PENDING' } })
    const slow: Reaction = (request, response) => {
      context.mock.timers.tick(20_000)
      pending(request, response)
    }
    const said: string[] = []
    const quick = await service(pending, pending, json(200, finished))
    await apiClient(quick.url, undefined, (text) => said.push(text)).submit('POST', 'artifacts', {})
    assert.equal(said.length, 0)
    const { url } = await service(slow, slow, slow, slow, json(200, finished))
    await apiClient(url, undefined, (text) => said.push(text)).submit('POST', 'artifacts', {})
    assert.equal(said.length, 1)
    assert.match(said[0] ?? '', /^Still waiting for task ab\b.*`tuffet task ab`.*:\d+\/health whether/)
  })

  it('says that the task goes on to who interrupts the wait for it', async () => {
    const pending = { data: { task_id: 'ab', state: 'PENDING' } }
    const { url } = await service(json(202, pending), (request, response) => {
      json(200, pending)(request, response)
      child.kill('SIGINT')
    })
    const child = spawn(process.execPath, [main, 'refresh', '--api', url.href], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (bytes) => {
      stderr += bytes
    })
    const [, signal] = await once(child, 'close')
    assert.equal(signal, 'SIGINT')
    assert.match(stderr, /Task ab goes on without us\. `tuffet task ab` says/)
  })

  it('gives the reason of a task that was refused', async () => {
    const result = { status: false, message: 'Not added', error: 'No role is trusted with it.', details: {} }
    const { url } = await service(json(200, { data: { task_id: 'ab', state: 'ERRORED', result } }))
    await refused(apiClient(url).submit('POST', 'artifacts', {}), 'refused', /ERRORED: No role is trusted with it\./)
  })

  it('sends the token, and says what to do where it is not enough', async () => {
    const { url, asked } = await service(
      json(401, { detail: { message: 'Unauthorized.', error: 'A token is needed.' } }),
      json(403, { detail: { message: 'Forbidden.', error: 'It may only read.' } }),
    )
    const api = apiClient(url, 'secret')
    await refused(api.get('status'), 'refused', /A token is needed\. Set TUFFET_TOKEN \(or .*--token-env\)\.$/)
    await refused(api.get('status'), 'refused', /It may only read\.$/)
    assert.equal(asked[0]?.headers.authorization, 'Bearer secret')
    await refused(apiClient(url).get('status'), 'refused', /It may only read\. Set TUFFET_TOKEN .*--aws-sign/)
  })

  it('reads every form of an error answer', async () => {
    const issue = { type: 'value_error', loc: ['body', 'artifacts', 0, 'path'], msg: 'It is empty.' }
    const { url } = await service(
      json(422, { detail: [issue] }),
      json(404, { detail: { error: 'System already has a Metadata.' } }),
    )
    const api = apiClient(url)
    await refused(api.get('x'), 'refused', /^body\.artifacts\.0\.path: It is empty\.$/)
    await refused(api.get('x'), 'refused', /^System already has a Metadata\.$/)
  })

  it('says who answered where an error is not one of ours', async () => {
    const { url } = await service(
      json(404, { detail: 'Not Found' }),
      json(403, { message: 'Forbidden' }),
      json(400, {}),
    )
    const api = apiClient(url)
    await refused(api.get('x'), 'refused', /^http:\S+\/api\/v1\/x answered 404: Not Found\.$/)
    await refused(api.get('x'), 'refused', /^http:\S+\/api\/v1\/x answered 403: Forbidden\. Set TUFFET_TOKEN/)
    await refused(api.get('x'), 'refused', /^http:\S+\/api\/v1\/x answered 400: \{\}\.$/)
  })

  it('knows an answer that is not from such a service', async () => {
    const page: Reaction = (_, response) => response.writeHead(200).end('<html>')
    const { url } = await service(page)
    await refused(apiClient(url).get('status'), 'refused', /not as a Tuffet service does. Is --api right/)
  })

  it('knows JSON that is not from such a service', async () => {
    for (const answer of [null, [], {}, { data: null }, { message: 'Welcome' }]) {
      const api = apiClient((await service(json(200, answer))).url)
      for (const work of [api.get('status'), api.send('POST', 'imports', {}), api.submit('POST', 'artifacts', {})])
        await refused(work, 'refused', /answered 200, and not as a Tuffet service does. Is --api right/)
    }
  })

  it('takes the page of a proxy that does not reach the service for no answer', async () => {
    const page: Reaction = (_, response) => response.writeHead(502).end('<html>Bad Gateway')
    const { url } = await service(page, page, page, page)
    await refused(apiClient(url).get('status'), 'unreachable', /answered 502, .* something in front of it/)
  })
})
