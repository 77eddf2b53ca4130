import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Updater } from 'tuf-js'
import { metrics } from '../../shared/app/environment.ts'
import { artifact } from '../support/api.ts'
import { tufClient } from '../support/client.ts'
import { sqsRecord } from '../support/sqs.ts'
import { type Deployment, deploy } from './deployment.ts'
import { workDirectory } from './emulator.ts'
import { type Functions, startFunctions } from './function-harness.ts'
import { startMinistack } from './ministack.ts'

describe('the functions on AWS', () => {
  const cleanup = new AsyncDisposableStack()
  let deployment: Deployment
  let functions: Functions

  before(async () => {
    deployment = await deploy(cleanup.use(await startMinistack()))
    functions = cleanup.use(await startFunctions(deployment))
  })
  after(() => cleanup.disposeAsync())

  it('show both online keys to a ceremony', async () => {
    const { status, body } = await functions.call('GET /keys')
    assert.equal(status, 200)
    assert.equal(Object.keys(body.data.keys).length, 2)
  })

  it('found a repository of 256 bins', () => functions.found(256))

  it('add artifacts, which clients then find', async () => {
    const paths = Array.from({ length: 20 }, (_, index) => `dist/package-${index}.tgz`)
    const task = await functions.accepted('POST /artifacts', { artifacts: paths.map((path) => artifact(path)) })
    assert.deepEqual(await functions.hear(), { batchItemFailures: [] })
    assert.equal(await functions.stateOf(task), 'SUCCESS')

    const own = tufClient(functions.fetchMetadata, () => new Date())
    await own.refresh()
    assert.deepEqual([...(await own.everything()).keys()].sort(), [...paths].sort())

    await using directory = await workDirectory()
    const metadataDir = join(directory.path, 'metadata')
    await mkdir(metadataDir)
    await writeFile(join(metadataDir, 'root.json'), (await functions.fetchMetadata('1.root.json')) ?? '')
    const foreign = new Updater({ metadataDir, metadataBaseUrl: deployment.metadataUrl })
    await foreign.refresh()
    for (const path of paths) assert.equal((await foreign.getTargetInfo(path))?.length, 1)
    assert.equal(await foreign.getTargetInfo('dist/never-added'), undefined)
  })

  it('publish what no bell rang for, with the next refresh', async () => {
    const task = await functions.accepted('POST /artifacts', { artifacts: [artifact('quiet')] })
    await deployment.rings(5)
    await functions.refresh.invoke({})
    assert.equal(await functions.stateOf(task), 'SUCCESS')
  })

  it('measure how the repository fares', async () => {
    await functions.refresh.invoke({})
    const values = new Map(functions.refresh.lines().flatMap((line) => Object.entries(line)))
    const expiry = Number(values.get(metrics.nearestExpiry))
    assert.ok(expiry > 86_000 && expiry <= 86_400, `${expiry} s`)
    assert.ok(Number(values.get(metrics.rootExpiry)) > 364 * 86_400)
    assert.equal(values.get(metrics.rootToRenew), 0)
    // Nothing is signed offline, and what is not measured costs nothing.
    assert.deepEqual([values.has(metrics.offlineExpiry), values.has(metrics.offlineToRenew)], [false, false])
    assert.equal(values.get(metrics.oldestTask), 0)
    assert.equal(values.get(metrics.parkedChanges), 0)
    assert.equal(values.get(metrics.dimension), 'test')
    const latency = functions.publish.lines().find((line) => metrics.publishLatency in line)
    assert.ok(Number(latency?.[metrics.publishLatency]) < 60_000)
  })

  it('drop a message that is not theirs, and say so', async () => {
    const event = { Records: [sqsRecord('1', '{"hello":"world"}')] }
    assert.deepEqual(await functions.publish.invoke(event), { batchItemFailures: [] })
    const warned = functions.publish.lines().filter(({ level }) => level === 'WARN')
    assert.deepEqual(
      warned.map(({ message, messageId }) => ({ message, messageId })),
      [{ message: 'a message that is not ours', messageId: '1' }],
    )
  })

  it('stop in time, and ring again for what is left', async () => {
    const task = await functions.accepted('POST /artifacts', { artifacts: [artifact('late')] })
    assert.deepEqual(await functions.publish.invoke(await deployment.rings(5), -1), { batchItemFailures: [] })
    assert.equal(await functions.stateOf(task), 'PENDING')
    const again = await deployment.rings(5)
    assert.deepEqual(
      again.Records.map(({ body }) => body),
      [task],
    )
    await functions.publish.invoke(again)
    assert.equal(await functions.stateOf(task), 'SUCCESS')
  })

  it('let nobody in whom no authorizer has seen, and tokens as far as their scopes go', async () => {
    const { call } = functions
    assert.equal((await call('GET /config', {}, {})).status, 401)
    const token = (scope: string) => ({ jwt: { claims: { iss: 'https://issuer', sub: 'build', scope } } })
    assert.equal((await call('GET /config', {}, token('tuffet:read'))).status, 200)
    assert.equal((await call('GET /config', {}, token('openid'))).status, 403)
    const body = { artifacts: [artifact('a')] }
    assert.equal((await call('POST /artifacts', { body }, token('tuffet:read'))).status, 403)
  })

  it('run without any other warning', () => {
    for (const each of [functions.api, functions.publish, functions.refresh]) {
      const warnings = each.lines().filter(({ level, message }) => {
        return (level === 'WARN' || level === 'ERROR') && message !== 'a message that is not ours'
      })
      assert.deepEqual(warnings, [])
    }
  })
})
