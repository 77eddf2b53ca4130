import type { IncomingMessage } from 'node:http'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  type onRequestHookHandler,
} from 'fastify'
import type { EmbeddedService } from '../shared/app/embedded.ts'
import { errorAnswer, tellOfError } from '../shared/app/errors.ts'
import { uploadPath } from '../shared/app/handlers/upload.ts'
import type { Logger } from '../shared/app/logger.ts'
import type { Principal } from '../shared/app/principal.ts'
import { prefix } from '../shared/app/routes.ts'
import { apiEvent } from './server/api-event.ts'
import { serveArtifacts } from './server/artifact-files.ts'
import { boundConnections } from './server/connections.ts'
import { serveDocs } from './server/docs-page.ts'
import { serveMetadata } from './server/metadata-files.ts'
import { refuseChangesByOtherSites, refuseOtherSites } from './server/own-machine.ts'
import { boundPipelining } from './server/pipelining.ts'
import { bodyOf, chunksOf, rest } from './server/request-body.ts'
import { sharedSlots, slots } from './server/slots.ts'

export interface ServerOptions {
  readonly service: EmbeddedService
  readonly log: Logger
  /** A directory whose files are served as artifacts. */
  readonly artifacts?: string
  /** Who lets callers in. A browser that gets in without a token does so for pages of other sites, too, which are kept out. */
  readonly lettingIn: 'everybody' | 'tokens' | 'proxy'
  /** How many requests to the API are answered at once. Each may hold a body of some MiB, or a client that waits for its task. */
  readonly atOnce?: number
}

/** Milliseconds, longer than any answer takes. Whose machine or network went away gives its place back then. */
const silence = 5 * 60_000

/** What stands in for API Gateway and CloudFront: everything that the embedded service answers to over HTTP. */
export function embeddedServer({ service, log, artifacts, lettingIn, atOnce = 1000 }: ServerOptions): FastifyInstance {
  const server = fastify({
    // Keep-alive connections without a request end when the server closes; those with one may finish.
    forceCloseConnections: 'idle',
    connectionTimeout: silence,
    routerOptions: { maxParamLength: 4096 },
    genReqId: () => crypto.randomUUID(),
  })
  boundConnections(server, log)
  boundPipelining(server)
  // The API reads bodies itself, to the byte and whatever type they claim to be of, and only of who may send them.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', (_: FastifyRequest, payload: IncomingMessage, done) => done(null, payload))
  server.addHook('onSend', (_, reply, payload, done) => {
    reply.header('x-content-type-options', 'nosniff')
    reply.header('referrer-policy', 'no-referrer')
    done(null, payload)
  })
  server.setErrorHandler((error, request, reply) => sendError(error, request, reply, log))
  server.setNotFoundHandler((_, reply) => {
    reply.code(404).type('text/plain').send('There is nothing here. /docs says what there is.\n')
  })

  // Without tokens all callers have one name.
  const places = lettingIn === 'tokens' ? sharedSlots(atOnce) : slots(atOnce)
  const onRequest: onRequestHookHandler = (request, _, done) => {
    if (lettingIn === 'everybody') refuseOtherSites(request)
    if (lettingIn === 'proxy') refuseChangesByOtherSites(request)
    done()
  }
  server.route({
    // Those too that no endpoint takes: the API says so itself, as it does on AWS.
    method: ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: `${prefix}/*`,
    exposeHeadRoute: false,
    onRequest,
    handler: async (request, reply) => {
      const body = request.body as IncomingMessage | undefined
      let slot: Disposable | undefined
      const admit = async ({ name }: Principal) => {
        slot = places.take(name)
        return body === undefined ? Buffer.alloc(0) : bodyOf(body)
      }
      try {
        const answered = await service.api({ ...apiEvent(request), admit })
        if (body !== undefined) await rest(body)
        return answer(reply, answered)
      } finally {
        slot?.[Symbol.dispose]()
      }
    },
  })
  server.put<{ Params: { id: string } }>(uploadPath(':id'), { onRequest }, async (request, reply) => {
    using taken = new DisposableStack()
    const admit = ({ name }: Principal) => void taken.use(places.take(name))
    return answer(reply, await service.upload(apiEvent(request), request.params.id, chunksOf(request.raw), admit))
  })
  server.get('/openapi.json', async () => (await import('../shared/app/openapi.ts')).openapiDocument('.'))
  server.get('/health', async (_, reply) => {
    await service.check()
    return reply.header('cache-control', 'no-store').send({ status: 'ok' })
  })
  serveDocs(server)
  serveMetadata(server, service.metadata)
  if (artifacts !== undefined) serveArtifacts(server, artifacts)
  return server
}

function answer(reply: FastifyReply, answered: APIGatewayProxyStructuredResultV2): FastifyReply {
  const { statusCode = 200, headers = {}, body } = answered
  for (const [name, value] of Object.entries(headers)) reply.header(name, value)
  return reply.code(statusCode).send(body)
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  const { code, statusCode = 500 } = error as { code?: string; statusCode?: number }
  if (code?.startsWith('FST_') && statusCode < 500) {
    const why = error instanceof Error ? error.message : String(error)
    reply.code(statusCode).send({ detail: { message: 'Not understood.', error: why } })
    return
  }
  const answered = errorAnswer(error, request.id)
  const { method, id } = request
  tellOfError(log, { method, route: request.routeOptions.url, status: answered.statusCode, request: id }, error)
  answer(reply, answered)
}
