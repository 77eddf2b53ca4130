import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { invalid, refusal } from '../../shared/app/error-schemas.ts'
import { type ApiHandler, apiHandler } from '../../shared/app/handlers/api.ts'
import type { Logger } from '../../shared/app/logger.ts'
import { type Authenticate, everybodyAs } from '../../shared/app/principal.ts'
import { task } from '../../shared/app/result-schemas.ts'
import { type Route, routes } from '../../shared/app/routes.ts'
import { publish } from '../../shared/repository/publish.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { bulkName, type Uploads } from '../../shared/repository/uploads.ts'
import { bootstrapRequest, type RootKeys } from './repository.ts'

export interface Sent {
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON; a string or bytes as they are. */
  readonly body?: unknown
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  /** The parsed body. Tests say what they expect to find in it. */
  readonly body: {
    readonly data: Record<string, unknown>
    readonly message: string
    readonly detail: Record<string, unknown> & readonly Record<string, unknown>[]
    readonly [field: string]: unknown
  }
}

export interface TestApi {
  /** `POST /artifacts`, below `/api/v1`. Each answer is held to the schema that the contract shows for it. */
  call(request: string, sent?: Sent): Promise<Answered>
  readonly lines: readonly LogLine[]
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly [field: string]: unknown
}

export interface TestApiOptions {
  readonly authenticate?: Authenticate
  /** Called for each ring; publishes unless told otherwise. */
  readonly ring?: (repository: Repository) => Promise<unknown>
  readonly uploads?: Uploads
  readonly room?: () => Promise<void>
}

/** The API over a repository that publishes as soon as a task is accepted. */
export function apiOver(repository: Repository, options: TestApiOptions = {}): TestApi {
  const { authenticate = everybodyAs('tester'), ring = publish, uploads = uploadsOver(repository), room } = options
  const ringing: Repository = {
    ...repository,
    ports: { ...repository.ports, queue: { ring: async () => void (await ring(repository)) } },
  }
  const lines: LogLine[] = []
  const log: Logger = {
    info: (fields, message) => lines.push({ ...fields, message, level: 'info' }),
    warn: (fields, message) => lines.push({ ...fields, message, level: 'warn' }),
    error: (fields, message) => lines.push({ ...fields, message, level: 'error' }),
  }
  const handler = apiHandler({ repository: ringing, uploads, authenticate, log, ...(room && { room }) })
  return { call: (request, sent) => call(handler, request, sent), lines }
}

export async function call(handler: ApiHandler, request: string, sent: Sent = {}): Promise<Answered> {
  const event = apiEvent(request, sent)
  const { statusCode = 0, headers = {}, body = '' } = await handler(event)
  const answered: Answered = { status: statusCode, headers, body: JSON.parse(body) }
  holdToContract(event, answered)
  return answered
}

export function apiEvent(request: string, { headers = {}, body }: Sent = {}): APIGatewayProxyEventV2 {
  const [method = '', url = ''] = request.split(' ')
  const [path = '', query = ''] = `/api/v1${url}`.split('?')
  const http = { method, path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' }
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    headers: { ...headers },
    requestContext: {
      accountId: '',
      apiId: '',
      domainName: '',
      domainPrefix: '',
      http,
      requestId: 'request',
      routeKey: '$default',
      stage: '$default',
      time: '',
      timeEpoch: 0,
    },
    ...(body !== undefined && { body: bytesOf(body).toString('base64') }),
    isBase64Encoded: body !== undefined,
  }
}

function bytesOf(body: unknown): Buffer {
  if (body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Whatever is answered is what the OpenAPI document says, field by field. */
function holdToContract(event: APIGatewayProxyEventV2, { status, body }: Answered): void {
  const path = event.rawPath.replace(/\/$/, '').replace(/^\/api\/v1/, '')
  const route = Object.values<Route>(routes).find((candidate) => {
    return candidate.method === event.requestContext.http.method && matches(candidate.path, path)
  })
  const ofSubmission = { 200: task, 202: route?.result }
  const success: Readonly<Record<number, Route['result'] | undefined>> = route?.submits
    ? ofSubmission
    : { [route?.creates ? 201 : 200]: route?.result }
  const schema = success[status] ?? (status === 422 ? invalid : refusal)
  assert.deepEqual(schema.parse(body), body, 'The answer has fields that the contract does not know.')
}

function matches(pattern: string, path: string): boolean {
  return new RegExp(`^${pattern.replace(/\{\w+\}/g, '[^/]+')}$`).test(path)
}

/** A file is uploaded by making the object. */
function uploadsOver({ ports: { state } }: Repository): Uploads {
  return {
    address: async (id) => ({ method: 'PUT', url: `/upload/${id}`, headers: {} }),
    async arrived(id) {
      const stored = await state.read(bulkName(id))
      return stored && { bytes: stored.bytes.length, sha256: createHash('sha256').update(stored.bytes).digest('hex') }
    },
  }
}

/** The body of a bootstrap that this repository accepts. */
export function bootstrapBody(repository: RootKeys) {
  const { root } = bootstrapRequest(repository)
  const days = (expiration: number) => ({ expiration })
  return {
    settings: {
      roles: {
        root: days(365),
        targets: days(90),
        snapshot: days(7),
        timestamp: days(1),
        bins: { expiration: 30, number_of_delegated_bins: 4 },
      },
    },
    metadata: { root },
    timeout: 300,
  }
}

export const sha256Hex = 'ab'.repeat(32)

export function artifact(path: string, info: object = {}) {
  return { path, info: { length: 1, hashes: { sha256: sha256Hex }, ...info } }
}
