import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { apiOver, artifact } from '../support/api.ts'
import { bootstrapped, testRepository } from '../support/repository.ts'

describe('GET /task', () => {
  it('waits a little for what is not finished, then says PENDING', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository, { ring: async () => {} })
    const posted = await api.call('POST /artifacts/publish')
    const before = repository.ports.clock.now().getTime()
    const task = await api.call(`GET /task?task_id=${posted.body.data['task_id']}`)
    assert.deepEqual(task.body, {
      data: { task_id: posted.body.data['task_id'], state: 'PENDING' },
      message: 'Task state.',
    })
    assert.equal(repository.ports.clock.now().getTime() - before, 1000)
  })

  it('knows no other tasks', async () => {
    const api = apiOver(await bootstrapped())
    for (const id of ['f'.repeat(32), '../commits/000000000001', 'x', '']) {
      const refused = await api.call(`GET /task?task_id=${encodeURIComponent(id)}`)
      assert.equal(refused.status, 404, id)
      assert.equal(refused.body.detail['message'], 'Task not found.')
    }
    assert.equal((await api.call('GET /task')).status, 422)
  })
})

describe('the journal', () => {
  it('is shown newest first, in pages', async () => {
    const api = apiOver(await bootstrapped())
    for (const path of ['a', 'b', 'c']) await api.call('POST /artifacts', { body: { artifacts: [artifact(path)] } })
    const numbers = (answered: { body: { data: Record<string, unknown> } }) =>
      (answered.body.data['commits'] as { number: number }[]).map(({ number }) => number)
    const first = await api.call('GET /commits?limit=3')
    assert.deepEqual(numbers(first), [4, 3, 2])
    assert.equal(first.body.data['next'], 1)
    const second = await api.call('GET /commits?limit=3&newest=1')
    assert.deepEqual(numbers(second), [1])
    assert.equal(second.body.data['next'], undefined)
  })

  it('tells what one commit changed, and for whom', async () => {
    const api = apiOver(await bootstrapped())
    await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] } })
    const { body } = await api.call('GET /commits/2/')
    const [change] = body.data['changes'] as Record<string, unknown>[]
    assert.equal(change?.['path'], 'a')
    const [task] = body.data['tasks'] as Record<string, unknown>[]
    assert.equal(task?.['principal'], 'tester')
    assert.equal(task?.['task'], 'add_artifacts')
    assert.equal((await api.call('GET /commits/3')).status, 404)
    assert.equal((await api.call('GET /commits/last')).status, 422)
  })

  it('is empty before the bootstrap', async () => {
    const api = apiOver(testRepository())
    assert.deepEqual((await api.call('GET /commits')).body.data, { commits: [] })
    assert.equal((await api.call('GET /commits/1')).status, 404)
  })
})

describe('GET /status', () => {
  it('says what there is, what waits and what expires', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository, { ring: async () => {} })
    await api.call('POST /artifacts/publish')
    const { data } = (await api.call('GET /status')).body
    assert.equal((data['bootstrap'] as Record<string, unknown>)['state'], 'finished')
    assert.deepEqual(data['versions'], { root: 1, targets: 1, snapshot: 1, timestamp: 1 })
    assert.equal((data['tasks'] as Record<string, unknown>)['waiting'], 1)
    assert.match(String((data['commit'] as Record<string, unknown>)['head']), /^[0-9a-f]{64}$/)
    const expires = data['expires'] as { role: string }[]
    assert.deepEqual(
      expires.map(({ role }) => role),
      ['timestamp', 'snapshot', 'bins-0', 'targets', 'root'],
    )
    assert.equal(data['survives_seconds'], 24 * 60 * 60)
  })

  it('answers before the bootstrap too', async () => {
    const { data } = (await apiOver(testRepository()).call('GET /status')).body
    assert.deepEqual(data, { bootstrap: {}, tasks: { waiting: 0, more: false } })
  })
})

describe('GET /keys', () => {
  it('gives the public keys that a ceremony puts into the root', async () => {
    const repository = testRepository()
    const { data } = (await apiOver(repository).call('GET /keys')).body
    const [online] = repository.online
    assert.ok(online)
    assert.deepEqual(data['keys'], { [online.keyid]: online.key })
    const roles = { keyids: [online.keyid], threshold: 1 }
    assert.deepEqual(data['roles'], { targets: roles, snapshot: roles, timestamp: roles })
  })
})
