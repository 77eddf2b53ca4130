import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { openDirectoryObjectStore } from '../../shared/adapters/local/directory-object-store.ts'
import { createKeyFile, keyFileSigner } from '../../shared/adapters/local/key-file-signer.ts'
import { systemClock } from '../../shared/adapters/local/system-clock.ts'
import { uuidV7Source } from '../../shared/adapters/local/uuid-v7.ts'
import { openData, openStores } from '../../shared/app/data-directory.ts'
import { type EmbeddedService, openEmbedded } from '../../shared/app/embedded.ts'
import { everybodyAs } from '../../shared/app/principal.ts'
import { RepositoryError } from '../../shared/repository/errors.ts'
import { defaultLimits, openRepository, type Repository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import { inboxName } from '../../shared/repository/task.ts'
import { artifact, call } from '../support/api.ts'
import { makeKey } from '../support/keys.ts'
import { recordedLog } from '../support/log.ts'
import { importOf, lines } from '../support/long-work.ts'
import { addRequest, bootstrapRequest, run } from '../support/repository.ts'

const hour = 60 * 60 * 1000
const day = 24 * hour

/** A data directory with a repository that was founded so long ago, by a root that expires in 60 days. */
async function foundedAgo(milliseconds: number, then: (repository: Repository) => Promise<unknown> = async () => {}) {
  await using cleanup = new AsyncDisposableStack()
  const data = await mkdtemp(join(tmpdir(), 'tuffet-embedded-'))
  cleanup.defer(() => rm(data, { recursive: true, force: true }))
  const key = join(data, 'online.pem')
  await createKeyFile(key)
  const signer = await keyFileSigner(key)
  const [metadata, state] = await Promise.all([
    openDirectoryObjectStore(join(data, 'metadata')),
    openDirectoryObjectStore(join(data, 'state')),
  ])
  const past = new Date(Date.now() - milliseconds)
  const clock = { ...systemClock(), now: () => past }
  const repository = openRepository({ metadata, state, signers: [signer], queue: { ring: async () => {} }, clock })
  const expires = new Date(Date.now() + 60 * day)
  const request = bootstrapRequest({ rootKeys: [makeKey(), makeKey()], online: [signer] }, undefined, expires)
  assert.equal((await run(repository, request)).state, 'SUCCESS')
  await then(repository)
  // The age of what is stored is that of its file.
  for (const { parentPath, name } of await readdir(data, { recursive: true, withFileTypes: true })) {
    await utimes(join(parentPath, name), past, past)
  }
  const kept = cleanup.move()
  return { data, key, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (await holds()) return true
    await setTimeout(20)
  }
  return false
}

describe('the embedded service', () => {
  const authenticate = everybodyAs('test')

  it('warns when it starts over a repository whose root was made long ago', async () => {
    await using founded = await foundedAgo(300 * day)
    const { warnings, log } = recordedLog()
    const service = await openEmbedded({ data: founded.data, keys: [founded.key], authenticate, log })
    await eventually(async () => warnings.length > 0)
    await service.close()
    assert.deepEqual(
      warnings.map(({ role, days }) => [role, days]),
      [['root', 59]],
    )
  })

  it('accepts no more posts than it can publish soon', async (test) => {
    await using founded = await foundedAgo(hour)
    let accepted = 0
    let decided = 0
    let most = 0
    const { log } = recordedLog()
    const info = (fields: object) => {
      if ('tasks' in fields) decided += Number(fields.tasks)
    }
    const service = await openEmbedded({ data: founded.data, keys: [founded.key], authenticate, log: { ...log, info } })
    const post = async (_: unknown, index: number) => {
      const { status } = await call(service.api, 'POST /artifacts', { body: { artifacts: [artifact(`${index}`)] } })
      assert.equal(status, 202)
      accepted++
      most = Math.max(most, accepted - decided)
    }
    // The end of a run makes room for all: of the first one, too, which looks once more after its commit.
    await post(undefined, 0)
    assert.ok(await eventually(async () => decided === 1))
    await setTimeout(100)
    // Nobody is let in for having waited long.
    test.mock.timers.enable({ apis: ['setTimeout'] })
    await Promise.all(Array.from({ length: 2500 }, post))
    test.mock.timers.reset()
    await service.close()
    assert.ok(most <= 2 * defaultLimits.tasksPerCycle, `${most} were undecided`)
  })

  it('says at once that it does not hold the keys that the root names, and is not healthy', async () => {
    await using founded = await foundedAgo(hour)
    const { data, key } = founded
    const other = join(data, 'other.pem')
    await createKeyFile(other)
    const [{ keyid }, { keyid: otherKeyid }] = await Promise.all([keyFileSigner(key), keyFileSigner(other)])
    const { errors, log } = recordedLog()
    const service = await openEmbedded({ data, keys: [other], authenticate, log })
    const said = { code: 'key-not-held', message: /An online key is lost/ }
    const checked = async () => {
      await assert.rejects(service.check(), said)
      await eventually(async () => errors.length === 1)
      await call(service.api, 'POST /artifacts/publish')
      assert.ok(await eventually(async () => errors.length === 2), 'the publisher failed')
      await assert.rejects(service.check(), said)
    }
    await checked().finally(() => service.close())
    const [{ message, ...fields } = {}] = errors
    assert.deepEqual(fields, {
      roles: ['timestamp', 'snapshot', 'targets', 'bins'],
      keyids: [keyid],
      held: [otherKeyid],
    })
    assert.match(
      String(message),
      new RegExp(`timestamp, snapshot, targets, bins \\(key ${keyid}\\).*tuffet serve --key`),
    )

    const well = recordedLog()
    const both = await openEmbedded({ data, keys: [other, key], authenticate, log: well.log })
    await both.check()
    await both.close()
    assert.deepEqual(well.errors, [])
  })

  it('logs a task that ended as FAILURE, and why', async () => {
    const id = '01a205780000700080000000000000ab'
    await using founded = await foundedAgo(hour, async ({ ports }) => {
      await ports.state.create(inboxName(id), Buffer.from('{'))
    })
    const { errors, log } = recordedLog()
    const service = await openEmbedded({ data: founded.data, keys: [founded.key], authenticate, log })
    await eventually(async () => errors.length > 0)
    await service.close()
    const message = 'a task ended as FAILURE'
    assert.deepEqual(errors, [{ task: id, code: 'spoilt', err: undefined, message }])
  })

  it('is not healthy, and says why in its status, while long work fails', async () => {
    await using founded = await foundedAgo(hour, async (repository) => {
      const request = await importOf(repository, lines(['a']))
      await submit(repository, { request, principal: 'test' })
    })
    const metadata = join(founded.data, 'metadata')
    const bins = (await readdir(metadata)).filter((name) => name.includes('.bins-'))
    await Promise.all(bins.map((name) => rm(join(metadata, name))))
    const service = await openEmbedded({
      data: founded.data,
      keys: [founded.key],
      authenticate,
      log: recordedLog().log,
    })
    const troubles = async () => (await call(service.api, 'GET /status')).body.data['troubles']
    const seen = await eventually(async () => ((await troubles()) as unknown[]).length > 0)
    const [said, checked] = await Promise.allSettled([troubles(), service.check()])
    await service.close()
    assert.ok(seen)
    const error = checked.status === 'rejected' ? checked.reason : assert.fail()
    assert.ok(error instanceof RepositoryError)
    assert.match(error.message, /work ahead for task [0-9a-f]{32} fails, .*bins-\w\.json .* missing/)
    assert.deepEqual(said, { status: 'fulfilled', value: [{ code: 'corrupt', message: error.message }] })
  })

  it('goes on in the order of acceptance when it is started again after the clock was set back', async () => {
    const id = uuidV7Source(() => Date.now() + hour)()
    const request = addRequest(['a'])
    await using founded = await foundedAgo(hour, (repository) => submit(repository, { request, principal: 'test', id }))
    const { data, key } = founded
    const other = join(data, 'other.pem')
    await createKeyFile(other)
    const { log } = recordedLog()
    // Without the keys all that is accepted waits.
    const waiting = await openEmbedded({ data, keys: [other], authenticate, log })
    const { body } = await call(waiting.api, 'POST /artifacts/delete', { body: { artifacts: ['a'] } })
    await waiting.close()
    const service = await openEmbedded({ data, keys: [key], authenticate, log })
    const ended = async () => {
      const task = await call(service.api, `GET /task?task_id=${body.data['task_id']}`)
      return task.body.data['result'] as { details: object } | undefined
    }
    await eventually(async () => (await ended()) !== undefined)
    const result = await ended()
    await service.close()
    assert.deepEqual(result?.details, { deleted_artifacts: ['a'], not_found_artifacts: [] })
  })

  it('keeps superseded metadata as long as it is told', async () => {
    // The bins of the foundation are superseded by the commit after it.
    await using founded = await foundedAgo(3 * hour, (repository) => run(repository, addRequest(['a', 'b', 'c'])))
    const superseded = async (retention: number) => {
      const { data, key } = founded
      // It looks around that often, too.
      const rotationGrace = 50
      const { log } = recordedLog()
      const service = await openEmbedded({ data, keys: [key], authenticate, log, rotationGrace, retention })
      const gone = await eventually(async () => (await service.metadata.read('1.snapshot.json')) === undefined)
      await service.close()
      return gone
    }
    assert.equal(await superseded(4 * hour), false)
    await rm(join(founded.data, 'state/collected.json'), { force: true })
    assert.equal(await superseded(2 * hour), true)
  })

  it('has made nothing for its stores when it lets go of the directory because a key cannot be read', async () => {
    await using cleanup = new AsyncDisposableStack()
    const data = await mkdtemp(join(tmpdir(), 'tuffet-embedded-'))
    cleanup.defer(() => rm(data, { recursive: true, force: true }))
    const keys = [join(data, 'no-such-key.pem')]
    const { log } = recordedLog()
    const ways = [() => openEmbedded({ data, keys, authenticate, log }), () => openData(data, keys)]
    for (const open of ways) {
      await assert.rejects(open(), { name: 'SignerError' })
      const made = await readdir(data)
      assert.deepEqual(
        made.filter((name) => name === 'log' || name === 'metadata'),
        [],
      )
      await rm(join(data, 'log'), { recursive: true, force: true })
    }
  })

  it('ends after the cycle under way, and leaves the rest to its next life', async () => {
    const waiting = defaultLimits.tasksPerCycle + 1
    const post = (repository: Repository, at: number) =>
      submit(repository, { request: addRequest([`${at}`]), principal: 'test' })
    await using founded = await foundedAgo(0, (repository) =>
      Promise.all(Array.from({ length: waiting }, (_, at) => post(repository, at))),
    )
    let service: EmbeddedService | undefined
    const published: unknown[] = []
    const ended = Promise.withResolvers<void>()
    const info = ({ tasks }: { tasks?: number }, message: string) => {
      if (message !== 'published') return
      published.push(tasks)
      ended.resolve(service?.close())
    }
    const log = { ...recordedLog().log, info }
    service = await openEmbedded({ ...founded, keys: [founded.key], authenticate: everybodyAs('test'), log })
    await ended.promise
    assert.deepEqual(published, [waiting - 1])
    assert.equal((await readdir(join(founded.data, 'state/inbox'))).length, 1)
  })

  it('makes no key in place of one that is lost', async () => {
    await using founded = await foundedAgo(day)
    const { data, key } = founded
    const { log } = recordedLog()
    const lost = { name: 'SignerError', message: /keys\/online\.pem is missing\. .* --key.*runbook/ }
    for (const open of [() => openEmbedded({ data, keys: [], authenticate, log }), () => openData(data, [])])
      await assert.rejects(open(), lost)
    assert.deepEqual(await readdir(join(data, 'keys')), [])
    await (await openEmbedded({ data, keys: [key], authenticate, log })).close()
  })

  it('makes a key while nobody counts on one, be it in the log alone', async () => {
    await using cleanup = new AsyncDisposableStack()
    const data = await mkdtemp(join(tmpdir(), 'tuffet-embedded-'))
    cleanup.defer(() => rm(data, { recursive: true, force: true }))
    const { log } = recordedLog()
    const own = join(data, 'keys', 'online.pem')
    const open = () => openEmbedded({ data, keys: [], authenticate, log })
    for (let times = 0; times < 2; times++) {
      await (await open()).close()
      assert.ok((await stat(own)).isFile())
      await rm(own)
    }
    await (await openStores(data)).state.create('bootstrap.json', Buffer.from('{"schema":1}'))
    await rm(join(data, 'state', 'bootstrap.json'))
    await assert.rejects(open(), /is missing/)
  })
})
