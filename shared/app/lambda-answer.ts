import { gzipSync } from 'node:zlib'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { jsonAnswer } from './answer.ts'

/** Bytes of an answer in JSON that Lambda hands on (6 MB), less what is around the body. */
const most = 6 * 1024 * 1024 - 64 * 1024
/** A body of so many characters fits, whatever they become in JSON. */
const surelyFits = 1024 * 1024

/**
 * The answer in a form that Lambda hands on: compressed where it would be too large and the client takes that, as metadata of roles
 * that are signed offline may be. What stays too large becomes an answer that says so, for Lambda's own would not.
 */
export function lambdaAnswer(
  { headers }: Pick<APIGatewayProxyEventV2, 'headers'>,
  answer: APIGatewayProxyStructuredResultV2,
): APIGatewayProxyStructuredResultV2 {
  const { body = '' } = answer
  if (body.length <= surelyFits || Buffer.byteLength(JSON.stringify(body)) <= most) return answer
  const takesGzip = /\bgzip\b/i.test(headers['accept-encoding'] ?? '')
  const compressed = takesGzip ? gzipSync(body).toString('base64') : undefined
  if (compressed !== undefined && compressed.length <= most) {
    const encoded = { ...answer.headers, 'content-encoding': 'gzip', vary: 'accept-encoding' }
    return { ...answer, headers: encoded, body: compressed, isBase64Encoded: true }
  }
  const remedy = takesGzip ? 'Ask for less of it.' : 'Ask with "accept-encoding: gzip", as curl does with --compressed.'
  const why = `It has ${Buffer.byteLength(body)} bytes, and AWS lets 6 MB through. ${remedy}`
  return jsonAnswer(500, { detail: { message: 'Answer too large.', error: why } })
}
