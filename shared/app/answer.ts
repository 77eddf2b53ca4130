import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'

/** JSON for API Gateway, or whoever stands in its place. Fields without a value are left out. */
export function jsonAnswer(
  statusCode: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  }
}
