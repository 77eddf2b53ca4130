import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { publish } from '../../shared/repository/publish.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { apiOver, artifact, bootstrapBody } from '../support/api.ts'
import { signRole } from '../support/keys.ts'
import { oldRepository, rootAfter } from '../support/predecessor.ts'
import { bootstrapped, testRepository } from '../support/repository.ts'

describe('bootstrap', () => {
  it('is available, locked while it waits, and finished', async () => {
    const repository = testRepository()
    const api = apiOver(repository, { ring: async () => {} })
    const before = await api.call('GET /bootstrap/')
    assert.deepEqual(before.body, { data: { bootstrap: false }, message: 'System available for bootstrap.' })

    const posted = await api.call('POST /bootstrap/', { body: bootstrapBody(repository) })
    assert.equal(posted.status, 202)
    assert.equal(posted.body.message, 'Bootstrap accepted.')
    const id = posted.body.data['task_id']
    const waiting = await api.call('GET /bootstrap')
    assert.deepEqual(waiting.body, {
      data: { bootstrap: false, state: 'pre', id },
      message: 'System LOCKED for bootstrap.',
    })

    await publish(repository)
    const after = await api.call('GET /bootstrap')
    assert.deepEqual(after.body.data, { bootstrap: true, state: 'finished', id })
    const task = await api.call(`GET /task?task_id=${id}`)
    const result = task.body.data['result'] as Record<string, unknown>
    assert.equal(result['message'], 'Bootstrap Processed')
    assert.deepEqual(result['details'], { bootstrap: `Bootstrap finished ${id}` })
  })

  it('happens once; a retry of the same request is told of the same task', async () => {
    const repository = testRepository()
    const api = apiOver(repository)
    const sent = { body: bootstrapBody(repository), headers: { 'idempotency-key': 'ceremony' } }
    const first = await api.call('POST /bootstrap', sent)
    const retried = await api.call('POST /bootstrap', sent)
    assert.equal(retried.body.data['task_id'], first.body.data['task_id'])
    const second = await api.call('POST /bootstrap', { body: sent.body })
    assert.equal(second.status, 404)
    assert.deepEqual(second.body.detail, { error: 'System already has a Metadata. State: finished' })
  })

  it('says what is wrong before it says that it is too late', async () => {
    const api = apiOver(await bootstrapped())
    assert.equal((await api.call('POST /bootstrap', { body: {} })).status, 422)
  })

  it('makes either flavour of hash bins', async () => {
    for (const delegation of ['succinct_roles', 'path_hash_prefixes']) {
      const repository = testRepository()
      const api = apiOver(repository)
      const body = bootstrapBody(repository)
      Object.assign(body.settings.roles.bins, { delegation, number_of_delegated_bins: '16' })
      const posted = await api.call('POST /bootstrap', { body, headers: { prefer: 'wait=5' } })
      assert.equal(posted.body.data['state'], 'SUCCESS')
      const { body: config } = await api.call('GET /config')
      assert.equal(config.data['number_of_delegated_bins'], 16)
      assert.equal(config.data['bins_delegation'], delegation)
    }
  })

  it('delegates to custom roles, signed online, with days of their own', async () => {
    const repository = testRepository()
    const api = apiOver(repository)
    const { settings, ...rest } = bootstrapBody(repository)
    const { bins: _, ...topLevel } = settings.roles
    const role = { name: 'a', terminating: true, keyids: [], threshold: 1, paths: ['a/*'], 'x-rstuf-expire-policy': 5 }
    const roles = { ...topLevel, bins: null, delegations: { keys: {}, roles: [role] } }
    const posted = await api.call('POST /bootstrap', {
      body: { ...rest, settings: { roles } },
      headers: { prefer: 'wait=5' },
    })
    assert.equal(posted.body.data['state'], 'SUCCESS')
    assert.equal((await api.call('GET /config')).body.data['a_expiration'], 5)
    const added = await api.call('POST /artifacts', {
      body: { artifacts: [artifact('a/x')] },
      headers: { prefer: 'wait=5' },
    })
    assert.equal(added.body.data['state'], 'SUCCESS')
    const orphan = await api.call('POST /artifacts', {
      body: { artifacts: [artifact('b/x')] },
      headers: { prefer: 'wait=5' },
    })
    assert.equal(orphan.body.data['state'], 'ERRORED')
  })

  it('takes a repository over with its roots, and says what is wrong with them', async () => {
    const old = oldRepository()
    const repository = testRepository()
    const api = apiOver(repository)
    const root = parseJson(signRole(rootAfter(old, repository.online), old.holders).bytes)
    const predecessor = { roots: old.roots, highest_version: String(old.highestVersion) }
    const body = { ...bootstrapBody(repository), metadata: { root }, predecessor }
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ roots: [] }, /predecessor.*roots/],
      [{ roots: undefined }, /roots.*Is missing/],
      [{ roots: ['{"signed": {}}'] }, /roots.*0.*root\.json/],
      [{ roots: [root] }, /roots.*0.*a string/],
      [{ highest_version: 0 }, /highest_version.*from 1 to 1000000000/],
      [{ highest_version: 2 ** 31 }, /highest_version.*from 1 to 1000000000/],
      [{ highest_version: undefined }, /highest_version/],
    ]
    for (const [part, message] of wrong) {
      const answer = await api.call('POST /bootstrap', { body: { ...body, predecessor: { ...predecessor, ...part } } })
      assert.equal(answer.status, 422)
      assert.match(JSON.stringify(answer.body.detail), message)
    }
    const posted = await api.call('POST /bootstrap', { body, headers: { prefer: 'wait=5' } })
    assert.equal(posted.body.data['state'], 'SUCCESS')
    const commits = (await api.call('GET /commits')).body.data['commits'] as { number: number }[]
    assert.deepEqual(
      commits.map(({ number }) => number),
      [old.highestVersion + 1],
    )
  })

  it('ends as ERRORED where only the publisher can see the fault', async () => {
    const repository = testRepository()
    const api = apiOver(repository)
    const body = bootstrapBody({ rootKeys: repository.rootKeys, online: repository.rootKeys })
    const posted = await api.call('POST /bootstrap', { body, headers: { prefer: 'wait=5' } })
    assert.equal(posted.body.data['state'], 'ERRORED')
    const { error } = posted.body.data['result'] as { error: string }
    assert.match(error, /does not hold/)
    assert.deepEqual((await api.call('GET /bootstrap')).body.data, { bootstrap: false })
  })
})
