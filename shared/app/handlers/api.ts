import middy from '@middy/core'
import httpRouterHandler from '@middy/http-router'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { ApiError, errorAnswer, isOurFault } from '../errors.ts'
import type { Principal } from '../principal.ts'
import { readRequest } from '../request.ts'
import { type OperationId, prefix, type Route, routes } from '../routes.ts'
import type { Call, Handler, Service } from './handler.ts'
import { handlers } from './handlers.ts'

/** The whole API as one function: of API Gateway's events, whoever makes them. It never rejects. */
export type ApiHandler = (event: ApiRequest) => Promise<APIGatewayProxyStructuredResultV2>

export interface ApiRequest extends APIGatewayProxyEventV2 {
  /** Reads the body, if it is still to come; called once it is known who its sender is, and that they may make this request. */
  readonly admit?: (sender: Principal) => Promise<Uint8Array>
}

/** A request, and what is found out about it on the way to its handler. */
interface ApiEvent extends ApiRequest {
  began?: number
  operation?: OperationId
  principal?: Principal
  call?: Call
}

type Middleware = middy.MiddlewareObj<ApiEvent, APIGatewayProxyStructuredResultV2>

export function apiHandler(service: Service): ApiHandler {
  const table = Object.entries<Route>(routes).map(([id, route]) => ({
    method: route.method,
    path: `${prefix}${route.path}`,
    handler: middy<ApiEvent, APIGatewayProxyStructuredResultV2>()
      .use(authorised(id as OperationId, route, service))
      .use(understood(route))
      .handler(handling(id as OperationId, service)),
  }))
  const router = httpRouterHandler<ApiEvent, APIGatewayProxyStructuredResultV2>({
    routes: table,
    notFoundResponse: noRoute,
  })
  const handler = middy<ApiEvent, APIGatewayProxyStructuredResultV2>(router).use(answered(service))
  // Nothing here looks at Lambda's context.
  return (event) => handler({ ...event }, {} as Parameters<typeof handler>[1])
}

/** Who calls has what the route asks for. Before anything else of the request is looked at. */
function authorised(operation: OperationId, { permission }: Route, { authenticate }: Service): Middleware {
  return {
    before: async ({ event }) => {
      event.operation = operation
      const principal = await authenticate(event)
      event.principal = principal
      if (principal.permissions.has(permission)) return
      const has = [...principal.permissions].join(', ')
      const why = `This needs the permission to ${permission}; ${principal.name} has: ${has}. Use a token that has it.`
      throw new ApiError('forbidden', 'Forbidden.', why)
    },
  }
}

function understood({ body, query, parameters }: Route): Middleware {
  return {
    before: async ({ event }) => {
      const { principal, headers, admit } = event
      if (principal === undefined) throw new Error('The principal is known before the request is read.')
      const schemas = { ...(body && { body }), ...(query && { query }), ...(parameters && { path: parameters }) }
      const read = readRequest(schemas, event, await admit?.(principal))
      // Each part is what the route's own schema gave; TypeScript cannot follow that through a table.
      event.call = { body: read.body, query: read.query, parameters: read.path, principal, headers } as Call
    },
  }
}

function handling(operation: OperationId, service: Service) {
  const handler = handlers[operation] as Handler<Route>
  return async ({ call }: ApiEvent) => {
    if (call === undefined) throw new Error('The request is read before it is handled.')
    return handler(call, service)
  }
}

/** Whatever happened becomes an answer, and one line of the log. */
function answered({ log }: Service): Middleware {
  const line = (event: ApiEvent, answer: APIGatewayProxyStructuredResultV2) => ({
    method: event.requestContext.http.method,
    route: event.operation === undefined ? undefined : `${prefix}${routes[event.operation].path}`,
    status: answer.statusCode,
    ms: Math.round(performance.now() - (event.began ?? 0)),
    principal: event.principal?.name,
    task: answer.headers?.['tuffet-task'],
    request: event.requestContext.requestId,
  })
  return {
    before: ({ event }) => {
      event.began = performance.now()
    },
    after: ({ event, response }) => {
      if (response) log.info(line(event, response), 'request')
    },
    onError: (request) => {
      const { event, error } = request
      const answer = errorAnswer(error, event.requestContext.requestId)
      request.response = answer
      if (isOurFault(error)) log.error({ ...line(event, answer), err: error }, 'request failed')
      else log.info(line(event, answer), 'request')
    },
  }
}

function noRoute({ method, path }: { method: string; path: string }): never {
  const trimmed = path.replace(/\/$/, '')
  const allowed = Object.values<Route>(routes).filter(({ path }) => {
    const pattern = `${prefix}${path}`.split('/')
    const parts = trimmed.split('/')
    return pattern.length === parts.length && pattern.every((part, at) => part.startsWith('{') || part === parts[at])
  })
  if (allowed.length === 0) {
    const why = `There is nothing at ${path.slice(0, 200)}. GET ${prefix}/openapi.json says what there is.`
    throw new ApiError('not-found', 'Not found.', why)
  }
  const allow = allowed.map((route) => route.method).join(', ')
  const why = `${path} does not take ${method}. It takes ${allow}.`
  throw new ApiError('method-not-allowed', 'Method not allowed.', why, { headers: { allow } })
}
