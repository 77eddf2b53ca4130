import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { maximumRequestBytes } from '../../shared/repository/request-size.ts'
import { assertSigned, aws, nothing, Service } from '../support/signed-service.ts'
import { tuffet } from '../support/tuffet.ts'

const main = join(import.meta.dirname, '../../cli/main.ts')

async function startProxy(api: string, env: Record<string, string>, ...args: readonly string[]) {
  const child = spawn(process.execPath, [main, 'proxy', '--api', api, '--port', '0', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const output = createInterface(child.stdout).on('line', (line) => lines.push(line))
  await once(output, 'line')
  return {
    url: lines[0] ?? '',
    lines,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      assert.deepEqual(child.exitCode === null ? await once(child, 'exit') : [child.exitCode, null], [0, null])
    },
  }
}

describe('tuffet proxy', () => {
  let service: Service
  let proxy: Awaited<ReturnType<typeof startProxy>>
  before(async () => {
    service = await new Service().start()
    proxy = await startProxy(service.url, aws, '--aws-sign')
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  /** As a browser or a tool might; `fetch` would not let us say everything. */
  async function ask(path: string, headers: Record<string, string>, body?: Buffer): Promise<IncomingMessage> {
    const method = body === undefined ? 'GET' : 'POST'
    const asking = request(proxy.url, { path, method, headers, agent: false }).end(body)
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    return answer
  }

  it('says its URL and nothing else, signs, and passes on status, headers and bodies', async () => {
    const usual = service.answer
    service.answer = ({ body }, response) =>
      response.writeHead(202, { 'x-back': 'again', 'content-type': 'application/octet-stream' }).end(body)
    const body = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251))
    const own = { 'x-there': 'too', authorization: 'Basic of-the-tool', 'content-type': 'text/x' }
    const answer = await fetch(`${proxy.url}/api/v1/artifacts?b=1&a=x+y&a=%2B`, { method: 'POST', body, headers: own })
    assert.equal(answer.status, 202)
    assert.equal(answer.headers.get('x-back'), 'again')
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), body)
    const { url, headers } = service.last
    assert.equal(url, '/stage/$default/api/v1/artifacts?b=1&a=x%20y&a=%2B')
    assert.equal(headers['x-there'], 'too')
    assert.equal(headers['content-type'], 'text/x')
    service.answer = usual
    assert.equal((await fetch(`${proxy.url}/api/v1/task?task_id=ab`)).status, 200)
    for (const seen of service.seen) assertSigned(seen)
    assert.deepEqual(proxy.lines, [proxy.url])
  })

  it('leaves out a last slash, which API Gateway would take for another path', async () => {
    for (const path of ['/api/v1/task/?task_id=ab', '/api/v1/artifacts/delete/']) {
      await fetch(`${proxy.url}${path}`)
      assert.equal(service.last.url, `/stage/$default${path.replace(/\/(?=$|\?)/, '')}`)
    }
  })

  it('is an API to tuffet itself', async () => {
    const { code, stderr } = await tuffet(['--api', proxy.url, 'refresh'], '', { env: nothing })
    assert.equal(code, 0, stderr)
    assertSigned(service.last)
  })

  it('streams an answer while it comes', async () => {
    const usual = service.answer
    let finish = () => {}
    service.answer = (_, response) => {
      response.writeHead(200).write('first')
      finish = () => response.end(', last')
    }
    const answer = await ask('/api/v1/status', {})
    const [first] = await once(answer, 'data')
    assert.equal(String(first), 'first')
    finish()
    assert.equal(await text(answer), ', last')
    service.answer = usual
  })

  it('refuses web pages, other names, other paths and what is too large', async () => {
    const before = service.seen.length
    const refused: readonly (readonly [string, Record<string, string>, number])[] = [
      ['/api/v1/status', { origin: 'https://evil.example' }, 403],
      ['/api/v1/status', { origin: 'null' }, 403],
      ['/api/v1/status', { 'sec-fetch-site': 'cross-site' }, 403],
      ['/api/v1/status', { host: 'evil.example' }, 403],
      ['/metadata/timestamp.json', {}, 404],
      ['/api/../../other', {}, 404],
      ['/api/%2e%2e/%2E%2E/other', {}, 404],
      ['http://evil.example/api/v1/status', {}, 404],
      ['//evil.example/api/v1/status', {}, 404],
    ]
    for (const [path, headers, code] of refused) {
      const answer = await ask(path, headers)
      assert.equal(answer.statusCode, code, `${path} ${JSON.stringify(headers)}`)
      assert.equal(typeof JSON.parse(await text(answer)).detail.error, 'string')
    }
    const most = await ask('/api/v1/artifacts', {}, Buffer.alloc(maximumRequestBytes))
    assert.equal(most.statusCode, 200)
    for (const more of [1, 3 * maximumRequestBytes]) {
      const large = await ask('/api/v1/artifacts', {}, Buffer.alloc(maximumRequestBytes + more))
      assert.equal(large.statusCode, 413)
    }
    assert.equal(service.seen.length, before + 1)
  })

  it('adds a bearer token instead, and says when nobody answers', async () => {
    const gone = await new Service().start()
    await using other = await startProxy(gone.url, { ...nothing, MINE: 'secret' }, '--token-env', 'MINE')
    assert.equal((await fetch(`${other.url}/api/v1/task`)).status, 200)
    assert.equal(gone.last.headers.authorization, 'Bearer secret')
    await gone[Symbol.asyncDispose]()
    const answer = await fetch(`${other.url}/api/v1/task`)
    assert.equal(answer.status, 502)
    assert.match(await answer.text(), /cannot be reached/)
  })

  it('refuses a port that is taken', async () => {
    const { code, stderr } = await tuffet(['proxy', '--port', new URL(proxy.url).port], '', { env: nothing })
    assert.equal(code, 1)
    assert.match(stderr, /port is taken/)
  })
})
