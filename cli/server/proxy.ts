import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { request as requestOverTls } from 'node:https'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { jsonAnswer } from '../../shared/app/answer.ts'
import { ApiError, errorAnswer } from '../../shared/app/errors.ts'
import { type Access, signable } from '../access.ts'
import { unreachable } from '../api-client.ts'
import { cannotListen } from './cannot-listen.ts'
import { refuseOtherSites } from './own-machine.ts'
import { closePatiently } from './patient-close.ts'
import { bodyOf } from './request-body.ts'

export interface ProxyOptions {
  /** What lies above `/api/v1/`; ends in a slash. */
  readonly base: URL
  readonly access: Access
  /** 0 picks a free one. */
  readonly port: number
  /** Is told what could not be passed on. */
  readonly warn: (text: string) => void
}

export interface Proxy extends AsyncDisposable {
  readonly url: string
}

const host = '127.0.0.1'

/** Passes on to a service, in the name of `access`, what programs of this machine ask on 127.0.0.1. Throws CliError. */
export async function startProxy({ base, access, port, warn }: ProxyOptions): Promise<Proxy> {
  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing, base, access).catch((error: unknown) => {
      if (!(error instanceof ApiError)) warn(error instanceof Error ? error.message : String(error))
      refuse(error, outgoing)
    })
  })
  try {
    await once(server.listen(port, host), 'listening')
  } catch (cause) {
    throw cannotListen(host, port, cause)
  }
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await closePatiently(server, () => once(server.close(), 'close'))
    },
  }
}

/** Milliseconds that the service may be silent. */
const silence = 60_000

async function forward(incoming: IncomingMessage, outgoing: ServerResponse, base: URL, access: Access): Promise<void> {
  refuseOtherSites(incoming, { who: 'This proxy', remedy: '' })
  const url = targetOf(incoming.url ?? '', base)
  const { method = 'GET' } = incoming
  // Whole, for a signature is of every byte.
  const body = await bodyOf(incoming)
  const headers = {
    ...passedOn(incoming.headers),
    ...(await access.headers({ method, url, body })),
    host: url.host,
    ...((body.length > 0 || !bodiless.includes(method)) && { 'content-length': body.length }),
  }
  const gone = new AbortController()
  outgoing.once('close', () => gone.abort())
  const send = url.protocol === 'https:' ? requestOverTls : request
  const asking = send(url, { method, headers, signal: gone.signal })
  asking.setTimeout(silence, () => asking.destroy(new Error(`it was silent for ${silence / 1000} seconds`)))
  asking.end(body)
  try {
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    outgoing.writeHead(answer.statusCode ?? 502, passedOn(answer.headers))
    await pipeline(answer, outgoing)
  } catch (cause) {
    // Nobody is there to be told.
    if (gone.signal.aborted) return
    throw unreachable(url, cause)
  }
}

const bodiless = ['GET', 'HEAD', 'DELETE', 'OPTIONS']

/** Throws ApiError 'not-found' for what does not lie in the API. */
function targetOf(asked: string, base: URL): URL {
  const url = asked.startsWith('/') ? URL.parse(base.href + asked.slice(1)) : null
  if (url === null || !url.pathname.startsWith(`${base.pathname}api/`)) {
    throw new ApiError('not-found', 'Not Found.', 'This proxy passes on what lies below /api/v1/, and nothing else.')
  }
  // As `rstuf` asks. The service takes both, but to API Gateway they are two paths with a route each.
  url.pathname = url.pathname.replace(/(?<=[^/])\/$/, '')
  return signable(url)
}

/** What is between two neighbours only (RFC 9110, 7.6.1), and what we say ourselves. */
const ownHeaders = [
  'host',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]
/** Said by the proxy, so by nobody else. */
const shown = /^(authorization|x-amz-(date|security-token|content-sha256))$/

function passedOn(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase())
  const passed = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !ownHeaders.includes(name) && !named.includes(name) && !shown.test(name),
  )
  return Object.fromEntries(passed) as Record<string, string | string[]>
}

function refuse(error: unknown, outgoing: ServerResponse): void {
  if (outgoing.headersSent) {
    outgoing.destroy()
    return
  }
  const message = error instanceof Error ? error.message : String(error)
  const {
    statusCode = 502,
    headers,
    body,
  } = error instanceof ApiError
    ? errorAnswer(error, '')
    : jsonAnswer(502, { detail: { message: 'Bad gateway.', error: message } })
  for (const [name, value] of Object.entries(headers ?? {})) outgoing.setHeader(name, String(value))
  // What is left of a body that nobody has read must not be taken for the next request.
  outgoing.writeHead(statusCode, { connection: 'close' }).end(body)
}
