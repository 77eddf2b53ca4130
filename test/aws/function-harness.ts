import assert from 'node:assert/strict'
import type { SQSBatchResponse } from 'aws-lambda'
import { bundle, bundleDirectory } from '../../infra/bundle.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import { apiEvent, bootstrapBody, type Sent } from '../support/api.ts'
import type { Fetch } from '../support/client.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { makeKey } from '../support/keys.ts'
import { type Deployment, deploy } from './deployment.ts'
import { type FunctionProcess, startFunction } from './function-process.ts'
import { type Ministack, startMinistack } from './ministack.ts'

/** The three functions over a deployment, each from its bundle and in a process of its own. */
export interface Functions extends AsyncDisposable {
  readonly api: FunctionProcess
  readonly publish: FunctionProcess
  readonly refresh: FunctionProcess
  /** A request as API Gateway hands it on, of a caller with AWS credentials unless told otherwise. */
  call(request: string, sent?: Sent, authorizer?: object): Promise<Called>
  /** Posts it, and returns the id of the accepted task. */
  accepted(request: string, body: unknown): Promise<string>
  /** Lets the publisher hear all that rings now; waits for the first. */
  hear(): Promise<SQSBatchResponse>
  stateOf(taskId: string): Promise<string>
  /** Asks for a repository with so many bins, on the first online key; returns the id of the task. */
  askToFound(bins: number): Promise<string>
  /** The same, done. */
  found(bins: number): Promise<void>
  /** Reads metadata as clients do. */
  readonly fetchMetadata: Fetch
}

export interface Called {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect to find in it.
  readonly body: any
}

const iam = { iam: { userArn: 'arn:aws:iam::000000000000:role/build', accountId: '000000000000' } }

export async function startFunctions(deployment: Deployment): Promise<Functions> {
  await using cleanup = new AsyncDisposableStack()
  const bundles = await bundle(await bundleDirectory())
  const start = async (name: keyof typeof bundles) =>
    cleanup.use(await startFunction(bundles[name].directory, deployment.environment))
  const [api, publish, refresh] = [await start('api'), await start('publish'), await start('refresh')]

  async function call(request: string, sent?: Sent, authorizer: object = iam): Promise<Called> {
    const event = apiEvent(request, sent)
    const answer = await api.invoke({ ...event, requestContext: { ...event.requestContext, authorizer } })
    const { statusCode, body } = answer as { statusCode: number; body: string }
    return { status: statusCode, body: JSON.parse(body) }
  }
  async function accepted(request: string, body: unknown): Promise<string> {
    const answer = await call(request, { body })
    assert.equal(answer.status, 202, JSON.stringify(answer.body))
    return answer.body.data.task_id
  }
  const hear = async () => (await publish.invoke(await deployment.rings(5))) as SQSBatchResponse
  async function askToFound(number_of_delegated_bins: number): Promise<string> {
    const { body } = await call('GET /keys')
    const [[keyid, key] = []] = Object.entries<Key>(body.data.keys)
    assert.ok(keyid && key, JSON.stringify(body))
    const request = bootstrapBody({ rootKeys: [makeKey(), makeKey()], online: [{ keyid, key }] })
    const { roles } = request.settings
    const bins = { ...roles.bins, number_of_delegated_bins }
    return accepted('POST /bootstrap', { ...request, settings: { roles: { ...roles, bins } } })
  }
  const stateOf = async (taskId: string) => (await call(`GET /task?task_id=${taskId}`)).body.data.state

  const kept = cleanup.move()
  return {
    ...{ api, publish, refresh, call, accepted, askToFound, hear, stateOf },
    async found(bins) {
      const task = await askToFound(bins)
      assert.deepEqual(await hear(), { batchItemFailures: [] })
      assert.equal(await stateOf(task), 'SUCCESS')
    },
    async fetchMetadata(file) {
      const answer = await fetch(`${deployment.metadataUrl}/${file}`)
      return answer.ok ? Buffer.from(await answer.arrayBuffer()) : undefined
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

export interface FunctionsBehindProxy {
  readonly ministack: Ministack
  /** Sees, and may disturb, what the functions ask of S3 and KMS. */
  readonly proxy: FaultProxy
  readonly deployment: Deployment
  readonly functions: Functions
}

/** The functions over an emulator of their own, with a proxy in between; `cleanup` ends all of them. */
export async function startBehindProxy(cleanup: AsyncDisposableStack): Promise<FunctionsBehindProxy> {
  const ministack = cleanup.use(await startMinistack())
  const proxy = cleanup.use(await startFaultProxy(ministack.endpoint))
  const deployment = await deploy(ministack, proxy.endpoint)
  return { ministack, proxy, deployment, functions: cleanup.use(await startFunctions(deployment)) }
}
