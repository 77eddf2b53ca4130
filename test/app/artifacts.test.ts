import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StoreError } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { apiOver, artifact, sha256Hex } from '../support/api.ts'
import { bootstrapped, testRepository } from '../support/repository.ts'

describe('POST /artifacts', () => {
  it('is accepted, and visible once its task has succeeded', async () => {
    const api = apiOver(await bootstrapped())
    const posted = await api.call('POST /artifacts/', { body: { artifacts: [artifact('a/b.txt', { length: '630' })] } })
    assert.equal(posted.status, 202)
    assert.equal(posted.body.message, 'New Artifact(s) successfully submitted.')
    assert.deepEqual(posted.body.data['artifacts'], ['a/b.txt'])
    assert.match(String(posted.body.data['task_id']), /^[0-9a-f]{32}$/)
    assert.match(String(posted.body.data['last_update']), /(Z|[+-]\d\d:\d\d)$/)

    const task = await api.call(`GET /task/?task_id=${posted.body.data['task_id']}`)
    assert.equal(task.body.data['state'], 'SUCCESS')
    assert.equal(task.body.message, 'Task state.')

    const shown = await api.call('GET /artifacts?path=a%2Fb.txt')
    assert.equal(shown.status, 200)
    assert.deepEqual(shown.body.data['info'], { length: 630, hashes: { sha256: sha256Hex } })
    assert.equal(shown.body.data['commit'], 2)
  })

  it('takes one path once, however often it is sent with the same content', async () => {
    const api = apiOver(await bootstrapped())
    const twice = [artifact('a'), artifact('a', { hashes: { sha256: sha256Hex.toUpperCase() } })]
    const { body } = await api.call('POST /artifacts', { body: { artifacts: twice } })
    assert.deepEqual(body.data['artifacts'], ['a'])
  })

  it('takes 10,000 artifacts at once, and none', async () => {
    const api = apiOver(await bootstrapped())
    const many = Array.from({ length: 10_000 }, (_, n) => artifact(`packages/p-${n}`))
    const posted = await api.call('POST /artifacts', { body: { artifacts: many }, headers: { prefer: 'wait=25' } })
    assert.equal(posted.status, 200)
    assert.equal(posted.body.data['state'], 'SUCCESS')
    const none = await api.call('POST /artifacts', { body: { artifacts: [] }, headers: { prefer: 'wait=25' } })
    assert.equal(none.body.data['state'], 'SUCCESS')
  })

  it('counts an explicit null as absent, and leaves out what it does not know', async () => {
    const api = apiOver(await bootstrapped())
    const body = {
      artifacts: [artifact('a', { custom: null })],
      publish_artifacts: null,
      add_task_id_to_custom: null,
      x: 1,
    }
    assert.equal((await api.call('POST /artifacts', { body })).status, 202)
    const shown = await api.call('GET /artifacts?path=a')
    assert.deepEqual(shown.body.data['info'], { length: 1, hashes: { sha256: sha256Hex } })
  })

  it('keeps what was sent as custom, and names the task in it if asked to', async () => {
    const api = apiOver(await bootstrapped())
    const custom = JSON.parse(
      '{"__proto__": 1, "constructor": {"a": [null, true, "\u00e9\u{1f600}\uffee"]}, "\u{1f600}": 1}',
    )
    const body = { artifacts: [artifact('a', { custom })], add_task_id_to_custom: true }
    const posted = await api.call('POST /artifacts', { body })
    const shown = await api.call('GET /artifacts?path=a')
    const info = shown.body.data['info'] as { custom: object }
    assert.deepEqual(Object.keys(info.custom).sort(), ['__proto__', 'added_by_task_id', 'constructor', '\u{1f600}'])
    assert.ok(JSON.stringify(info.custom).includes(String(posted.body.data['task_id'])))
  })

  it('treats names that JavaScript has another use for as paths like any other', async () => {
    const api = apiOver(await bootstrapped())
    const paths = ['__proto__', 'constructor', 'toString', 'objects/__proto__']
    const { body } = await api.call('POST /artifacts', { body: { artifacts: paths.map((path) => artifact(path)) } })
    assert.deepEqual(body.data['artifacts'], paths)
    for (const path of paths) assert.equal((await api.call(`GET /artifacts?path=${path}`)).status, 200, path)
  })

  it('is not taken before the bootstrap', async () => {
    const api = apiOver(testRepository())
    for (const [request, body] of [
      ['POST /artifacts', { artifacts: [artifact('a')] }],
      ['POST /artifacts/delete', { artifacts: ['a'] }],
      ['POST /artifacts/publish', undefined],
    ] as const) {
      const refused = await api.call(request, { body })
      assert.equal(refused.status, 404)
      assert.equal(refused.body.detail['message'], 'Task not accepted.')
      assert.match(String(refused.body.detail['error']), /requires bootstrap/)
    }
  })
})

describe('POST /artifacts/delete', () => {
  it('removes what is there and says what is not', async () => {
    const api = apiOver(await bootstrapped())
    await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] } })
    const posted = await api.call('POST /artifacts/delete', {
      body: { artifacts: ['a', 'b', 'a'] },
      headers: { prefer: 'wait=5' },
    })
    const result = posted.body.data['result'] as { details: object }
    assert.deepEqual(result.details, { deleted_artifacts: ['a'], not_found_artifacts: ['b'] })
    assert.equal((await api.call('GET /artifacts?path=a')).status, 404)
  })

  it('says what it was asked to remove', async () => {
    const api = apiOver(await bootstrapped())
    const posted = await api.call('POST /artifacts/delete', { body: { artifacts: ['a'], publish_artifacts: false } })
    assert.equal(posted.status, 202)
    assert.equal(posted.body.message, 'Remove Artifact(s) successfully submitted. Publishing will be skipped.')
    assert.deepEqual(posted.body.data['artifacts'], ['a'])
  })
})

describe('GET /artifacts', () => {
  it('finds nothing where clients give up before they have asked every role', async () => {
    const api = apiOver(await bootstrapped())
    const role = (at: number) => ({ name: `role-${at}`, terminating: false, keyids: [], paths: ['shared/*'] })
    const delegations = { keys: {}, roles: Array.from({ length: 40 }, (_, at) => role(at)) }
    assert.equal((await api.call('POST /delegations', { body: { delegations } })).status, 202)
    await api.call('POST /artifacts', { body: { artifacts: [artifact('shared/there')] } })
    assert.equal((await api.call('GET /artifacts?path=shared/there')).body.data['role'], 'role-0')
    assert.equal((await api.call('GET /artifacts?path=shared/missing')).status, 404)
  })
})

describe('parked artifacts', () => {
  it('are listed, and visible once somebody publishes', async () => {
    const api = apiOver(await bootstrapped())
    const body = { artifacts: [artifact('a'), artifact('b')], publish_artifacts: false }
    const posted = await api.call('POST /artifacts', { body })
    assert.equal(posted.body.message, 'New Artifact(s) successfully submitted. Publishing will be skipped.')
    assert.equal((await api.call('GET /artifacts?path=a')).status, 404)

    const parked = await api.call('GET /artifacts/parked?limit=1&offset=1')
    assert.equal(parked.body.data['total'], 2)
    const [second] = parked.body.data['artifacts'] as Record<string, unknown>[]
    assert.equal(second?.['path'], 'b')
    assert.equal(second?.['task_id'], posted.body.data['task_id'])
    assert.equal(second?.['principal'], 'tester')

    const published = await api.call('POST /artifacts/publish')
    assert.equal(published.body.message, 'Publish artifacts successfully submitted.')
    assert.deepEqual(published.body.data['artifacts'], [])
    assert.equal((await api.call('GET /artifacts?path=a')).status, 200)
    assert.equal((await api.call('GET /artifacts/parked')).body.data['total'], 0)
  })
})

describe('Idempotency-Key', () => {
  it('gives the same task for the same request, also after it was done', async () => {
    const api = apiOver(await bootstrapped())
    const sent = { body: { artifacts: [artifact('a')] }, headers: { 'idempotency-key': 'build-17' } }
    const first = await api.call('POST /artifacts', sent)
    const second = await api.call('POST /artifacts', sent)
    assert.equal(second.status, 202)
    assert.equal(second.body.data['task_id'], first.body.data['task_id'])
    const commits = (await api.call('GET /commits')).body.data['commits'] as unknown[]
    assert.equal(commits.length, 2)
  })

  it('is refused with another request, per principal, and when it is no key', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const headers = { 'idempotency-key': 'build-17' }
    await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] }, headers })
    const reused = await api.call('POST /artifacts', { body: { artifacts: [artifact('b')] }, headers })
    assert.equal(reused.status, 422)
    assert.deepEqual(reused.body.detail[0]?.['loc'], ['header', 'Idempotency-Key'])
    for (const key of ['', ' ', 'x'.repeat(257), 'ä']) {
      const refused = await api.call('POST /artifacts/publish', { headers: { 'idempotency-key': key } })
      assert.equal(refused.status, 422, JSON.stringify(key))
    }
  })
})

describe('Prefer: wait', () => {
  it('answers 200 with the task once it is finished, and says so', async () => {
    const api = apiOver(await bootstrapped())
    const headers = { prefer: 'respond-async, wait=100' }
    const posted = await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] }, headers })
    assert.equal(posted.status, 200)
    assert.equal(posted.headers['preference-applied'], 'wait=25')
    assert.equal(posted.body.data['state'], 'SUCCESS')
    assert.equal(posted.body.message, 'Task state.')
  })

  it('answers 202 when the time is over, and pays no heed to what it cannot understand', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository, { ring: async () => {} })
    for (const prefer of ['wait=2', 'wait=soon', 'wait', 'handling=lenient']) {
      const posted = await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] }, headers: { prefer } })
      assert.equal(posted.status, 202, prefer)
    }
    await publish(repository)
  })

  it('counts from the request on, however long the bell takes', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository, { ring: async () => repository.pass(20_000) })
    const { clock } = repository.ports
    const began = clock.now().getTime()
    const headers = { prefer: 'wait=25' }
    const posted = await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] }, headers })
    assert.equal(posted.status, 202)
    assert.equal(clock.now().getTime() - began, 25_000)
  })

  it('answers 202 also where the task cannot be looked at any more: it was accepted', async () => {
    let isAccepted = false
    const repository = await bootstrapped({
      around: (store) => ({
        ...store,
        read: async (name) => {
          if (isAccepted) throw new StoreError('unavailable', 'The store is silent.')
          return store.read(name)
        },
      }),
    })
    const ring = async () => {
      isAccepted = true
    }
    const api = apiOver(repository, { ring })
    const headers = { prefer: 'wait=5' }
    const posted = await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] }, headers })
    assert.equal(posted.status, 202)
    assert.equal((await repository.ports.state.list('inbox/')).length, 1)
    assert.equal(api.lines.find(({ level }) => level === 'warn')?.['task'], posted.body.data['task_id'])
  })
})
