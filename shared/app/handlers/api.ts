import middy from '@middy/core'
import httpRouterHandler from '@middy/http-router'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { ApiError, errorAnswer, forbidden, tellOfError } from '../errors.ts'
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

/** A request, and what its line in the log tells of it, as far as that is known. */
interface ApiEvent extends ApiRequest {
  began?: number
  operation?: OperationId
  principal?: Principal
}

export function apiHandler(service: Service): ApiHandler {
  const table = Object.entries<Route>(routes).map(([id, route]) => ({
    method: route.method,
    path: `${prefix}${route.path}`,
    handler: answering(id as OperationId, route, service),
  }))
  const router = httpRouterHandler<ApiEvent, APIGatewayProxyStructuredResultV2>({
    routes: table,
    notFoundResponse: noRoute,
  })
  const handler = middy<ApiEvent, APIGatewayProxyStructuredResultV2>(router).use(answered(service))
  // Nothing here looks at Lambda's context.
  return (event) => handler({ ...event }, {} as Parameters<typeof handler>[1])
}

function answering(operation: OperationId, route: Route, service: Service) {
  const handler = handlers[operation] as Handler<Route>
  return async (event: ApiEvent) => {
    event.operation = operation
    const principal = await service.authenticate(event)
    event.principal = principal
    // Before anything else of the request is looked at.
    if (!principal.permissions.has(route.permission)) throw forbidden(principal, route.permission)
    return handler(await understood(route, event, principal), service)
  }
}

async function understood(
  { body, query, parameters }: Route,
  event: ApiEvent,
  principal: Principal,
): Promise<Call<Route>> {
  const schemas = { ...(body && { body }), ...(query && { query }), ...(parameters && { path: parameters }) }
  const read = readRequest(schemas, event, await event.admit?.(principal))
  // Each part is what the route's own schema gave; TypeScript cannot follow that through a table.
  return { body: read.body, query: read.query, parameters: read.path, principal, headers: event.headers } as Call<Route>
}

/** Whatever happened becomes an answer, and one line of the log. */
function answered({ log }: Service): middy.MiddlewareObj<ApiEvent, APIGatewayProxyStructuredResultV2> {
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
      tellOfError(log, line(event, answer), error)
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
