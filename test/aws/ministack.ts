import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { type Certificates, makeCertificates } from './certificates.ts'
import { cache, type Emulator, freePort, start, workDirectory } from './emulator.ts'
import { nodeOfLambda } from './function-memory.ts'

export interface MinistackOptions {
  /**
   * TLS, SigV4 and IAM are enforced: policies of roles, buckets and keys bite. Without it any request is allowed, over
   * plain HTTP, which proves nothing about permissions.
   */
  readonly strict?: boolean
  /** More variables for ministack itself; its functions see them too. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface Ministack extends Emulator {
  /** In strict mode: the file of the authority to trust. A process started with `environment` does already. */
  readonly authority?: string
}

/** The access key that is root there and whose signature is never checked, not even in strict mode. */
const root = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1' }

/**
 * Starts AWS, empty, on a free port: in about a second. Functions deployed to it run on the Node that runs the test,
 * with the heap that Lambda would give them, and see no variable of the test's own environment.
 */
export async function startMinistack({ strict = false, environment = {} }: MinistackOptions = {}): Promise<Ministack> {
  await using cleanup = new AsyncDisposableStack()
  const directory = cleanup.use(await workDirectory())
  const certificates = strict ? await makeCertificates(directory.path) : undefined
  const port = await freePort()
  const endpoint = `${strict ? 'https' : 'http'}://127.0.0.1:${port}`
  const log = join(directory.path, 'ministack.log')
  const process = await start({
    program: join(cache, 'venv/bin/ministack'),
    args: [],
    environment: {
      ...root,
      HOME: directory.path,
      PATH: `${await nodeOfLambda(directory.path)}:/usr/bin:/bin`,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      MINISTACK_HOST: '127.0.0.1',
      IOT_MTLS_ENABLED: '0',
      NODE_NO_WARNINGS: '1',
      ...(certificates && enforcement(certificates)),
      ...environment,
    },
    ready: () => healthy(endpoint, certificates?.authority),
    log,
  })
  cleanup.use(process)
  const kept = cleanup.move()
  const trust = certificates && {
    NODE_EXTRA_CA_CERTS: certificates.authority,
    AWS_CA_BUNDLE: certificates.authority,
  }
  return {
    endpoint,
    environment: { ...root, AWS_ENDPOINT_URL: endpoint, ...trust },
    ...(certificates && { authority: certificates.authority }),
    log: () => readFileSync(log, 'utf8'),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

const enforcement = ({ authority, certificate, key }: Certificates) => ({
  AUTH: 'true',
  USE_SSL: '1',
  MINISTACK_SSL_CERT: certificate,
  MINISTACK_SSL_KEY: key,
  // Its functions inherit this one.
  NODE_EXTRA_CA_CERTS: authority,
})

function healthy(endpoint: string, authority: string | undefined): Promise<boolean> {
  const request = authority === undefined ? httpRequest : httpsRequest
  const ca = authority === undefined ? {} : { ca: readFileSync(authority) }
  return new Promise((resolve, reject) => {
    request(`${endpoint}/_ministack/health`, { ...ca, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
      .on('error', reject)
      .end()
  })
}
