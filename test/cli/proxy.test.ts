import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buffer, text } from 'node:stream/consumers'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { gatewayRegion } from '../../cli/access.ts'
import { maximumBodyBytes } from '../../shared/app/errors.ts'
import { type Credentials, signatureHeaders } from '../aws/sigv4.ts'
import { tuffet } from '../support/tuffet.ts'

const credentials: Credentials = { accessKeyId: 'AKID', secretAccessKey: 'not a secret', sessionToken: 'session/+=' }
const main = join(import.meta.dirname, '../../cli/main.ts')

/** Nothing of the machine's own: neither credentials, nor a token. */
const nothing = {
  AWS_CONFIG_FILE: '/nonexistent',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  AWS_EC2_METADATA_DISABLED: 'true',
  TUFFET_TOKEN: '',
}
const aws = {
  ...nothing,
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_SESSION_TOKEN: credentials.sessionToken ?? '',
  AWS_REGION: 'us-east-1',
}

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

const status = { data: { task_id: 'ab', state: 'SUCCESS', result: { status: true, message: 'Done', details: {} } } }

/** Stands in for the API; keeps what it was asked. */
class Service implements AsyncDisposable {
  readonly seen: Seen[] = []
  answer: (request: Seen, response: ServerResponse) => void = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(status))
  }
  readonly #server = createServer(async (request: IncomingMessage, response) => {
    const { method = '', url = '', headers } = request
    const seen = { method, url, headers, body: await buffer(request) }
    this.seen.push(seen)
    this.answer(seen, response)
  })
  async start(): Promise<this> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening')
    return this
  }
  /** With a path above `/api/v1`, as the emulator has it. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/stage/$default`
  }
  get last(): Seen {
    const last = this.seen.at(-1)
    assert.ok(last !== undefined, 'nobody asked')
    return last
  }
  async [Symbol.asyncDispose]() {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** Signed with our credentials, as the signer that was written from the description alone would have done it. */
function assertSigned({ method, url, headers, body }: Seen): void {
  const time = String(headers['x-amz-date']).replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z')
  const unsigned = { method, url: new URL(url, `http://${headers.host}`), body }
  const { host: _, ...expected } = signatureHeaders(unsigned, credentials, 'execute-api', new Date(time))
  for (const [name, value] of Object.entries(expected)) assert.equal(headers[name], value, name)
}

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

describe('tuffet with AWS credentials', () => {
  let service: Service
  beforeEach(async () => {
    service = await new Service().start()
  })
  afterEach(() => service[Symbol.asyncDispose]())

  it('signs what it asks and what it sends, with --aws-sign or TUFFET_AWS_SIGN', async () => {
    const asked = await tuffet(['--api', service.url, '--aws-sign', 'task', 'a b+c/d'], '', { env: aws })
    assert.equal(asked.code, 0, asked.stderr)
    assert.equal(service.last.url, '/stage/$default/api/v1/task?task_id=a%20b%2Bc%2Fd')
    assertSigned(service.last)
    const sent = await tuffet(['--api', service.url, 'refresh'], '', { env: { ...aws, TUFFET_AWS_SIGN: '1' } })
    assert.equal(sent.code, 0, sent.stderr)
    assert.equal(service.last.method, 'POST')
    assertSigned(service.last)
  })

  it('does not sign with a token, nor unless it is told to', async () => {
    const run = (env: Record<string, string>, ...args: string[]) =>
      tuffet(['--api', service.url, ...args, 'task', 'ab'], '', { env: { ...aws, ...env } })
    await run({ TUFFET_TOKEN: 'secret' }, '--aws-sign')
    assert.equal(service.last.headers.authorization, 'Bearer secret')
    await run({})
    await run({ TUFFET_AWS_SIGN: '0' })
    assert.equal(service.seen.length, 3)
    for (const { headers } of service.seen.slice(1)) assert.equal(headers.authorization, undefined)
  })

  it('says what is missing', async () => {
    const run = (env: Record<string, string>, command: string[]) =>
      tuffet(['--api', service.url, '--aws-sign', ...command], '', { env })
    const { AWS_REGION: _, ...nowhere } = aws
    const region = await run({ ...nowhere, AWS_REGION: '', AWS_DEFAULT_REGION: '' }, ['task', 'ab'])
    assert.equal(region.code, 2)
    assert.match(region.stderr, /Set AWS_REGION/)
    const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _key, ...anonymous } = aws
    for (const command of [['task', 'ab'], ['proxy']]) {
      const nobody = await run({ ...anonymous, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }, command)
      assert.equal(nobody.code, 1, nobody.stdout)
      assert.match(nobody.stderr, /cannot be signed with AWS credentials.*Set AWS_PROFILE/)
    }
    assert.equal(service.seen.length, 0)
  })

  it('says what API Gateway says, and which policies there are', async () => {
    service.answer = (_, response) => response.writeHead(403).end('{"message":"Forbidden"}')
    const { code, stderr } = await tuffet(['--api', service.url, '--aws-sign', 'status'], '', { env: aws })
    assert.equal(code, 1)
    assert.match(stderr, /Forbidden .*readPolicy/)
  })

  it('knows addresses of API Gateway', () => {
    const region = (host: string) => gatewayRegion(new URL(`https://${host}/x`))
    assert.equal(region('abc123.execute-api.eu-central-1.amazonaws.com'), 'eu-central-1')
    assert.equal(region('abc123.execute-api.cn-north-1.amazonaws.com.cn'), 'cn-north-1')
    assert.equal(region('abc123.execute-api.eu-west-1.api.aws'), 'eu-west-1')
    for (const host of ['a.execute-api.x.amazonaws.com.evil.example', 'execute-api.example', 's3.amazonaws.com'])
      assert.equal(region(host), undefined)
  })
})

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
    const most = await ask('/api/v1/artifacts', {}, Buffer.alloc(maximumBodyBytes))
    assert.equal(most.statusCode, 200)
    const large = await ask('/api/v1/artifacts', { 'content-length': `${maximumBodyBytes + 1}` }, Buffer.of())
    assert.equal(large.statusCode, 413)
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
