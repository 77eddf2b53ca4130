import * as z from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import { invalid, refusal } from './error-schemas.ts'
import { task } from './result-schemas.ts'
import { prefix, type Route, routes } from './routes.ts'

/**
 * The OpenAPI 3.1 document of the API, made from the very schemas that validate. `above`: the way from where it is served to what lies
 * above `/api/v1`.
 */
export function openapiDocument(above: '.' | '../..'): object {
  const paths: ZodOpenApiPathsObject = {}
  for (const [operationId, route] of Object.entries<Route>(routes)) {
    const path = `${prefix}${route.path}`
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(operationId, route) }
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Tuffet',
      version: '1',
      description: 'A Repository Service for TUF. Every path answers with and without a trailing slash.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: above }],
    security: [{ bearer: [] }, {}],
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    paths,
  })
}

function operation(operationId: string, route: Route): ZodOpenApiOperationObject {
  const { summary, permission, body, query, parameters, result, submits, creates, notFound } = route
  const params = {
    ...(query && { query }),
    ...(parameters && { path: parameters }),
    ...(submits && { header: submissionHeaders }),
  }
  return {
    operationId,
    summary,
    description: `Needs the permission to ${permission}.`,
    ...(Object.keys(params).length > 0 && { requestParams: params }),
    ...(body && { requestBody: { required: !takesNothing(body), content: { 'application/json': { schema: body } } } }),
    responses: {
      ...(submits && { '200': json('Finished within the time that `Prefer: wait` gave it.', task) }),
      ...success(),
      '401': json('No credentials, or none that are good.', refusal),
      '403': json('Credentials without the permission.', refusal),
      ...(notFound !== undefined && { '404': json(notFound, refusal) }),
      ...(body && { '413': json('The body is over 5 MiB.', refusal) }),
      ...((body ?? query ?? parameters ?? submits) && { '422': json('Not understood; each fault is named.', invalid) }),
      '429': json('Too many requests at once.', refusal),
      '503': json('The service cannot do its work; nothing was changed.', refusal),
    },
  }

  function success() {
    if (submits) return { '202': json('Accepted: it is durable and will be decided.', result) }
    return creates ? { '201': json('Created.', result) } : { '200': json('Done.', result) }
  }
}

const takesNothing = (schema: z.ZodType) => schema.safeParse(undefined).success

const submissionHeaders = z.object({
  'Idempotency-Key': z.string().max(256).optional().describe('The same key and body give the same task, for 7 days.'),
  Prefer: z.string().optional().describe('`wait=N`: answer when the task is finished, after N seconds (25) at most.'),
})

function json(description: string, schema: z.ZodType) {
  return { description, content: { 'application/json': { schema } } }
}
