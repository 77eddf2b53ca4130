import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { isNoTasksFault, RepositoryError } from '../repository/errors.ts'
import { maximumRequestBytes } from '../repository/request-size.ts'
import { jsonAnswer } from './answer.ts'
import type { Logger } from './logger.ts'
import type { Permission, Principal } from './principal.ts'

/** One fault of a request, in the form in which FastAPI, and so RSTUF, reports it. */
export interface Issue {
  /** Such as `missing` or `value_error`. */
  readonly type: string
  /** `body`, `query`, `path` or `header`, then the way to the fault. */
  readonly loc: readonly (string | number)[]
  readonly msg: string
  /** What was found there. */
  readonly input?: unknown
}

/** A request that cannot be understood. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest'
  readonly issues: readonly Issue[]
  constructor(issues: readonly Issue[]) {
    super(issues.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`).join(' '))
    this.issues = issues
  }
}

/** Why a request is not answered as it wishes, other than by its form; each has one status. */
const statuses = {
  'broken-off': 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  'method-not-allowed': 405,
  conflict: 409,
  'too-large': 413,
  'too-many': 429,
  unavailable: 503,
} as const

export type ApiErrorCode = keyof typeof statuses

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ApiErrorCode
  /** What was refused, in a few words that tools compare; the error's own message says why and how to mend it. */
  readonly title: string | undefined
  readonly headers: Readonly<Record<string, string>>
  constructor(
    code: ApiErrorCode,
    title: string | undefined,
    message: string,
    options: { readonly headers?: Readonly<Record<string, string>>; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.title = title
    this.headers = options.headers ?? {}
  }
}

export function tooLarge(): ApiError {
  return new ApiError(
    'too-large',
    'Request too large.',
    `A body can have ${maximumRequestBytes} bytes (5 MiB) at most. Send it in several requests.`,
  )
}

export function forbidden({ name, permissions }: Principal, permission: Permission): ApiError {
  const why = `This needs the permission to ${permission}; ${name} has: ${[...permissions].join(', ')}. Use a token that has it.`
  return new ApiError('forbidden', 'Forbidden.', why)
}

/** The HTTP answer to whatever was thrown while a request was handled. The one place where errors become words for people. */
export function errorAnswer(error: unknown, requestId: string): APIGatewayProxyStructuredResultV2 {
  if (error instanceof InvalidRequest) return jsonAnswer(422, { detail: error.issues.slice(0, maximumIssues) })
  if (error instanceof ApiError) {
    const detail = { message: error.title, error: error.message }
    return jsonAnswer(statuses[error.code], { detail }, error.headers)
  }
  if (error instanceof RepositoryError && error.code === 'idempotency-key-reused') {
    const issue: Issue = { type: 'value_error', loc: ['header', 'Idempotency-Key'], msg: error.message }
    return jsonAnswer(422, { detail: [issue] })
  }
  // What an operator can mend says how.
  if (isNoTasksFault(error)) {
    const detail = { message: 'The service is not available.', error: error.message, code: error.code }
    return jsonAnswer(503, { detail }, { 'retry-after': '5' })
  }
  const said = `The service broke. Its log has the cause under request ${requestId}.`
  return jsonAnswer(500, { detail: { message: 'Internal error.', error: said } })
}

const maximumIssues = 50

/** What keeps the service from its work, for its status. */
export function shownTrouble(error: unknown): { readonly code?: string; readonly message: string } {
  if (isNoTasksFault(error)) return { code: error.code, message: error.message }
  return { message: 'The service broke. Its log has the cause.' }
}

/** Logs how a request was answered that was not answered as it wished; `line` tells of both. */
export function tellOfError(log: Logger, line: object, error: unknown): void {
  if (isOurFault(error)) log.error({ ...line, err: error }, 'request failed')
  else log.info(line, 'request')
}

/** True for what the operator has to look into, not the client. */
function isOurFault(error: unknown): boolean {
  if (error instanceof InvalidRequest) return false
  if (error instanceof ApiError) return error.code === 'unavailable'
  return !(error instanceof RepositoryError && error.code === 'idempotency-key-reused')
}
