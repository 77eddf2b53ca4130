import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import type { FastifyRequest } from 'fastify'

/** The event that API Gateway makes of such a request (payload format 2.0), without the body. */
export function apiEvent(request: FastifyRequest): APIGatewayProxyEventV2 {
  const { method, headers, id } = request
  const [path = '/', ...query] = request.url.split('?')
  const now = new Date()
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query.join('?'),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, flat(value)])),
    requestContext: {
      accountId: 'embedded',
      apiId: 'embedded',
      domainName: request.hostname,
      domainPrefix: '',
      http: {
        method,
        path,
        protocol: `HTTP/${request.raw.httpVersion}`,
        sourceIp: request.ip,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: id,
      routeKey: '$default',
      stage: '$default',
      time: now.toISOString(),
      timeEpoch: now.getTime(),
    },
    isBase64Encoded: false,
  }
}

function flat(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}
