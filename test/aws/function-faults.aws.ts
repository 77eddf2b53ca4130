import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CreateKeyCommand, DisableKeyCommand, EnableKeyCommand, type KeySpec, KMSClient } from '@aws-sdk/client-kms'
import type { SQSBatchResponse } from 'aws-lambda'
import { metrics, variables } from '../../shared/app/environment.ts'
import { apiEvent, artifact } from '../support/api.ts'
import { tufClient } from '../support/client.ts'
import { type Fault, type FaultProxy, jsonFault, type ProxiedRequest, s3Fault } from '../support/fault-proxy.ts'
import { clientConfig } from './clients.ts'
import type { Deployment } from './deployment.ts'
import { type Functions, startBehindProxy, startFunctions } from './function-harness.ts'
import type { Ministack } from './ministack.ts'

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
    ;({ ministack, proxy, deployment, functions } = await startBehindProxy(cleanup))
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

  it('go on trying for a minute of throttling, and publish once when it is over', async () => {
    await functions.refresh.invoke({})
    const task = await functions.accepted('POST /artifacts', { artifacts: [artifact('after-a-minute')] })
    const rings = await deployment.rings(5)
    const failed = rings.Records.map(({ messageId }) => ({ itemIdentifier: messageId }))
    using rule = proxy.inject(toKms, jsonFault(400, 'ThrottlingException'), always)
    // What comes in a minute: the schedule once, and the bell each time that its message is visible again.
    for (const one of [functions.publish, functions.refresh, functions.publish]) {
      const before = one.lines().length
      const answer = await one.invoke(one === functions.publish ? rings : {})
      if (one === functions.publish) assert.deepEqual(answer, { batchItemFailures: failed })
      const lines = one.lines().slice(before)
      const errors = lines.filter(({ level }) => level === 'ERROR')
      assert.deepEqual(
        errors.map(({ err }) => (err as { code?: string }).code),
        ['unavailable'],
      )
      assert.ok(lines.some((line) => line[metrics.failedRuns] === 1))
      assert.equal(await functions.stateOf(task), 'PENDING')
    }
    // Measuring needs no key.
    assert.ok(functions.refresh.lines().some((line) => Number(line[metrics.oldestTask]) > 0))
    rule[Symbol.dispose]()
    await functions.refresh.invoke({})
    assert.equal(await functions.stateOf(task), 'SUCCESS')
    assert.deepEqual(await functions.publish.invoke(rings), { batchItemFailures: [] })
    const { body } = await functions.call('GET /commits?limit=100')
    const commits = body.data.commits as { tasks: { task_id: string }[] }[]
    const times = commits.flatMap(({ tasks }) => tasks).filter(({ task_id }) => task_id === task)
    assert.equal(times.length, 1)
  })

  it('survive S3 refusing writes with 503', () => survives('unavailable', injected(isPut, s3Fault(503, 'SlowDown'))))

  it('survive S3 out of order', () => survives('unavailable', injected(toS3, s3Fault(500, 'InternalError'))))

  it('survive a bucket that they may not write to', () =>
    survives('read-only', injected(isPut, s3Fault(403, 'AccessDenied'))))

  it('survive a bucket that they may not even read', () =>
    survives('unavailable', injected(toS3, s3Fault(403, 'AccessDenied'))))

  it('survive a bucket that is gone', () => survives('unavailable', injected(toS3, s3Fault(404, 'NoSuchBucket'))))

  const otherKeys: readonly (readonly [what: string, keys: () => Promise<string[]>, codes: string[]])[] = [
    ['keys that are not there', async () => [missing, missing], ['unusable', 'unusable', 'unusable']],
    [
      'one key of another type than the root trusts, and one that signs no metadata',
      async () => [await newKey('RSA_3072'), await newKey('ECC_NIST_P384')],
      ['unusable', 'key-not-held'],
    ],
    ['another key of the type that the root trusts', async () => [await newKey('ECC_NIST_P256')], ['key-not-held']],
  ]
  const missing = '11111111-2222-3333-4444-555555555555'
  async function newKey(KeySpec: KeySpec): Promise<string> {
    const kms = new KMSClient(clientConfig(ministack))
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }))
    return KeyMetadata?.KeyId ?? assert.fail()
  }
  for (const [what, keys, codes] of otherKeys) {
    it(`publish nothing with ${what}, say so once, and lose nothing`, async () => {
      const task = await functions.accepted('POST /artifacts', { artifacts: [artifact(codes.join('/'))] })
      const rings = await deployment.rings(5)
      const environment = { ...deployment.environment, [variables.onlineKeys]: (await keys()).join(',') }
      await using others = await startFunctions({ ...deployment, environment })
      assert.equal(((await others.publish.invoke(rings)) as SQSBatchResponse).batchItemFailures.length, 1)
      const errors = others.publish.lines().filter(({ level }) => level === 'ERROR')
      assert.deepEqual(
        errors.map(({ err }) => (err as { code?: string }).code),
        codes,
      )
      assert.deepEqual(errors.at(-1)?.['tasks'], [task])
      assert.ok(others.publish.lines().some((line) => line[metrics.failedRuns] === 1))
      assert.equal(await functions.stateOf(task), 'PENDING')
      assert.deepEqual(await functions.publish.invoke(rings), { batchItemFailures: [] })
      assert.equal(await functions.stateOf(task), 'SUCCESS')
    })
  }

  it('refuse a body that is not JSON as the fault of who sent it: no alarm, one line', async () => {
    for (const [body, isBase64Encoded] of [
      ['{"artifacts": [', false],
      ['not JSON', false],
      [Buffer.from([0xff, 0xfe, 0x00]).toString('base64'), true],
    ] as const) {
      const before = functions.api.lines().length
      const event = apiEvent('POST /artifacts', { body: {} })
      const authorizer = { iam: { userArn: 'arn:aws:iam::000000000000:role/build' } }
      const requestContext = { ...event.requestContext, authorizer }
      const answer = await functions.api.invoke({ ...event, body, isBase64Encoded, requestContext })
      const { statusCode, body: said } = answer as { statusCode: number; body: string }
      assert.equal(statusCode, 422, said)
      assert.deepEqual(Object.keys(JSON.parse(said).detail[0]).slice(0, 3), ['type', 'loc', 'msg'])
      const lines = functions.api.lines().slice(before)
      assert.deepEqual(
        lines.map(({ level, message }) => [level, message]),
        [['INFO', 'request']],
      )
    }
    assert.deepEqual((await deployment.rings(0)).Records, [])
  })

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
