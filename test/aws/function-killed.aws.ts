import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { SQSEvent } from 'aws-lambda'
import { bundle, bundleDirectory } from '../../infra/bundle.ts'
import { metrics, variables } from '../../shared/app/environment.ts'
import { artifact } from '../support/api.ts'
import { tufClient } from '../support/client.ts'
import type { FaultProxy, ProxiedRequest } from '../support/fault-proxy.ts'
import { sqsRecord } from '../support/sqs.ts'
import { clientConfig } from './clients.ts'
import type { Deployment } from './deployment.ts'
import { type Functions, startBehindProxy } from './function-harness.ts'
import { type FunctionProcess, startFunction } from './function-process.ts'

/**
 * Lambda ends the process of a function that is out of time or out of memory. Here its host is killed, from its bundle in a
 * process of its own, for the emulator kills none in the middle of what a test chooses.
 */
describe('a publisher that is killed', () => {
  const cleanup = new AsyncDisposableStack()
  let proxy: FaultProxy
  let deployment: Deployment
  let functions: Functions
  let s3: S3Client
  let publishDirectory: string

  before(async () => {
    const behind = await startBehindProxy(cleanup)
    ;({ proxy, deployment, functions } = behind)
    s3 = new S3Client({ ...clientConfig(behind.ministack), forcePathStyle: true })
    publishDirectory = (await bundle(await bundleDirectory())).publish.directory
    await functions.found(16)
  })
  after(() => cleanup.disposeAsync())

  const newPublisher = () => startFunction(publishDirectory, deployment.environment)

  /** A minute passes: nobody renews the lease of a publisher that is dead. */
  async function leaseEnds(): Promise<void> {
    const place = { Bucket: deployment.environment[variables.stateBucket], Key: 'lease.json' }
    const { Body } = await s3.send(new GetObjectCommand(place))
    const lease = JSON.parse((await Body?.transformToString()) ?? '')
    const ended = JSON.stringify({ ...lease, until: new Date(0).toISOString() })
    await s3.send(new PutObjectCommand({ ...place, Body: ended }))
  }

  /** Has it publish until it has made such a request, which takes effect, and kills it then. False if it ended without. */
  async function killedAt(
    publisher: FunctionProcess,
    rings: SQSEvent,
    isIt: (request: ProxiedRequest) => boolean,
  ): Promise<boolean> {
    let met = false
    const matches = (request: ProxiedRequest) => {
      const now = !met && isIt(request)
      met ||= now
      return now
    }
    using _ = proxy.inject(matches, { kind: 'fall silent' })
    const run = publisher.invoke(rings).then(
      () => 'ended',
      (error: unknown) => String(error),
    )
    while (!met && (await Promise.race([run, setTimeout(5, 'goes on')])) === 'goes on');
    if (!met) return false
    // What was asked for takes effect before the process ends.
    await setTimeout(30)
    await publisher[Symbol.asyncDispose]()
    assert.match(await run, /SIGKILL/)
    return true
  }

  async function timesInJournal(task: string): Promise<number> {
    const { body } = await functions.call('GET /commits?limit=100')
    const commits = body.data.commits as { tasks: { task_id: string }[] }[]
    return commits.flatMap(({ tasks }) => tasks).filter(({ task_id }) => task_id === task).length
  }

  const put = (part: RegExp) => (request: ProxiedRequest) => request.method === 'PUT' && part.test(request.url)
  const points: Readonly<Record<string, (request: ProxiedRequest) => boolean>> = {
    'took the lease': put(/\/lease\.json/),
    'claimed its number in the journal': put(/\/commits\//),
    'signed once': ({ headers }) => headers['x-amz-target'] === 'TrentService.Sign',
    'wrote a bin': put(/\/metadata\/\d+\.bins-/),
    'wrote the snapshot': put(/\.snapshot\.json/),
    'replaced the timestamp': put(/\/timestamp\.json/),
    'wrote how the task ended': put(/\/tasks\//),
    'took the task out of the inbox': ({ method, url }) => method === 'DELETE' && url.includes('/inbox/'),
  }
  for (const [what, isIt] of Object.entries(points)) {
    it(`after it ${what}: the next one finishes, once`, async () => {
      const path = `killed/${what.replaceAll(' ', '-')}`
      const task = await functions.accepted('POST /artifacts', { artifacts: [artifact(path)] })
      const rings = await deployment.rings(5)
      assert.ok(await killedAt(await newPublisher(), rings, isIt), 'it never came to that')
      const client = tufClient(functions.fetchMetadata, () => new Date())
      await client.refresh()

      // The message comes back, for nobody took it off the queue. While the lease lasts nothing is done twice.
      assert.deepEqual(await functions.publish.invoke(rings), { batchItemFailures: [] })
      await leaseEnds()
      assert.deepEqual(await functions.publish.invoke(rings), { batchItemFailures: [] })
      await functions.refresh.invoke({})
      assert.equal(await functions.stateOf(task), 'SUCCESS')
      assert.equal(await timesInJournal(task), 1)
      await client.refresh()
      assert.ok(await client.find(path))
    })
  }

  it('by the same task each time: the task ends as FAILURE and in the dead letters, and all others pass', async () => {
    const accept = (path: string) => functions.accepted('POST /artifacts', { artifacts: [artifact(path)] })
    const others = [await accept('beside/1')]
    const poison = await accept('poison')
    for (const number of [2, 3, 4]) others.push(await accept(`beside/${number}`))
    await deployment.rings(5)
    const rings = { Records: [sqsRecord('1', poison)] }
    // Whoever has done what this task asks for dies when it claims a number.
    const dies = (request: ProxiedRequest) => {
      if (!put(/\/commits\//)(request)) return false
      const { tasks } = JSON.parse(request.body.toString()) as { tasks: { id: string; state: string }[] }
      return tasks.some(({ id, state }) => id === poison && state !== 'FAILURE')
    }
    let deaths = 0
    await using last = new AsyncDisposableStack()
    for (let runs = 0; (await functions.stateOf(poison)) === 'PENDING'; runs++) {
      assert.ok(runs < 12, 'it kills without end')
      const publisher = last.use(await newPublisher())
      if (await killedAt(publisher, rings, dies)) deaths++
      else assert.ok(publisher.lines().some((line) => [line[metrics.failedTasks]].flat().includes(1)))
      await leaseEnds()
    }
    await functions.refresh.invoke({})
    assert.equal(await functions.stateOf(poison), 'FAILURE')
    assert.ok(deaths >= 3, `${deaths} deaths`)
    assert.deepEqual(await deployment.deadLetters(), [poison])
    for (const task of others) assert.equal(await functions.stateOf(task), 'SUCCESS')
  })
})
