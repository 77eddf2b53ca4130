import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultClients } from '../../shared/repository/clients.ts'
import { apiOver } from '../support/api.ts'
import { decided } from '../support/holders.ts'
import { founded } from '../support/offline-targets.ts'
import { bootstrapped, testRepository } from '../support/repository.ts'

describe('config', () => {
  it('is flat and in lower case', async () => {
    const api = apiOver(await bootstrapped())
    const { body } = await api.call('GET /config/')
    assert.equal(body.message, 'Current Settings')
    assert.equal(body.data['number_of_delegated_bins'], 4)
    assert.equal(body.data['timestamp_expiration'], 1)
    assert.equal(body.data['root_threshold'], 2)
    assert.equal(body.data['root_num_keys'], 2)
    assert.equal(body.data['targets_online_key'], true)
  })

  it('says whether the service signs targets', async () => {
    const { body } = await apiOver(await founded()).call('GET /config')
    assert.equal(body.data['targets_online_key'], false)
    assert.equal(body.data['targets_num_keys'], 3)
  })

  it('changes how long roles live', async () => {
    const api = apiOver(await bootstrapped())
    const body = { settings: { expiration: { timestamp: '2', bins: 5, nobody: 1 } } }
    const put = await api.call('PUT /config/', { body })
    assert.equal(put.status, 202)
    assert.equal(put.body.message, 'Settings successfully submitted.')
    const task = await api.call(`GET /task?task_id=${put.body.data['task_id']}`)
    const { details } = task.body.data['result'] as { details: object }
    assert.deepEqual(details, { updated_roles: ['timestamp', 'bins'], invalid_roles: ['nobody'] })
    const config = await api.call('GET /config')
    assert.equal(config.body.data['timestamp_expiration'], 2)
  })

  it('says which clients are served, and changes them', async () => {
    const api = apiOver(await bootstrapped())
    assert.deepEqual((await api.call('GET /config')).body.data['clients'], defaultClients)
    const body = { settings: { clients: ['tough', 'python-tuf', 'tough'] } }
    const { state, details } = await decided(api, 'PUT /config', body)
    assert.equal(state, 'SUCCESS')
    assert.deepEqual(details['clients'], ['python-tuf', 'tough'])
    assert.deepEqual((await api.call('GET /config')).body.data['clients'], ['python-tuf', 'tough'])
    const { served, warnings } = (await api.call('GET /status')).body.data['clients'] as Record<string, string[]>
    assert.deepEqual(served, ['python-tuf', 'tough'])
    assert.match(String(warnings), /^tough 0\.24 cannot read this repository/)
    for (const settings of [{}, { clients: [] }, { clients: ['nobody'] }, { clients: 'tough' }])
      assert.equal((await api.call('PUT /config', { body: { settings } })).status, 422, JSON.stringify(settings))
  })

  it('is not there before the bootstrap', async () => {
    const api = apiOver(testRepository())
    for (const answered of [
      await api.call('GET /config'),
      await api.call('PUT /config', { body: { settings: { expiration: { bins: 1 } } } }),
    ]) {
      assert.equal(answered.status, 404)
      assert.equal(answered.body.detail['message'], 'No Repository Settings/Config found.')
    }
  })
})

describe('POST /metadata/online', () => {
  it('signs online roles anew', async () => {
    const api = apiOver(await bootstrapped())
    const posted = await api.call('POST /metadata/online', { body: { roles: [] } })
    assert.equal(posted.body.message, 'Force online metadata update accepted.')
    const task = await api.call(`GET /task?task_id=${posted.body.data['task_id']}`)
    assert.equal(task.body.data['state'], 'SUCCESS')
    assert.equal((await api.call('POST /metadata/online', { body: { roles: ['bins', 'snapshot'] } })).status, 202)
  })

  it('is not taken before the bootstrap', async () => {
    const refused = await apiOver(testRepository()).call('POST /metadata/online', { body: { roles: [] } })
    assert.equal(refused.status, 404)
    assert.equal(refused.body.detail['message'], 'Task not accepted.')
  })
})
