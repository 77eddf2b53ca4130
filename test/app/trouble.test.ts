import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StoreError } from '../../shared/repository/ports.ts'
import { apiOver, artifact } from '../support/api.ts'
import { bootstrapped, restarted, testRepository } from '../support/repository.ts'

describe('a repository that is broken', () => {
  it('answers 503 that says what to do, and accepts and changes nothing', async () => {
    const repository = await bootstrapped()
    const stored = await repository.ports.metadata.read('timestamp.json')
    assert.ok(stored)
    await repository.ports.metadata.replace('timestamp.json', Buffer.from('{"signed": {}}'), stored.tag)
    const api = apiOver(restarted(repository))
    for (const request of ['POST /artifacts', 'GET /status', 'GET /config']) {
      const refused = await api.call(request, { body: { artifacts: [artifact('a')] } })
      assert.equal(refused.status, 503, request)
      assert.match(String(refused.body.detail['error']), /timestamp\.json .*restore it/i)
    }
    assert.deepEqual(await repository.ports.state.list('inbox/'), [])
    assert.equal(api.lines.at(-1)?.level, 'error')
  })

  it('keeps for later what comes to a process that has seen it whole', async () => {
    const repository = await bootstrapped()
    const api = apiOver(restarted(repository), { ring: async () => {} })
    const first = await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] } })
    assert.equal(first.status, 202)
    const stored = await repository.ports.metadata.read('timestamp.json')
    assert.ok(stored)
    await repository.ports.metadata.replace('timestamp.json', Buffer.from('{"signed": {}}'), stored.tag)
    const second = await api.call('POST /artifacts', { body: { artifacts: [artifact('b')] } })
    assert.equal(second.status, 202)
    assert.equal((await repository.ports.state.list('inbox/')).length, 2)
  })
})

describe('a store that is in trouble', () => {
  for (const code of ['full', 'read-only'] as const) {
    it(`answers 503 when it is ${code}`, async () => {
      let trouble = false
      const repository = await bootstrapped({
        around: (store) => ({
          ...store,
          async create(name, bytes) {
            if (trouble) throw new StoreError(code, 'Could not create it: no room is left.')
            return store.create(name, bytes)
          },
        }),
      })
      trouble = true
      const refused = await apiOver(repository).call('POST /artifacts', { body: { artifacts: [artifact('a')] } })
      assert.equal(refused.status, 503)
      assert.equal(refused.body.detail['code'], code)
      assert.ok(refused.headers['retry-after'])
    })
  }
})

describe('what is not an endpoint', () => {
  it('is a 404, and a method that an endpoint does not take a 405', async () => {
    const api = apiOver(testRepository())
    assert.equal((await api.call('GET /nothing')).status, 404)
    const refused = await api.call('PUT /artifacts/')
    assert.equal(refused.status, 405)
    assert.equal(refused.headers['allow'], 'POST, GET')
    assert.equal((await api.call('POST /commits/5')).headers['allow'], 'GET')
  })
})

describe('the log', () => {
  it('has one line for each request, without bodies', async () => {
    const api = apiOver(await bootstrapped())
    const posted = await api.call('POST /artifacts', { body: { artifacts: [artifact('a-very-secret-path')] } })
    const [line] = api.lines
    assert.equal(api.lines.length, 1)
    assert.equal(line?.['route'], '/api/v1/artifacts')
    assert.equal(line?.['status'], 202)
    assert.equal(line?.['principal'], 'tester')
    assert.equal(line?.['task'], posted.body.data['task_id'])
    assert.ok(!JSON.stringify(line).includes('secret'))
  })
})
