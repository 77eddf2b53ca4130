import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { request as requestOverTls } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { checkServerIdentity as checkIdentity } from 'node:tls'
import type { Ministack } from './ministack.ts'
import { type Credentials, signatureHeaders } from './sigv4.ts'
import type { Outputs } from './stack.ts'

/** One answer, read to its end. */
export interface Answered {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface Call {
  readonly method?: string
  /** With a leading slash, and a query if there is one. */
  readonly path: string
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** The name in the Host header is the distribution's; the one in the certificate is the emulator's. */
const checkServerIdentity: typeof checkIdentity = (_, certificate) => checkIdentity('127.0.0.1', certificate)

/** The two addresses of a deployed stack, as an emulator serves them: below its own address, by name. */
export interface Addresses {
  /** Asks API Gateway, signed with these credentials or not at all. */
  api(call: Call, credentials?: Credentials): Promise<Answered>
  /** Asks the API for bearer tokens. */
  tokenApi(call: Call): Promise<Answered>
  /** Asks the CloudFront distribution. */
  distribution(call: Call): Promise<Answered>
}

export function addressesOf({ endpoint, authority }: Ministack, outputs: Outputs): Addresses {
  const ca = readFileSync(authority ?? '')

  async function send(url: URL, { method = 'GET', body }: Call, headers: Record<string, string>): Promise<Answered> {
    const request = requestOverTls(url, { method, headers, ca, agent: false, checkServerIdentity }).end(body)
    const [answer] = (await once(request, 'response')) as [IncomingMessage]
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: await buffer(answer) }
  }

  const gateway =
    (output: string) =>
    (call: Call, credentials?: Credentials): Promise<Answered> => {
      // Not a URL to Node: a host that ends in a number has to be an IP address.
      const id = /^https:\/\/([^.]+)\./.exec(outputs[output] ?? '')?.[1]
      const url = new URL(`${endpoint}/_aws/execute-api/${id}/$default${call.path}`)
      const unsigned = { method: call.method ?? 'GET', url, body: call.body ?? new Uint8Array() }
      return send(url, call, { ...call.headers, ...(credentials && signatureHeaders(unsigned, credentials)) })
    }

  return {
    api: gateway('ApiUrl'),
    tokenApi: gateway('TokenApiUrl'),
    async distribution(call) {
      const host = new URL(outputs['MetadataUrl'] ?? '').host
      const answer = await send(new URL(endpoint + call.path), call, { ...call.headers, host })
      return isMissing(answer) ? { ...answer, status: 404 } : answer
    },
  }
}

/**
 * The emulator's distributions answer 403 for what its bucket does not hold, whatever the bucket policy says. S3 answers 404 to
 * who may list: that the distribution may is asserted on the template.
 */
const isMissing = ({ status, body }: Answered) => status === 403 && body.includes('<Code>AccessDenied</Code>')

/** What is not for the next hop. */
const ownHeaders = ['host', 'connection', 'content-length', 'transfer-encoding', 'keep-alive']

/**
 * A server on 127.0.0.1 that looks like the embedded service: `/api/…` goes to API Gateway, signed, and everything else to the
 * distribution. So tools that neither sign nor set a Host header read and write the deployed stack.
 */
export async function startFront(
  addresses: () => Addresses,
  credentials: Credentials,
): Promise<AsyncDisposable & { readonly url: string }> {
  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { method = 'GET', url: path = '/' } = incoming
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).flatMap(([name, value]) =>
        typeof value === 'string' && !ownHeaders.includes(name) ? [[name, value]] : [],
      ),
    )
    const call = { method, path, headers, body: await buffer(incoming) }
    const { api, distribution } = addresses()
    const answer = await (path.startsWith('/api/') ? api(call, credentials) : distribution(call))
    const passed = Object.entries(answer.headers).filter(([name]) => !ownHeaders.includes(name))
    outgoing.writeHead(answer.status, Object.fromEntries(passed)).end(answer.body)
  }
  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch((error: unknown) => outgoing.writeHead(502).end(String(error)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The front has no port.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
