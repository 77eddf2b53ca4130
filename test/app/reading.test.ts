import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseJson } from '../../shared/tuf/json.ts'
import { apiOver, artifact } from '../support/api.ts'
import { signatureOf } from '../support/holders.ts'
import { makeKey, signRoot } from '../support/keys.ts'
import { many } from '../support/long-work.ts'
import { bootstrapped, restarted, signerOf, type TestRepository, testRepository } from '../support/repository.ts'

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

  it('tells no more than an answer may hold, and where the rest is', async () => {
    const api = apiOver(await bootstrapped())
    const artifacts = many(9).map((path) => artifact(path, { custom: { said: 'x'.repeat(500_000) } }))
    await api.call('POST /artifacts', { body: { artifacts } })
    const pathsOf = ({ body }: { body: { data: Record<string, unknown> } }) =>
      (body.data['changes'] as { path: string }[]).map(({ path }) => path)
    const first = await api.call('GET /commits/2')
    const paged = pathsOf(first)
    assert.deepEqual([paged.length, first.body.data['next']], [5, 5])
    const second = await api.call('GET /commits/2/changes?offset=5')
    assert.deepEqual([...paged, ...pathsOf(second)].sort(), many(9))
    assert.deepEqual(pathsOf(await api.call('GET /commits/2/changes')), paged)
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

  it('names the roles that the service should sign and has lost the keys for', async () => {
    const repository = await bootstrapped()
    const lacking = async (signers: TestRepository['ports']['signers']) => {
      const service = restarted({ ...repository, ports: { ...repository.ports, signers } })
      return (await apiOver(service).call('GET /status')).body.data['keys_not_held']
    }
    const keyids = repository.online.map(({ keyid }) => keyid)
    const roles = ['timestamp', 'snapshot', 'targets', 'bins']
    assert.deepEqual(
      await lacking([signerOf(makeKey())]),
      roles.map((role) => ({ role, keyids, threshold: 1 })),
    )
    assert.deepEqual(await lacking(repository.ports.signers), [])
  })

  it('answers before the bootstrap too', async () => {
    const { data } = (await apiOver(testRepository()).call('GET /status')).body
    assert.deepEqual(data, { bootstrap: {}, tasks: { waiting: 0, more: false }, awaited_signatures: [] })
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

describe('GET /delegations', () => {
  it('tells who is trusted with what, who signs, and what waits for whom', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const [ann, bob] = [makeKey(), makeKey('ecdsa')]
    const role = { name: 'project', terminating: true, keyids: [], threshold: 1, paths: ['project/*'] }
    await api.call('POST /delegations', { body: { delegations: { roles: [role] } } })
    const keys = Object.fromEntries([ann, bob].map(({ keyid, key }) => [keyid, key]))
    const held = { ...role, name: 'held', paths: ['held/*'], keyids: [ann.keyid, bob.keyid], threshold: 2 }
    await api.call('POST /delegations', { body: { delegations: { keys, roles: [{ ...held, before: ['project'] }] } } })
    await api.call('POST /metadata/sign', { body: await signatureOf(api, 'held', bob) })

    const expected = [{ threshold: 2, signed: [bob.keyid], unsigned: [ann.keyid] }]
    const listed = async () => {
      const { data } = (await api.call('GET /delegations')).body
      const roles = data['roles'] as { name: string; online: boolean; expires: string; bins?: { number: number } }[]
      return { roles, awaited: data['awaited_signatures'] as { role: string; groups: unknown }[] }
    }
    const before = await listed()
    assert.deepEqual(
      before.roles.map(({ name, online, bins }) => [name, online, bins?.number]),
      [
        ['targets', true, undefined],
        ['project', true, undefined],
        ['bins', true, 4],
      ],
    )
    assert.deepEqual(
      before.awaited.map(({ role, groups }) => [role, groups]),
      [['held', expected]],
    )
    const status = (await api.call('GET /status')).body.data
    assert.deepEqual(status['awaited_signatures'], before.awaited)
    assert.deepEqual(status['signed_offline'], [])

    await api.call('POST /metadata/sign', { body: await signatureOf(api, 'held', ann) })
    const after = await listed()
    assert.deepEqual(
      after.roles.map(({ name, online }) => [name, online]),
      [
        ['targets', true],
        ['held', false],
        ['project', true],
        ['bins', true],
      ],
    )
    assert.deepEqual(after.awaited, [])
    const [offline] = (await api.call('GET /status')).body.data['signed_offline'] as Record<string, unknown>[]
    assert.deepEqual(offline, { role: 'held', version: 3, expires: after.roles[1]?.expires })
  })

  it('of what only its holders can sign anew, shows in the status what they should sign now', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const status = async () => (await api.call('GET /status')).body.data
    assert.deepEqual((await status())['to_renew'], [])
    repository.pass(280 * 24 * 60 * 60 * 1000)
    const { to_renew: due, expires } = await status()
    assert.deepEqual(
      due,
      (expires as { role: string }[]).filter(({ role }) => role === 'root'),
    )
  })

  it('shows hash bins of both kinds as one row', async () => {
    for (const delegation of ['succinct_roles', 'path_hash_prefixes'] as const) {
      const api = apiOver(await bootstrapped({ delegations: { delegation, number: 8 } }))
      const { data } = (await api.call('GET /delegations')).body
      const [targets, ...others] = data['roles'] as Record<string, Record<string, unknown>>[]
      assert.deepEqual([targets?.['bins']?.['number'], targets?.['bins']?.['delegation']], [8, delegation])
      assert.equal(others.length, 0)
    }
  })

  it('is not there before the bootstrap', async () => {
    assert.equal((await apiOver(testRepository()).call('GET /delegations')).status, 404)
  })
})

describe('a change of online keys', () => {
  it('is in the status, with its end, until it is over', async () => {
    const first = await bootstrapped()
    const next = makeKey('ecdsa')
    const signers = [...first.online, next].map(signerOf)
    const repository = { ...first, ...restarted({ ...first, ports: { ...first.ports, signers } }) }
    const api = apiOver(repository)
    const root = signRoot({ root: first.rootKeys, threshold: 2, online: [next], version: 2 })
    await api.call('POST /metadata', { body: { metadata: { root: parseJson(root.bytes) } } })
    const now = repository.ports.clock.now().getTime()
    const rotation = async () => {
      const { data } = (await api.call('GET /status')).body
      assert.deepEqual(data['keys_not_held'], [])
      return data['rotation']
    }
    assert.deepEqual(await rotation(), { compromised: false, ends: new Date(now + 600_000).toISOString() })
    repository.pass(600_000)
    await api.call('POST /metadata/online', { body: { roles: ['timestamp'] } })
    assert.equal(await rotation(), undefined)
  })
})
