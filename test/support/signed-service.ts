import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type Credentials, signatureHeaders } from '../aws/sigv4.ts'

const credentials: Credentials = { accessKeyId: 'AKID', secretAccessKey: 'not a secret', sessionToken: 'session/+=' }

/** Nothing of the machine's own: neither credentials, nor a token. */
export const nothing = {
  AWS_CONFIG_FILE: '/nonexistent',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  AWS_EC2_METADATA_DISABLED: 'true',
  TUFFET_TOKEN: '',
}
export const aws = {
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

const result = { status: true, task: 'none', message: 'Done', last_update: '2026-01-01T00:00:00Z', details: {} }
const status = { data: { task_id: 'ab', state: 'SUCCESS', result } }

/** Stands in for the API; keeps what it was asked. */
export class Service implements AsyncDisposable {
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
export function assertSigned({ method, url, headers, body }: Seen): void {
  const time = String(headers['x-amz-date']).replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z')
  const unsigned = { method, url: new URL(url, `http://${headers.host}`), body }
  const { host: _, ...expected } = signatureHeaders(unsigned, credentials, 'execute-api', new Date(time))
  for (const [name, value] of Object.entries(expected)) assert.equal(headers[name], value, name)
}
