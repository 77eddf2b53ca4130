import type { Ministack } from './ministack.ts'
import { type Credentials, signatureHeaders } from './sigv4.ts'

/** Services of AWS for which the project needs no SDK client of its own, as somebody with these credentials calls them. */
export interface Services {
  /** Calls a service by its query protocol; returns XML. */
  query(service: string, parameters: Readonly<Record<string, string>>): Promise<string>
  /** Invokes the function whose name holds a word, and waits; returns its answer, or throws what it threw. */
  invoke(word: string): Promise<unknown>
  configuration(word: string): Promise<FunctionConfiguration>
  /** Changes it, as an administrator with a shell would. */
  configure(word: string, change: Partial<FunctionConfiguration>): Promise<void>
  /** The lines of its log, the oldest first: Lambda's own and those of the function. */
  log(word: string): Promise<string[]>
}

export interface FunctionConfiguration {
  readonly FunctionName: string
  /** MiB. */
  readonly MemorySize: number
}

interface Request {
  readonly method?: string
  readonly path?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

const functionsPath = '/2015-03-31/functions/'
const json = { 'content-type': 'application/json' }

export function servicesOf({ endpoint }: Ministack, credentials: Credentials): Services {
  async function call(service: string, { method = 'POST', path = '/', body, headers }: Request): Promise<string> {
    const url = new URL(path, endpoint)
    const unsigned = { method, url, body: Buffer.from(body ?? '') }
    const { host: _, ...signed } = signatureHeaders(unsigned, credentials, service)
    const sent = body === undefined ? {} : { body }
    const answer = await fetch(url, { method, headers: { ...headers, ...signed }, ...sent })
    const text = await answer.text()
    if (!answer.ok || answer.headers.has('x-amz-function-error')) throw new Error(`${service} ${path}: ${text}`)
    return text
  }

  async function functionNamed(word: string): Promise<FunctionConfiguration> {
    const { Functions } = JSON.parse(await call('lambda', { method: 'GET', path: functionsPath })) as {
      Functions: FunctionConfiguration[]
    }
    const found = Functions.find(({ FunctionName }) => FunctionName.includes(word))
    if (found === undefined) throw new Error(`There is no function ${word}.`)
    return found
  }

  async function logs<Answer>(operation: string, body: object): Promise<Answer> {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Logs_20140328.${operation}` }
    return JSON.parse(await call('logs', { body: JSON.stringify(body), headers })) as Answer
  }

  return {
    query: (service, parameters) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      return call(service, { body: new URLSearchParams(parameters).toString(), headers })
    },
    async invoke(word) {
      const path = `${functionsPath}${(await functionNamed(word)).FunctionName}/invocations`
      return JSON.parse((await call('lambda', { path, body: '{}', headers: json })) || 'null')
    },
    configuration: functionNamed,
    async configure(word, change) {
      const path = `${functionsPath}${(await functionNamed(word)).FunctionName}/configuration`
      await call('lambda', { method: 'PUT', path, body: JSON.stringify(change), headers: json })
    },
    async log(word) {
      const { logGroups } = await logs<{ logGroups: { logGroupName: string }[] }>('DescribeLogGroups', {})
      const logGroupName = logGroups.find((group) => group.logGroupName.includes(word))?.logGroupName
      const lines: string[] = []
      for (let nextToken: string | undefined; ; ) {
        const page = await logs<{ events: { message: string }[]; nextToken?: string }>('FilterLogEvents', {
          logGroupName,
          nextToken,
        })
        lines.push(...page.events.map(({ message }) => message))
        if (page.nextToken === undefined) return lines
        nextToken = page.nextToken
      }
    },
  }
}
