import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { onePublish as reckoned } from '../../bench/cost.ts'
import { variables } from '../../shared/app/environment.ts'
import { defaultLimits } from '../../shared/repository/repository.ts'
import { binOf, hashBins } from '../../shared/tuf/bins.ts'
import { artifact } from '../support/api.ts'
import { type FaultProxy, type ProxiedRequest, startFaultProxy } from '../support/fault-proxy.ts'
import { type Deployment, deploy } from './deployment.ts'
import { type Functions, startFunctions } from './function-harness.ts'
import type { FunctionProcess } from './function-process.ts'
import { type Ministack, startMinistack } from './ministack.ts'
import { type Requests, requestsDuring } from './requests.ts'

/**
 * Requests of the functions from their bundles, counted by a proxy between them and the emulator. No function receives or deletes a
 * message: Lambda's event source does, one receipt and one deletion for up to ten messages, and asks an idle queue, too. `bench/cost.ts` has
 * these at one message each, and the asking.
 */
describe('what the functions ask of AWS', () => {
  const cleanup = new AsyncDisposableStack()
  let ministack: Ministack
  let proxy: FaultProxy

  before(async () => {
    ministack = cleanup.use(await startMinistack())
    proxy = cleanup.use(await startFaultProxy(ministack.endpoint))
  })
  after(() => cleanup.disposeAsync())

  async function deployed(): Promise<Deployment> {
    const deployment = await deploy(ministack, proxy.endpoint)
    // SQS clients go where the URL of the queue says.
    const counted = (name: string) => {
      const url = new URL(deployment.environment[name] ?? '')
      return { [name]: new URL(url.pathname, proxy.endpoint).href }
    }
    const queues = {
      ...counted(variables.queue),
      ...counted(variables.deadLetters),
      AWS_ENDPOINT_URL_SQS: proxy.endpoint,
    }
    return { ...deployment, environment: { ...deployment.environment, ...queues } }
  }
  const during = (work: () => Promise<unknown>) => requestsDuring(proxy, work)

  describe('over 256 bins', () => {
    let deployment: Deployment
    let functions: Functions
    const artifacts = (paths: readonly string[]) => ({ artifacts: paths.map((path) => artifact(path)) })
    const accept = (...paths: string[]) => functions.accepted('POST /artifacts', artifacts(paths))
    /** What the publisher asks for when it hears the bell: the event source takes the one message off the queue. */
    async function publishing(publisher: FunctionProcess): Promise<Requests> {
      const rings = await deployment.rings(5)
      assert.equal(rings.Records.length, 1)
      return during(async () => assert.deepEqual(await publisher.invoke(rings), { batchItemFailures: [] }))
    }

    before(async () => {
      deployment = await deployed()
      functions = cleanup.use(await startFunctions(deployment))
      await functions.found(256)
      await accept('warm')
      await functions.hear()
    })

    it('one artifact: taken in', async () => {
      assert.deepEqual(await during(() => accept('first')), takenIn)
    })

    it('one artifact: published by a publisher that is warm', async () => {
      assert.deepEqual(await publishing(functions.publish), onePublished)
    })

    it('one artifact: as bench/cost.ts reckons', () => {
      const names = new Set([...Object.keys(takenIn), ...Object.keys(onePublished)])
      const counts: Requests[] = [takenIn, onePublished]
      const sum = (name: string) => counts.reduce((total, count) => total + (count[name] ?? 0), 0)
      assert.deepEqual(Object.fromEntries([...names].map((name) => [name, sum(name)])), reckoned)
    })

    it('one artifact: taken in by an API that has just started', async () => {
      const cold = cleanup.use(await startFunctions(deployment))
      const taken = await during(() => cold.accepted('POST /artifacts', artifacts(['second'])))
      // The timestamp, for it tells whether the repository is founded.
      assert.deepEqual(taken, { ...takenIn, 'S3 get': 1 })
    })

    it('one artifact: published by a publisher that has just started', async () => {
      const cold = cleanup.use(await startFunctions(deployment))
      assert.deepEqual(await publishing(cold.publish), {
        ...onePublished,
        'KMS GetPublicKey': 2,
        'S3 get': onePublished['S3 get'] + 8,
      })
    })

    it('1,000 artifacts in one request: a put and a signature for each bin, and one commit', async () => {
      const paths = Array.from({ length: 1_000 }, (_, index) => `many/${index}`)
      const bins = new Set(paths.map((path) => binOf(hashBins('succinct_roles', 256), path))).size
      assert.deepEqual(await during(() => accept(...paths)), takenIn)
      assert.deepEqual(await publishing(functions.publish), {
        ...onePublished,
        // Another publisher committed before: the lease, entry, root, settings, snapshot, targets, and the bin that it changed.
        'S3 get': onePublished['S3 get'] + 7,
        'S3 put': onePublished['S3 put'] - 1 + bins,
        'KMS Sign': onePublished['KMS Sign'] - 1 + bins,
      })
    })

    it('20 requests of one artifact each, published in one commit: the inbox is emptied by a few requests', async () => {
      for (let at = 0; at < 20; at++) await accept(`each/${at}`)
      const rings = await deployment.rings(5)
      const { 'S3 delete': alone = 0, 'S3 delete of many': shared = 0 } = await during(() =>
        functions.publish.invoke(rings),
      )
      // They come while another is under way; how many at once is not ours to say.
      assert.ok(alone >= 1 && shared >= 1 && alone + shared <= 7, `${alone} alone, ${shared} of many`)
    })

    it('a refresh of nothing: what every minute costs', async () => {
      await functions.refresh.invoke({})
      assert.deepEqual(await during(() => functions.refresh.invoke({})), { 'S3 get': 5, 'S3 list': 2 })
    })
  })

  it('a bootstrap with 16,384 bins: a put for each, and one signature for all', { timeout: 180_000 }, async () => {
    const deployment = await deployed()
    await using functions = await startFunctions(deployment)
    let task = ''
    const takenIn = await during(async () => {
      task = await functions.askToFound(16_384)
    })
    // By a function that has just started, it shows the keys before; and it lists the inbox, where another bootstrap may wait.
    const asked = { 'KMS GetPublicKey': 2, 'S3 get': 3, 'S3 list': 1 }
    assert.deepEqual(takenIn, { ...asked, 'S3 put': 1, 'SQS SendMessage': 1 })
    const rings = await deployment.rings(5)
    const [began, before] = [Date.now(), proxy.requests.length]
    const { 'S3 put': puts = 0, ...others } = await during(() => functions.publish.invoke(rings, 120_000))
    assert.equal(await functions.stateOf(task), 'SUCCESS')
    const ofLease = ({ method, url }: ProxiedRequest) => method === 'PUT' && url.includes('/lease.json')
    const leases = proxy.requests.slice(before).filter(ofLease).length
    // Every bin; the seal, the first root, the journal's entry, two of private state, targets, snapshot, timestamp, the task's
    // record.
    assert.equal(puts - leases, 16_384 + 9)
    // Taken twice, released once, and renewed each half minute.
    const renewals = Math.floor((Date.now() - began) / (defaultLimits.lease / 2))
    assert.ok(leases >= 3 && leases <= 3 + renewals, `${leases} of the lease`)
    assert.deepEqual(others, {
      // A publisher that has just started, of two keys.
      'KMS GetPublicKey': 2,
      // The bins, targets, snapshot and timestamp; and one by each key, to see that it can sign.
      'KMS Sign': 4 + 2,
      'S3 get': 11,
      'S3 list': 3,
      'S3 delete': 1,
    })
  })
})

const takenIn = { 'S3 put': 1, 'SQS SendMessage': 1 }

const onePublished = {
  // The timestamp, the task, its record; and the timestamp again to see that nothing is left. The lease is as the publisher left it.
  'S3 get': 4,
  'S3 list': 2,
  // The lease, the journal's entry, the bin, snapshot, timestamp, the task's record.
  'S3 put': 6,
  'S3 delete': 1,
  // The bin, snapshot, timestamp.
  'KMS Sign': 3,
}
