import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

/** A request as it came, of which a rule decides whether it is the one to go wrong. */
export interface ProxiedRequest {
  readonly method: string
  /** Path and query, as on the wire. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export type Fault =
  /** Answered in the service's place, which never hears of it. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Record<string, string>
      readonly body: string
    }
  /** It takes effect, `afterwards` happens, then the connection ends without an answer. */
  | { readonly kind: 'lose the answer'; readonly afterwards?: () => Promise<void> }
  /** It takes effect, and nobody says anything ever after. */
  | { readonly kind: 'fall silent' }
  /** It takes effect; the connection ends in the middle of the answer's body. */
  | { readonly kind: 'cut the answer' }

export interface FaultProxy extends AsyncDisposable {
  readonly endpoint: string
  /** Everything that came, in order. */
  readonly requests: readonly ProxiedRequest[]
  /** From now on the next `times` requests that match go wrong in this way. Until it is disposed of. */
  inject(matches: (request: ProxiedRequest) => boolean, fault: Fault, times?: number): Disposable
}

/** An HTTP proxy in front of `upstream` (`http://127.0.0.1:40123`) that does what no emulator does by itself. */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const requests: ProxiedRequest[] = []
  const rules = new Set<{ matches: (request: ProxiedRequest) => boolean; fault: Fault; left: number }>()

  function faultFor(seen: ProxiedRequest): Fault | undefined {
    for (const rule of rules) {
      if (rule.left === 0 || !rule.matches(seen)) continue
      rule.left--
      return rule.fault
    }
    return undefined
  }

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming
    const seen: ProxiedRequest = { method, url, headers, body: await buffer(incoming) }
    requests.push(seen)
    const fault = faultFor(seen)
    if (fault?.kind === 'answer') {
      outgoing.writeHead(fault.status, fault.headers).end(fault.body)
      return
    }
    const answer = await forward(upstream, seen)
    if (fault?.kind === 'fall silent') return
    if (fault?.kind === 'lose the answer') {
      await fault.afterwards?.()
      outgoing.destroy()
      return
    }
    outgoing.writeHead(answer.status, answer.headers)
    if (fault?.kind === 'cut the answer') {
      outgoing.write(answer.body.subarray(0, answer.body.length / 2), () => outgoing.destroy())
      return
    }
    outgoing.end(answer.body)
  }

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    inject(matches, fault, times = 1) {
      const rule = { matches, fault, left: times }
      rules.add(rule)
      return { [Symbol.dispose]: () => rules.delete(rule) }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function forward(upstream: string, { method, url, headers, body }: ProxiedRequest) {
  // With the Host header as it came, for the signature covers it; in one piece, for it was read in one.
  const { 'transfer-encoding': _, expect: __, ...kept } = headers
  const outgoing = request(new URL(url, upstream), { method, headers: { ...kept, 'content-length': body.length } })
  outgoing.end(body)
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  const { 'transfer-encoding': ___, connection: ____, ...answered } = answer.headers
  const bytes = await buffer(answer)
  const length = method === 'HEAD' || bytes.length === 0 ? {} : { 'content-length': String(bytes.length) }
  return { status: answer.statusCode ?? 502, headers: { ...answered, ...length }, body: bytes }
}

/** An error as S3 answers it. */
export function s3Fault(status: number, code: string): Fault {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>Injected.</Message><RequestId>0</RequestId></Error>`
  return { kind: 'answer', status, headers: { 'content-type': 'application/xml' }, body }
}

/** An error as KMS and SQS answer it. */
export function jsonFault(status: number, type: string): Fault {
  const body = JSON.stringify({ __type: type, message: 'Injected.' })
  return { kind: 'answer', status, headers: { 'content-type': 'application/x-amz-json-1.1' }, body }
}
