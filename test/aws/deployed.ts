import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { promisify } from 'node:util'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { clientConfig } from './clients.ts'
import { workDirectory } from './emulator.ts'
import { type Addresses, addressesOf, startFront } from './front.ts'
import { type Ministack, startMinistack } from './ministack.ts'
import { type Credentials, signatureHeaders } from './sigv4.ts'
import { type Outputs, type Settings, stackOn } from './stack.ts'

/** Its signature is never checked, and it may do anything: the hand of the test itself. */
export const administrator: Credentials = { accessKeyId: 'test', secretAccessKey: 'test' }

/** The whole stack on a strict emulator, and what a test needs to act on it. */
export interface Deployed extends AsyncDisposable {
  readonly ministack: Ministack
  readonly outputs: Outputs
  readonly addresses: Addresses
  /** Looks like the embedded service: `/api/v1` signed by an administrator, `/metadata/` and `/artifacts/` by the distribution. */
  readonly url: string
  /** A directory of the test's own. */
  readonly directory: string
  readonly assembly: string
  readonly s3: S3Client
  readonly sqs: SQSClient
  deploy(settings?: Settings): Promise<void>
  destroy(settings?: Settings): Promise<void>
  synthesize(settings?: Settings): Promise<void>
  /** Calls a service of AWS by its query protocol; returns XML. */
  query(service: string, parameters: Readonly<Record<string, string>>): Promise<string>
  /** Invokes the function whose name holds a word, and waits; returns its answer, or throws what it threw. */
  invoke(word: string): Promise<unknown>
  /** Runs the command line as users do, in `directory`; returns what it prints. */
  tuffet(...args: readonly string[]): Promise<string>
}

export async function startDeployed(settings: Settings = {}): Promise<Deployed> {
  await using cleanup = new AsyncDisposableStack()
  const directory = cleanup.use(await workDirectory()).path
  // One process for each concurrent invocation, of 100 MiB each.
  const ministack = cleanup.use(
    await startMinistack({ strict: true, environment: { LAMBDA_ACCOUNT_CONCURRENCY: '12' } }),
  )
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(ministack.authority ?? '', 'utf8')])
  const stack = stackOn(ministack, directory)
  await stack.bootstrap()
  let outputs = await stack.deploy(settings)
  const front = cleanup.use(await startFront(() => addressesOf(ministack, outputs), administrator))

  async function call(service: string, path: string, body: string, headers: Record<string, string>): Promise<string> {
    const url = new URL(path, ministack.endpoint)
    const unsigned = { method: 'POST', url, body: Buffer.from(body) }
    const { host: _, ...signed } = signatureHeaders(unsigned, administrator, service)
    const answer = await fetch(url, { method: 'POST', body, headers: { ...headers, ...signed } })
    const text = await answer.text()
    if (!answer.ok || answer.headers.has('x-amz-function-error')) throw new Error(`${service} ${path}: ${text}`)
    return text
  }

  async function functionNamed(word: string): Promise<string> {
    const url = new URL('/2015-03-31/functions/', ministack.endpoint)
    const { host: _, ...signed } = signatureHeaders({ method: 'GET', url, body: Buffer.of() }, administrator, 'lambda')
    const { Functions } = (await (await fetch(url, { headers: signed })).json()) as {
      Functions: { FunctionName: string }[]
    }
    const found = Functions.find(({ FunctionName }) => FunctionName.includes(word))
    if (found === undefined) throw new Error(`There is no function ${word}.`)
    return found.FunctionName
  }

  const config = clientConfig(ministack)
  const kept = cleanup.move()
  return {
    ministack,
    directory,
    assembly: stack.assembly,
    url: front.url,
    get outputs() {
      return outputs
    },
    get addresses() {
      return addressesOf(ministack, outputs)
    },
    s3: new S3Client({ ...config, forcePathStyle: true }),
    sqs: new SQSClient(config),
    async deploy(changed = settings) {
      outputs = await stack.deploy(changed)
    },
    destroy: (changed = settings) => stack.destroy(changed),
    synthesize: (changed) => stack.synthesize(changed),
    query: (service, parameters) => {
      const body = new URLSearchParams(parameters).toString()
      return call(service, '/', body, { 'content-type': 'application/x-www-form-urlencoded' })
    },
    async invoke(word) {
      const path = `/2015-03-31/functions/${await functionNamed(word)}/invocations`
      return JSON.parse((await call('lambda', path, '{}', { 'content-type': 'application/json' })) || 'null')
    },
    async tuffet(...args) {
      const main = join(import.meta.dirname, '../../cli/main.ts')
      await mkdir(join(directory, 'home'), { recursive: true })
      const running = promisify(execFile)(process.execPath, [main, '--api', front.url, ...args], {
        cwd: directory,
        // An import goes to the emulator's own address.
        env: { ...process.env, HOME: join(directory, 'home'), NODE_EXTRA_CA_CERTS: ministack.authority ?? '' },
      })
      // For `--password-fd 0`.
      running.child.stdin?.end('correct horse\n'.repeat(4))
      return (await running).stdout
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
