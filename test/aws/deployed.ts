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
import { type Services, servicesOf } from './services.ts'
import type { Credentials } from './sigv4.ts'
import { type Outputs, type Settings, stackOn } from './stack.ts'

/** Its signature is never checked, and it may do anything: the hand of the test itself. */
export const administrator: Credentials = { accessKeyId: 'test', secretAccessKey: 'test' }

/** The whole stack on a strict emulator, and what a test needs to act on it. */
export interface Deployed extends AsyncDisposable, Services {
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

  const config = clientConfig(ministack)
  const kept = cleanup.move()
  return {
    ...servicesOf(ministack, administrator),
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
    async tuffet(...args) {
      const main = join(import.meta.dirname, '../../cli/main.ts')
      await mkdir(join(directory, 'home'), { recursive: true })
      const running = promisify(execFile)(process.execPath, [main, '--api', front.url, ...args], {
        cwd: directory,
        maxBuffer: Number.POSITIVE_INFINITY,
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
