import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import type * as z from 'zod'
import { maximumRequestBytes } from '../repository/request-size.ts'
import { TufError } from '../tuf/errors.ts'
import { isDeeper, type Json, parseJson } from '../tuf/json.ts'
import { InvalidRequest, type Issue, tooLarge } from './errors.ts'

/** What a request may hold; a part that is absent is not looked at. */
export interface RequestSchemas {
  readonly body?: z.ZodType
  readonly query?: z.ZodType
  readonly path?: z.ZodType
}

/**
 * The parts of a request after their schemas; `bytes` is the body, where it is not in the event. Throws InvalidRequest that
 * says what is wrong, and ApiError 'too-large'.
 */
export function readRequest(schemas: RequestSchemas, event: APIGatewayProxyEventV2, bytes?: Uint8Array) {
  const issues: Issue[] = []
  const part = (place: string, schema: z.ZodType | undefined, sent: unknown): unknown => {
    const parsed = schema?.safeParse(sent, upToAFault)
    if (schema === undefined || parsed?.success !== false) return parsed?.data
    const full = valuesIn(sent) > manyValues ? parsed : schema.safeParse(sent, { reportInput: true })
    for (const issue of full.error?.issues ?? []) issues.push(describe(place, issue))
    return undefined
  }
  const path = part('path', schemas.path, event.pathParameters ?? {})
  const query = part('query', schemas.query, Object.fromEntries(new URLSearchParams(event.rawQueryString)))
  const body = part('body', schemas.body, schemas.body && readBody(bytes ?? bodyIn(event)))
  // One number can be too big in two ways.
  const told = [...new Map(issues.map((issue) => [JSON.stringify([issue.loc, issue.msg]), issue])).values()]
  if (told.length > 0) throw new InvalidRequest(told)
  return { path, query, body }
}

/** Ends the list in which something is wrong: zod's own `validate` asks for this, and its types do not tell of it. */
const upToAFault = { reportInput: true, abortEarly: true }

/** Of so many values each could be a fault, which takes hundreds of bytes where a value takes two: only the first is told. */
const manyValues = 20_000

function valuesIn(sent: unknown): number {
  if (typeof sent !== 'object' || sent === null) return 1
  return Object.values(sent).reduce((sum: number, member) => sum + valuesIn(member), 1)
}

/** Metadata is a few levels deep. What is stored wraps what was sent in some more, and has to stay readable. */
const maximumDepth = 32

function bodyIn({ body = '', isBase64Encoded }: APIGatewayProxyEventV2): Uint8Array {
  return Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
}

/** The JSON of the body, or nothing if there is no body. */
function readBody(bytes: Uint8Array): Json | undefined {
  if (bytes.length > maximumRequestBytes) throw tooLarge()
  if (bytes.length === 0) return undefined
  let json: Json
  try {
    json = parseJson(bytes)
  } catch (error) {
    if (error instanceof TufError) throw invalidJson(error.message)
    throw error
  }
  if (isDeeper(json, maximumDepth)) {
    throw invalidJson(`The JSON is nested more than ${maximumDepth} levels deep. Send it flatter.`)
  }
  return json
}

function invalidJson(msg: string): InvalidRequest {
  return new InvalidRequest([{ type: 'json_invalid', loc: ['body'], msg }])
}

function describe(place: string, issue: z.core.$ZodIssue): Issue {
  const { input } = issue
  const missing = issue.code === 'invalid_type' && input === undefined
  return {
    type: missing ? 'missing' : (types[issue.code] ?? issue.code),
    loc: [place, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))],
    msg: message(issue, missing),
    ...(input !== undefined && { input: shortened(input) }),
  }
}

const types: Readonly<Record<string, string>> = { custom: 'value_error', invalid_key: 'value_error' }

function message(issue: z.core.$ZodIssue, missing: boolean): string {
  // What was wrong with a key says more than that one was.
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => message).join(' ')
  if (issue.code === 'too_small' && issue.message.startsWith('Too small')) return 'Is empty. Send at least one.'
  const isOurs = issue.code !== 'invalid_type' || !issue.message.startsWith('Invalid input: expected')
  if (missing) return `Is missing. ${isOurs ? issue.message : `Send ${article(issue.expected)}.`}`
  return isOurs ? issue.message : `Has to be ${article(issue.expected)}.`
}

function article(expected: string): string {
  const known: Readonly<Record<string, string>> = {
    string: 'a string',
    number: 'a whole number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'an array',
    object: 'an object',
    record: 'an object',
  }
  return known[expected] ?? expected
}

const maximumInput = 200

function shortened(input: unknown): unknown {
  const text = JSON.stringify(input) ?? ''
  return text.length <= maximumInput ? input : `${text.slice(0, maximumInput)}…`
}
