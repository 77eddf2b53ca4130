import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DisableKeyCommand, EnableKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import type { SQSBatchResponse } from 'aws-lambda'
import { metrics } from '../../shared/app/environment.ts'
import { artifact } from '../support/api.ts'
import { tufClient } from '../support/client.ts'
import {
  type Fault,
  type FaultProxy,
  jsonFault,
  type ProxiedRequest,
  s3Fault,
  startFaultProxy,
} from '../support/fault-proxy.ts'
import { clientConfig } from './clients.ts'
import { type Deployment, deploy } from './deployment.ts'
import { type Functions, startFunctions } from './function-harness.ts'
import { type Ministack, startMinistack } from './ministack.ts'

const toKms = ({ headers }: ProxiedRequest) => String(headers['x-amz-target'] ?? '').startsWith('TrentService')
const toS3 = (request: ProxiedRequest) => !toKms(request)
const isPut = ({ method }: ProxiedRequest) => method === 'PUT'
const always = Number.POSITIVE_INFINITY

describe('the functions, when AWS is in trouble', () => {
  const cleanup = new AsyncDisposableStack()
  let ministack: Ministack
  let proxy: FaultProxy
  let deployment: Deployment
  let functions: Functions

  before(async () => {
    ministack = cleanup.use(await startMinistack())
    proxy = cleanup.use(await startFaultProxy(ministack.endpoint))
    deployment = await deploy(ministack, proxy.endpoint)
    functions = cleanup.use(await startFunctions(deployment))
    await functions.found(16)
  })
  after(() => cleanup.disposeAsync())

  /**
   * A task is accepted, publishing it fails and is logged once with this code; when the trouble is over, it is
   * published.
   */
  async function survives(code: string, begin: () => Promise<AsyncDisposable>): Promise<void> {
    const task = await functions.accepted('POST /artifacts', { artifacts: [artifact(`during-${code}`)] })
    const rings = await deployment.rings(5)
    const before = functions.publish.lines().length
    {
      await using _ = await begin()
      const failed = rings.Records.map(({ messageId }) => ({ itemIdentifier: messageId }))
      assert.deepEqual(await functions.publish.invoke(rings), { batchItemFailures: failed })
    }
    const lines = functions.publish.lines().slice(before)
    const errors = lines.filter(({ level }) => level === 'ERROR')
    assert.equal(errors.length, 1, JSON.stringify(errors))
    const { err, tasks } = errors[0] as { err?: { code?: string }; tasks?: string[] }
    assert.equal(err?.code, code)
    assert.deepEqual(tasks, [task])
    assert.ok(lines.some((line) => line[metrics.failedRuns] === 1))
    assert.equal(await functions.stateOf(task), 'PENDING')
    assert.deepEqual(await functions.publish.invoke(rings), { batchItemFailures: [] })
    assert.equal(await functions.stateOf(task), 'SUCCESS')
  }

  const injected = (matches: (request: ProxiedRequest) => boolean, fault: Fault) => async () => {
    const rule = proxy.inject(matches, fault, always)
    return { [Symbol.asyncDispose]: async () => rule[Symbol.dispose]() }
  }

  it('survive KMS throttling', () => survives('unavailable', injected(toKms, jsonFault(400, 'ThrottlingException'))))

  it('survive S3 refusing writes with 503', () => survives('unavailable', injected(isPut, s3Fault(503, 'SlowDown'))))

  it('survive S3 out of order', () => survives('unavailable', injected(toS3, s3Fault(500, 'InternalError'))))

  it('survive a bucket that they may not write to', () =>
    survives('read-only', injected(isPut, s3Fault(403, 'AccessDenied'))))

  it('survive the disabling of their key', () =>
    survives('unusable', async () => {
      const kms = new KMSClient(clientConfig(ministack))
      const [KeyId] = deployment.keyIds
      await kms.send(new DisableKeyCommand({ KeyId }))
      return { [Symbol.asyncDispose]: async () => void (await kms.send(new EnableKeyCommand({ KeyId }))) }
    }))

  it('find a key again that was disabled when they began', async () => {
    const kms = new KMSClient(clientConfig(ministack))
    const [KeyId] = deployment.keyIds
    const task = await functions.accepted('POST /artifacts', { artifacts: [artifact('enabled-later')] })
    const rings = await deployment.rings(5)
    await kms.send(new DisableKeyCommand({ KeyId }))
    // Its public key as well, which ministack goes on to show.
    const hidden = proxy.inject(({ body }) => body.includes(KeyId ?? ''), jsonFault(400, 'DisabledException'), always)
    await using cold = await startFunctions(deployment)
    assert.equal(((await cold.publish.invoke(rings)) as SQSBatchResponse).batchItemFailures.length, 1)
    const errors = cold.publish.lines().filter(({ level }) => level === 'ERROR')
    const codes = errors.map(({ message, err }) => [message, (err as { code?: string }).code])
    assert.deepEqual(codes, [
      ['an online key cannot be used', 'unusable'],
      ['a run failed; what was accepted waits for the next one', 'key-not-held'],
    ])
    await kms.send(new EnableKeyCommand({ KeyId }))
    hidden[Symbol.dispose]()
    assert.deepEqual(await cold.publish.invoke(rings), { batchItemFailures: [] })
    assert.equal(await functions.stateOf(task), 'SUCCESS')
  })

  it('take requests while KMS is down, and refuse them with 503 while S3 is', async () => {
    const body = { artifacts: [artifact('accepted')] }
    const kms = proxy.inject(toKms, jsonFault(500, 'KMSInternalException'), always)
    const task = await functions.accepted('POST /artifacts', body)
    kms[Symbol.dispose]()
    const s3 = proxy.inject(toS3, s3Fault(500, 'InternalError'), always)
    const refused = await functions.call('POST /artifacts', { body })
    assert.equal(refused.status, 503)
    assert.equal(refused.body.detail.code, 'unavailable')
    s3[Symbol.dispose]()
    await functions.hear()
    assert.equal(await functions.stateOf(task), 'SUCCESS')
  })

  it('lose nothing when every kind of fault happens all the time', async () => {
    const random = sequence(1)
    const sometimes = (matches: (request: ProxiedRequest) => boolean) => (request: ProxiedRequest) =>
      matches(request) && random() < 0.06
    const faults: [matches: (request: ProxiedRequest) => boolean, fault: Fault][] = [
      [isPut, s3Fault(409, 'ConditionalRequestConflict')],
      [toS3, s3Fault(500, 'InternalError')],
      [isPut, { kind: 'lose the answer' }],
      [toS3, { kind: 'cut the answer' }],
      [toKms, jsonFault(500, 'KMSInternalException')],
      [toKms, { kind: 'lose the answer' }],
    ]
    const rules = faults.map(([matches, fault]) => proxy.inject(sometimes(matches), fault, always))
    const paths = Array.from({ length: 30 }, (_, index) => `in-trouble/${index}`)
    for (const path of paths) {
      const sent = { body: { artifacts: [artifact(path)] }, headers: { 'idempotency-key': path } }
      while ((await functions.call('POST /artifacts', sent)).status !== 202);
    }
    for (let rings = await deployment.rings(5); rings.Records.length > 0; rings = await deployment.rings(2)) {
      await functions.publish.invoke(rings)
    }
    for (const rule of rules) rule[Symbol.dispose]()
    await functions.refresh.invoke({})
    const client = tufClient(functions.fetchMetadata, () => new Date())
    await client.refresh()
    const found = [...(await client.everything()).keys()].filter((path) => path.startsWith('in-trouble/'))
    assert.deepEqual(found.sort(), paths.sort())
  })
})

/** Numbers from 0 to 1 that are the same each time (a linear congruential generator). */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}
