import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type * as z from 'zod'
import type { task } from '../shared/app/result-schemas.ts'
import { type Access, gatewayRegion, signable, tokenAccess } from './access.ts'
import { CliError } from './output.ts'

/** A task as the API shows it. */
export type Task = z.infer<typeof task>['data']

/** The details of a finished task, whose shape its kind decides. */
export function detailsOf<Details>(task: Task): Partial<Details> {
  return (task.result?.details ?? {}) as Partial<Details>
}

/** The HTTP API of one service. Throws CliError: 'unreachable' where nobody answers, 'refused' with what the service said. */
export interface ApiClient {
  /** Ends in `/api/v1/`. */
  readonly url: URL
  get<Answer>(path: string, query?: Readonly<Record<string, string>>): Promise<Answer>
  /** The same of what there may be none: then the answer has no `data`. */
  find<Answer>(path: string): Promise<Answer>
  /** Sends what becomes no task. */
  send<Answer>(method: 'POST' | 'PUT', path: string, body: unknown): Promise<Answer>
  /**
   * Sends what becomes a task, and waits until the task is done and visible; `meanwhile` is called again and again until then.
   * Throws 'refused' if it ends in any other way.
   */
  submit(method: 'POST' | 'PUT', path: string, body: unknown, meanwhile?: () => Promise<void>): Promise<Task>
}

const attempts = 3
/** Some 25 seconds. While a task is waited for, which goes on, whoever has trouble with telling us; and where others ask as well. */
const patientAttempts = 8
const firstPause = 200
const timeout = 60_000
const waitHeader = 'wait=20'
/** Milliseconds after which whoever waits for a task is told how to find out why. */
const patience = 30_000

/** `credentials` are a bearer token or another access. `warn` is told what the service warns of when it has done something, and that a task takes long. */
export function apiClient(
  api: URL,
  credentials?: string | Access,
  warn: (warning: string) => void = () => {},
): ApiClient {
  const url = apiUrl(api)
  const access = typeof credentials === 'object' ? credentials : tokenAccess(credentials)

  async function request(
    method: string,
    asked: URL,
    {
      content,
      headers,
      tries = attempts,
    }: { content?: unknown; headers?: Record<string, string>; tries?: number } = {},
  ) {
    const target = signable(asked)
    const body = content === undefined ? undefined : JSON.stringify(content)
    const { host: _, ...shown } = await access.headers({ method, url: target, body: Buffer.from(body ?? '') })
    const init: RequestInit = {
      method,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
        ...shown,
      },
      ...(body !== undefined && { body }),
    }
    const repeatable = method === 'GET' || headers?.['idempotency-key'] !== undefined
    const response = await reach(target, init, repeatable ? tries : 1)
    return { status: response.status, answer: await readAnswer(response, target, access) }
  }

  async function get<Answer>(
    path: string,
    query: Readonly<Record<string, string>> = {},
    tries = attempts,
  ): Promise<Answer> {
    const target = new URL(path, url)
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value)
    return withData(target, await request('GET', target, { tries })) as Answer
  }

  return {
    url,
    get: (path, query) => get(path, query),
    find: async <Answer>(path: string) => (await request('GET', new URL(path, url))).answer as Answer,
    async send<Answer>(method: 'POST' | 'PUT', path: string, body: unknown) {
      const target = new URL(path, url)
      return withData(target, await request(method, target, { content: body })) as Answer
    },
    async submit(method, path, body, meanwhile) {
      // With the key, this very request sent again (its answer was lost, say) is the same task and not a second one.
      const asked = Date.now()
      const headers = { 'idempotency-key': randomUUID(), ...(meanwhile === undefined && { prefer: waitHeader }) }
      const { status, answer } = await request(method, new URL(path, url), { content: body, headers })
      const { data } = answer as { data?: Task }
      if (data?.task_id === undefined) throw strange(new URL(path, url), status)
      let task = data
      let silent = true
      using _ = tellWhoInterrupts(() => warn(goesOn(task.task_id)))
      while (task.state === undefined || task.state === 'PENDING') {
        // The service itself waits a moment before it says that a task is not finished.
        await sleep(50)
        await meanwhile?.()
        if (silent && Date.now() - asked >= patience) {
          silent = false
          warn(stillWaiting(task.task_id, url))
        }
        task = (await get<{ data: Task }>('task', { task_id: data.task_id }, patientAttempts)).data
      }
      if (task.state !== 'SUCCESS') {
        const reason = task.result?.error ?? task.result?.message ?? 'no reason was given'
        throw new CliError('refused', `Task ${task.task_id} ended as ${task.state}: ${reason}`, { details: { task } })
      }
      const { warnings } = detailsOf<{ warnings: unknown }>(task)
      if (Array.isArray(warnings)) for (const warning of warnings) warn(String(warning))
      return task
    },
  }
}

/** Whoever has enough of waiting is told something first; otherwise Ctrl-C does what it does. */
function tellWhoInterrupts(tell: () => void): Disposable {
  const interrupted = () => {
    tell()
    process.kill(process.pid, 'SIGINT')
  }
  process.once('SIGINT', interrupted)
  return { [Symbol.dispose]: () => void process.off('SIGINT', interrupted) }
}

function goesOn(id: string): string {
  return `Task ${id} goes on without us. \`tuffet task ${id}\` says how it stands.`
}

function stillWaiting(id: string, api: URL): string {
  // API Gateway has no such page.
  const health =
    gatewayRegion(api) === undefined ? `, and ${new URL('../../health', api)} whether the service is well` : ''
  return `Still waiting for task ${id}, which goes on without us too. \`tuffet task ${id}\` says how it stands${health}.`
}

/** The API's base: `/api/v1` is added if missing. */
export function apiUrl(api: URL): URL {
  const url = new URL(api)
  url.search = ''
  url.hash = ''
  const path = url.pathname.replace(/\/+$/, '')
  url.pathname = path.endsWith('/api/v1') ? `${path}/` : `${path}/api/v1/`
  return url
}

/** Where the service whose API this is has its other parts: the same URL without `/api/v1`. */
export function siblingUrl(api: URL, folder: 'metadata' | 'artifacts'): URL {
  return new URL(`../../${folder}/`, apiUrl(api))
}

/** Too many ask at once. Nothing was done, so it may be asked again whatever it is. */
const crowded = 429
/** What a gateway says for a service that is not there at the moment; and 500, when a function was ended. */
const passing = [500, 502, 503, 504]

/** Repeats what failed without an answer, or with one that may be another in a moment; not what took too long, for that would again. */
async function reach(target: URL, init: RequestInit, attempts: number): Promise<Response> {
  for (let attempt = 1, pause = firstPause; ; attempt++, pause *= 2) {
    try {
      const response = await fetch(target, { ...init, signal: AbortSignal.timeout(timeout) })
      const { status } = response
      const isOver = status === crowded ? attempt >= patientAttempts : attempt >= attempts || !passing.includes(status)
      if (isOver) return response
      await response.body?.cancel()
      await sleep(pause)
    } catch (cause) {
      const late = cause instanceof Error && cause.name === 'TimeoutError'
      if (attempt >= attempts || late) throw unreachable(target, cause)
      await sleep(pause)
    }
  }
}

/** What `fetch` throws, in words. */
export function unreachable(target: URL | string, cause: unknown): CliError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  const code = (inner as NodeJS.ErrnoException).code
  const reason = (inner instanceof Error ? inner.message : String(inner)) || code || 'no answer'
  const hint = code === 'ECONNREFUSED' ? ' Is the service running there? Say where it is with --api.' : ''
  return new CliError('unreachable', `${target} cannot be reached: ${reason}.${hint}`, { cause })
}

async function readAnswer(response: Response, target: URL, access: Access): Promise<object> {
  const text = await response.text().catch((cause: unknown) => {
    throw unreachable(target, cause)
  })
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    throw strange(target, response.status)
  }
  const { status } = response
  if (typeof answer !== 'object' || answer === null) throw strange(target, status)
  if (response.ok) return answer
  const reason = reasonOf(answer) ?? `${target} answered ${status}: ${foreignReason(answer).replace(/\.$/, '')}.`
  if (status === 401 || status === 403) throw new CliError('refused', `${reason} ${access.hint(status)}`.trimEnd())
  throw new CliError('refused', reason, { details: { status, answer } })
}

/** What a service of ours answers with is an object, below `data`. */
function withData(target: URL, { status, answer }: { readonly status: number; readonly answer: object }): object {
  const { data } = answer as { data?: unknown }
  if (typeof data !== 'object' || data === null) throw strange(target, status)
  return answer
}

function strange(target: URL, status: number): CliError {
  if (status >= 500) {
    const why = 'not as a Tuffet service does: something in front of it, that does not reach it?'
    return new CliError('unreachable', `${target} answered ${status}, and ${why}`)
  }
  return new CliError('refused', `${target} answered ${status}, and not as a Tuffet service does. Is --api right?`)
}

/** What an error answer says, in either form that our services have. */
function reasonOf(answer: object): string | undefined {
  const { detail } = answer as { detail?: unknown }
  if (Array.isArray(detail)) {
    const problems = detail as { loc?: unknown[]; msg?: string }[]
    return problems.map(({ loc = [], msg }) => `${loc.join('.')}: ${msg}`).join('\n')
  }
  if (typeof detail !== 'object' || detail === null) return undefined
  const { message, error } = detail as { message?: string; error?: string }
  return [message, error].filter((text) => text !== undefined && text !== '').join(' ')
}

/** The same of who is none: API Gateway in front of a service, or whatever else --api leads to. */
function foreignReason(answer: object): string {
  const { detail, message, Message = message } = answer as { detail?: unknown; message?: unknown; Message?: unknown }
  const said = [detail, Message].find((text) => typeof text === 'string')
  return said === undefined ? JSON.stringify(answer) : `${said}`
}
