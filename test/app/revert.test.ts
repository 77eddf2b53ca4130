import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { principal } from '../../shared/app/principal.ts'
import { apiOver, artifact } from '../support/api.ts'
import { bootstrapped, testRepository } from '../support/repository.ts'

describe('POST /revert', () => {
  it('publishes the targets of an earlier commit again', async () => {
    const api = apiOver(await bootstrapped())
    await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] } })
    await api.call('POST /artifacts', { body: { artifacts: [artifact('a', { length: 2 }), artifact('b')] } })
    const accepted = await api.call('POST /revert', { body: { commit: '2' } })
    assert.equal(accepted.status, 202)
    assert.equal(accepted.body.message, 'Revert accepted.')
    const { body } = await api.call(`GET /task?task_id=${accepted.body.data['task_id']}`)
    const { details } = body.data['result'] as { details: object }
    assert.deepEqual(
      { ...details, artifact_roles: undefined },
      {
        commit: 2,
        restored: 1,
        removed: 1,
        restored_artifacts: ['a'],
        removed_artifacts: ['b'],
        artifact_roles: undefined,
      },
    )
    const shown = await api.call('GET /artifacts?path=a')
    assert.deepEqual([(shown.body.data['info'] as { length: number }).length, shown.body.data['commit']], [1, 4])
    assert.equal((await api.call('GET /artifacts?path=b')).status, 404)
    const { changes } = (await api.call('GET /commits/4')).body.data as {
      changes: { before?: object; after?: object }[]
    }
    assert.deepEqual(changes.map(({ before, after }) => [before !== undefined, after !== undefined]).sort(), [
      [true, false],
      [true, true],
    ])
  })

  it('ends as ERRORED for a commit that there never was, with the reason', async () => {
    const api = apiOver(await bootstrapped())
    const { body } = await api.call('POST /revert', { body: { commit: 9 }, headers: { prefer: 'wait=5' } })
    assert.equal(body.data['state'], 'ERRORED')
    assert.match(JSON.stringify(body.data), /There is no commit 9/)
  })

  it('is refused with a body that names no commit, before the bootstrap, and to who may only publish', async () => {
    const repository = await bootstrapped()
    for (const commit of [undefined, 0, -1, 1.5, 'x', null])
      assert.equal((await apiOver(repository).call('POST /revert', { body: { commit } })).status, 422, String(commit))
    assert.equal((await apiOver(testRepository()).call('POST /revert', { body: { commit: 1 } })).status, 404)
    const builds = apiOver(repository, { authenticate: async () => principal('builds', 'publish') })
    assert.equal((await builds.call('POST /revert', { body: { commit: 1 } })).status, 403)
  })
})
