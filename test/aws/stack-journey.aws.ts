import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { CreateBucketCommand, PutBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { clientsFor, type RunningClient, startClient } from '../interop/clients.ts'
import { type Deployed, startDeployed } from './deployed.ts'
import { deadLetters, deaths, leaseEnds, postPoison, withLittleMemory } from './poison.ts'
import { watchingClient } from './watching-client.ts'

/**
 * What a team does with the deployed stack, from the ceremony on: the app that users deploy, through API Gateway and
 * CloudFront, with IAM enforced.
 */
describe('the deployed stack', () => {
  const cleanup = new AsyncDisposableStack()
  let deployed: Deployed
  let clients: readonly RunningClient[] = []
  let watch: ReturnType<typeof watchingClient> | undefined
  const contents = new Map<string, Buffer>()
  const artifacts = 'the-artifacts'
  // The shortest that a stack takes: the test has to wait for the end of a change of online keys.
  const settings = { artifactBucket: artifacts, rotationGraceSeconds: '60' }

  before(async () => {
    deployed = cleanup.use(await startDeployed(settings))
    await deployed.s3.send(new CreateBucketCommand({ Bucket: artifacts }))
    const Statement = [
      {
        Effect: 'Allow',
        Principal: { Service: 'cloudfront.amazonaws.com' },
        Action: ['s3:GetObject', 's3:ListBucket'],
        Resource: [`arn:aws:s3:::${artifacts}`, `arn:aws:s3:::${artifacts}/*`],
        Condition: { StringEquals: { 'AWS:SourceArn': deployed.outputs['DistributionArn'] } },
      },
    ]
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
    await deployed.s3.send(new PutBucketPolicyCommand({ Bucket: artifacts, Policy }))
  })
  after(async () => {
    await watch?.end()
    for (const client of clients) client.stop()
    await cleanup.disposeAsync()
  })

  /** Makes a file, stores it where clients download from, and publishes it by the command line. */
  async function publish(path: string): Promise<void> {
    const bytes = randomBytes(1000)
    contents.set(path, bytes)
    await mkdir(join(deployed.directory, 'dist'), { recursive: true })
    await writeFile(join(deployed.directory, 'dist', path), bytes)
    await deployed.s3.send(new PutObjectCommand({ Bucket: artifacts, Key: path, Body: bytes }))
    await deployed.tuffet('artifact', 'add', `dist/${path}`, '--base', 'dist')
  }

  /** Every foreign client refreshes, and finds exactly what was published. */
  async function clientsSee(paths: readonly string[], gone: readonly string[] = []): Promise<void> {
    for (const client of clients) {
      const answer = await client.ask({
        metadataUrl: `${deployed.url}/metadata/`,
        targetsUrl: `${deployed.url}/artifacts/`,
        root: join(deployed.directory, '1.root.json'),
        state: join(deployed.directory, 'clients', client.name),
        targets: [...paths, ...gone],
      })
      assert.ok(answer.ok, `${client.name}: ${JSON.stringify(answer)}`)
      const digest = (path: string) =>
        createHash('sha256')
          .update(contents.get(path) ?? '')
          .digest('hex')
      assert.deepEqual(
        answer.targets,
        [
          ...paths.map((path) => ({ path, outcome: 'verified', sha256: digest(path) })),
          ...gone.map((path) => ({ path, outcome: 'absent' })),
        ],
        client.name,
      )
    }
  }

  it('is founded by the ceremony of the command line', async () => {
    for (const key of ['one.key', 'two.key']) await deployed.tuffet('key', 'new', key, '--password-fd', '0')
    const decided = ['--bins', '16', '--threshold', '2', '--key', 'one.key', '--key', 'two.key', '--yes', '--send']
    await deployed.tuffet('ceremony', ...decided, '--password-fd', '0')
    const root = await deployed.addresses.distribution({ path: '/metadata/1.root.json' })
    assert.equal(root.status, 200)
    await writeFile(join(deployed.directory, '1.root.json'), root.body)
  })

  it('shows additions and removals to the command line’s client', async () => {
    await publish('first.tgz')
    await publish('second.tgz')
    await deployed.tuffet('download', 'first.tgz', 'second.tgz', '--out', 'got')
    const got = await readFile(join(deployed.directory, 'got/first.tgz'))
    assert.deepEqual(got, contents.get('first.tgz'))
    await deployed.tuffet('artifact', 'remove', 'second.tgz')
    await assert.rejects(deployed.tuffet('download', 'second.tgz', '--out', 'got'))
  })

  it('shows them to foreign clients', async (t) => {
    try {
      clients = clientsFor('succinct_roles').map(startClient)
    } catch (error) {
      return t.skip(String(error))
    }
    await clientsSee(['first.tgz'], ['second.tgz'])
  })

  it('serves what never changes for ever, the timestamp anew each time, and 404 for what is missing', async () => {
    const get = (path: string) => deployed.addresses.distribution({ path })
    const root = await get('/metadata/1.root.json')
    assert.equal(root.headers['cache-control'], 'public, max-age=31536000, immutable')
    assert.equal(root.headers['strict-transport-security'], 'max-age=31536000')
    assert.equal(root.headers['x-content-type-options'], 'nosniff')
    assert.equal((await get('/metadata/timestamp.json')).headers['cache-control'], 'no-cache')
    for (const missing of ['/metadata/2.root.json', '/metadata/', '/', '/lease.json']) {
      assert.equal((await get(missing)).status, 404, missing)
    }
    const posted = await deployed.addresses.distribution({ method: 'PUT', path: '/metadata/x', body: Buffer.from('x') })
    assert.equal(posted.status, 403)
  })

  it('does not show the buckets to who asks them directly', async () => {
    for (const bucket of [deployed.outputs['MetadataBucket'], deployed.outputs['StateBucket']]) {
      for (const key of ['', '/metadata/timestamp.json', '/lease.json']) {
        assert.equal((await fetch(`${deployed.ministack.endpoint}/${bucket}${key}`)).status, 403)
      }
    }
  })

  it('goes on through a redeployment', async () => {
    const urls = ({ ApiUrl, MetadataUrl, StateBucket }: Deployed['outputs']) => [ApiUrl, MetadataUrl, StateBucket]
    const before = urls(deployed.outputs)
    const busy = publish('meanwhile.tgz')
    await deployed.deploy({ ...settings, burst: '50', tags: '{"team":"release"}' })
    await busy
    assert.deepEqual(urls(deployed.outputs), before)
    await publish('after.tgz')
    await clientsSee(['first.tgz', 'meanwhile.tgz', 'after.tgz'])
  })

  const rootKeys = ['--key', 'one.key', '--key', 'two.key', '--yes', '--password-fd', '0']

  it('shows its standing, with what KMS tells of the online keys', async () => {
    const { keys, roles } = await api('keys')
    assert.equal(Object.keys(keys).length, 2)
    for (const role of ['targets', 'snapshot', 'timestamp']) assert.equal(roles[role].keyids.length, 1, role)
    const { signed_offline: offline, to_renew: due, expires } = await api('status')
    assert.deepEqual([offline, due], [[], []])
    const kinds = (expires as { role: string }[]).map(({ role }) => role.replace(/-\w+$/, ''))
    assert.deepEqual(kinds.sort(), ['bins', 'root', 'snapshot', 'targets', 'timestamp'])
    assert.match(await deployed.tuffet('status'), /serving clients/)
  })

  it('takes the next root from the holders of its keys', async () => {
    watch = watchingClient(deployed)
    await deployed.tuffet('root', 'update', '--expiration', '400', ...rootKeys)
    assert.equal((await api('status')).versions.root, 2)
    await clientsSee(['first.tgz'])
  })

  it('changes to the other online key, and both sign for a while', async () => {
    const { keys, roles } = await api('keys')
    const other = Object.keys(keys).find((keyid) => !roles.timestamp.keyids.includes(keyid)) ?? assert.fail()
    const [first] = roles.timestamp.keyids
    await deployed.tuffet('root', 'update', '--online-key', other, ...rootKeys)
    assert.deepEqual((await api('keys')).roles.timestamp.keyids, [other])
    await publish('both-keys.tgz')
    assert.deepEqual((await timestampSigners()).sort(), [first, other].sort())
    assert.ok((await api('status')).rotation.ends)
    await clientsSee(['first.tgz', 'both-keys.tgz'])
  })

  it('applies each task once, with two publishers and a refresher at work', async () => {
    const paths = Array.from({ length: 4 }, (_, index) => `parallel-${index}.tgz`)
    const refreshes = Promise.all([deployed.invoke('Refresh'), deployed.invoke('Refresh')])
    await Promise.all(paths.map(publish))
    await refreshes
    await clientsSee(['first.tgz', ...paths])
    const tasks = appliedTasks(await journal())
    assert.equal(new Set(tasks).size, tasks.length)
  })

  it('signs anew when it is told to, and on its own finds nothing to do', async () => {
    const timestamp = async () => {
      const { body } = await deployed.addresses.distribution({ path: '/metadata/timestamp.json' })
      return (JSON.parse(body.toString()) as { signed: { version: number } }).signed.version
    }
    const before = await timestamp()
    await deployed.invoke('Refresh')
    assert.equal(await timestamp(), before)
    await deployed.tuffet('refresh')
    assert.equal(await timestamp(), before + 1)
    await clientsSee(['first.tgz'])
  })

  it('ends a task that crashes the publisher each time as FAILURE and in the dead-letter queue, while others pass', async () => {
    await withLittleMemory(deployed, async () => {
      await publish('before-poison.tgz')
      const others = [publish('beside-1.tgz')]
      const poison = await postPoison(deployed)
      others.push(...['beside-2.tgz', 'beside-3.tgz'].map(publish))
      for (let died = 0; (await stateOf(poison)) === 'PENDING'; ) {
        assert.ok(died < 12, 'it kills without end')
        const known = await deaths(deployed)
        if (known > died) await leaseEnds(deployed)
        died = known
        // The next minute of the schedule. If it dies, its log tells.
        await deployed.invoke('Refresh').catch(() => undefined)
      }
      await Promise.all(others)
      await publish('after-poison.tgz')
      assert.ok((await deaths(deployed)) >= 3)
      const task = await api(`task?task_id=${poison}`)
      assert.equal(task.state, 'FAILURE')
      assert.equal(task.result.details.code, 'crashed')
      assert.deepEqual(await deadLetters(deployed), [poison])
      assert.equal(appliedTasks(await journal()).filter((id) => id === poison).length, 1)
    })
    await clientsSee(
      ['before-poison.tgz', 'beside-1.tgz', 'beside-2.tgz', 'beside-3.tgz', 'after-poison.tgz'],
      ['poison'],
    )
  })

  it('ends a task that somebody has spoilt in the bucket likewise, at once', async () => {
    const id = '0'.repeat(32)
    const spoilt = { Bucket: deployed.outputs['StateBucket'], Key: `inbox/${id}.json`, Body: '{"schema":1}' }
    await deployed.s3.send(new PutObjectCommand(spoilt))
    await publish('beside-4.tgz')
    const { state, result } = await api(`task?task_id=${id}`)
    assert.deepEqual([state, result.details.code], ['FAILURE', 'spoilt'])
    assert.ok((await deadLetters(deployed)).includes(id))
  })

  it('signs with the other online key alone when its time has come, and clients go on', async () => {
    const { rotation } = await api('status')
    // On a slow machine a minute of the schedule may have ended it.
    if (rotation !== undefined) await setTimeout(Math.max(0, Date.parse(rotation.ends) - Date.now() + 1_000))
    // The next minute of the schedule.
    await deployed.invoke('Refresh')
    assert.deepEqual(await timestampSigners(), (await api('keys')).roles.timestamp.keyids)
    assert.equal((await api('status')).rotation, undefined)
    await publish('other-key.tgz')
    await clientsSee(['first.tgz', 'other-key.tgz'])
    assert.match(await deployed.tuffet('check', `${deployed.url}/metadata/`), /Valid/)
    const { refreshes, failures } = (await watch?.end()) ?? assert.fail()
    assert.deepEqual(failures, [])
    assert.ok(refreshes > 20, `${refreshes} refreshes`)
  })

  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect to find in it.
  async function api(path: string): Promise<any> {
    return ((await (await fetch(`${deployed.url}/api/v1/${path}`)).json()) as { data: unknown }).data
  }

  async function timestampSigners(): Promise<string[]> {
    const { body } = await deployed.addresses.distribution({ path: '/metadata/timestamp.json' })
    const { signatures } = JSON.parse(body.toString()) as { signatures: { keyid: string }[] }
    return signatures.map(({ keyid }) => keyid)
  }

  async function journal(): Promise<{ tasks: { task_id: string }[] }[]> {
    const answer = await fetch(`${deployed.url}/api/v1/commits?limit=100`)
    return ((await answer.json()) as { data: { commits: { tasks: { task_id: string }[] }[] } }).data.commits
  }

  const appliedTasks = (commits: Awaited<ReturnType<typeof journal>>) =>
    commits.flatMap(({ tasks }) => tasks.map(({ task_id }) => task_id))

  const stateOf = async (id: string): Promise<string> => (await api(`task?task_id=${id}`)).state
})
