import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { specVersion, type Targets } from '../../shared/tuf/metadata.ts'
import { signedFromJson } from '../../shared/tuf/signed.ts'
import { apiOver, artifact, type TestApi } from '../support/api.ts'
import { clientNow } from '../support/client.ts'
import { decided, pending, signatureOf } from '../support/holders.ts'
import { inAYear, makeKey, makeRoot, signRole, type TestKey } from '../support/keys.ts'
import { bootstrapped, testRepository } from '../support/repository.ts'

const wait = { prefer: 'wait=5' }

const online = (name: string, ...paths: string[]) => ({ name, terminating: true, keyids: [], threshold: 1, paths })

/** As the `rstuf` command sends it. */
const offline = (name: string, holders: readonly TestKey[], ...paths: string[]) => ({
  delegations: {
    keys: Object.fromEntries(holders.map(({ keyid, key }) => [keyid, { ...key, 'x-rstuf-key-name': 'somebody' }])),
    roles: [
      {
        ...online(name, ...paths),
        keyids: holders.map(({ keyid }) => keyid),
        threshold: holders.length,
        'x-rstuf-expire-policy': 20,
      },
    ],
  },
})

const delegations = (...roles: object[]) => ({ delegations: { keys: {}, roles } })

async function signWaiting(api: TestApi, role: string, holders: readonly TestKey[]) {
  for (const holder of holders) {
    const body = await signatureOf(api, role, holder)
    assert.equal((await decided(api, 'POST /metadata/sign', body)).state, 'SUCCESS')
  }
}

describe('POST /delegations', () => {
  it('adds a role that is signed online, beside hash bins', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const posted = await api.call('POST /delegations/', { body: delegations(online('a', 'a/*')) })
    assert.equal(posted.status, 202)
    assert.equal(posted.body.message, 'Metadata delegation add accepted.')
    const task = await api.call(`GET /task?task_id=${posted.body.data['task_id']}`)
    const result = task.body.data['result'] as Record<string, unknown>
    assert.equal(result['task'], 'metadata_delegation')
    assert.equal(result['message'], 'Metadata Delegation Processed')
    assert.deepEqual(result['details'], { delegated_roles: ['a'], failed_roles: [] })
    await decided(api, 'POST /artifacts', { artifacts: [artifact('a/x'), artifact('b/x')] })
    const shown = await api.call('GET /artifacts?path=a%2Fx')
    assert.equal(shown.body.data['role'], 'a')
    const client = await clientNow(repository)
    assert.ok((await client.find('a/x')) && (await client.find('b/x')))
  })

  it('answers with the message that whoever asks waits for', async () => {
    const api = apiOver(await bootstrapped())
    const [ours, rstuf] = ['Metadata delegation add accepted.', 'New Metadata accepted.']
    const role = (name: string) => ({ ...online(name, `${name}/*`), 'x-rstuf-expire-policy': 30 })
    for (const [agent, sent, message] of [
      ['python-requests/2.34.2', role('a'), rstuf],
      ['python-requests/2.34.2', online('b', 'b/*'), ours],
      ['curl/8.5.0', role('c'), ours],
      [undefined, role('d'), ours],
    ] as const) {
      const headers = { ...(agent !== undefined && { 'user-agent': agent }) }
      const { status, body } = await api.call('POST /delegations', { headers, body: delegations(sent) })
      assert.deepEqual([status, body.message], [202, message], `${agent}, ${sent.name}`)
    }
  })

  it('has a role of other holders wait until they have signed it', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const holders = [makeKey(), makeKey('ecdsa')]
    const task = await decided(api, 'POST /delegations', offline('vendor', holders, 'vendor/*'))
    assert.equal(task.state, 'SUCCESS')
    const waiting = await pending(api)
    assert.deepEqual(Object.keys(waiting), ['vendor', 'trusted_targets'])
    // The role is not delegated to yet; who is to sign it, the holders' tools look up there.
    const trusted = waiting['trusted_targets']
    assert.ok(trusted)
    const listed = signedFromJson('targets', { ...trusted }).signed.delegations?.roles?.find(
      ({ name }) => name === 'vendor',
    )
    assert.deepEqual(
      listed?.keyids,
      holders.map(({ keyid }) => keyid),
    )
    assert.deepEqual(listed?.paths, ['vendor/*'])

    await signWaiting(api, 'vendor', holders)
    assert.deepEqual(await pending(api), {})
    await decided(api, 'POST /artifacts', { artifacts: [artifact('vendor/x')] })
    assert.deepEqual(Object.keys(await pending(api)), ['vendor', 'trusted_targets'])
    assert.equal((await pending(api))['trusted_targets']?.signatures.length, 1)
    await signWaiting(api, 'vendor', holders)
    const client = await clientNow(repository)
    assert.ok(await client.find('vendor/x'))
  })

  it('may be stopped before they have', async () => {
    const api = apiOver(await bootstrapped())
    await decided(api, 'POST /delegations', offline('vendor', [makeKey()], 'vendor/*'))
    const stopped = await decided(api, 'POST /metadata/sign/delete', { role: 'vendor' })
    assert.equal(stopped.message, 'Deletion of vendor metadata successful, signing process stopped')
    assert.deepEqual(await pending(api), {})
  })

  it('says in the task why a role cannot be', async () => {
    const api = apiOver(await bootstrapped())
    await decided(api, 'POST /delegations', delegations(online('a', 'a/*')))
    const cases = [
      [delegations(online('a', 'b/*')), /There is a role a already/],
      [delegations(online('bins', 'b/*')), /hash bins/],
      [delegations({ ...online('b', 'b/*'), keyids: ['00'.repeat(32)] }), /not among the delegations' keys/],
      [delegations({ ...online('b', 'b/*'), threshold: 2 }), /asks for 2 signatures/],
    ] as const
    for (const [body, reason] of cases) {
      const task = await decided(api, 'POST /delegations', body)
      assert.equal(task.state, 'ERRORED')
      assert.match(String(task.error), reason)
    }
  })

  it('does not understand a role without paths, under a bad name, or with a key that is not what its keyid says', async () => {
    const api = apiOver(await bootstrapped())
    const { key } = makeKey()
    for (const body of [
      {},
      delegations(),
      delegations(online('a')),
      delegations(online('../x', 'a/*')),
      delegations(online('root', 'a/*')),
      delegations(online('a', 'a//*')),
      delegations({ ...online('a', 'a/*'), threshold: 0 }),
      delegations({ ...online('a', 'a/*'), bins: { number_of_delegated_bins: 3 } }),
      { delegations: { keys: { abc: key }, roles: [online('a', 'a/*')] } },
    ]) {
      for (const request of ['POST /delegations', 'PUT /delegations'])
        assert.equal((await api.call(request, { body })).status, 422, JSON.stringify(body))
    }
  })
})

describe('PUT /delegations', () => {
  it('changes a role, and moves its artifacts', async () => {
    const api = apiOver(await bootstrapped())
    await decided(api, 'POST /delegations', delegations(online('a', 'a/*')))
    await decided(api, 'POST /artifacts', { artifacts: [artifact('a/x'), artifact('b/x')] })
    const put = await api.call('PUT /delegations', { body: delegations(online('a', 'b/*')), headers: wait })
    assert.equal(put.body.data['state'], 'SUCCESS')
    assert.equal((await api.call('GET /artifacts?path=b%2Fx')).body.data['role'], 'a')
    assert.notEqual((await api.call('GET /artifacts?path=a%2Fx')).body.data['role'], 'a')
    const accepted = await api.call('PUT /delegations', { body: delegations(online('a', 'a/*')) })
    assert.equal(accepted.body.message, 'Metadata delegation update accepted.')
  })

  it('says in the task that there is no such role', async () => {
    const task = await decided(apiOver(await bootstrapped()), 'PUT /delegations', delegations(online('a', 'a/*')))
    assert.equal(task.state, 'ERRORED')
    assert.match(String(task.error), /There is no custom role a/)
  })

  it('refuses to leave artifacts to nobody, unless it is asked to remove them', async () => {
    const custom = [{ ...online('a', 'a/*'), name: 'a' as never }]
    const api = apiOver(await bootstrapped({ delegations: { keys: {}, roles: custom } }))
    await decided(api, 'POST /artifacts', { artifacts: [artifact('a/x')] })
    const body = delegations(online('a', 'b/*'))
    assert.equal((await decided(api, 'PUT /delegations', body)).state, 'ERRORED')
    assert.equal((await decided(api, 'PUT /delegations', { ...body, remove_artifacts: true })).state, 'SUCCESS')
    assert.equal((await api.call('GET /artifacts?path=a%2Fx')).status, 404)
  })
})

describe('POST /delegations/delete', () => {
  it('takes roles out, with their artifacts', async () => {
    const api = apiOver(await bootstrapped())
    await decided(api, 'POST /delegations', delegations(online('a', 'a/*')))
    await decided(api, 'POST /artifacts', { artifacts: [artifact('a/x')] })
    const posted = await api.call('POST /delegations/delete/', { body: { delegations: { roles: [{ name: 'a' }] } } })
    assert.equal(posted.status, 202)
    assert.equal(posted.body.message, 'Metadata delegation delete accepted.')
    assert.equal((await api.call('GET /artifacts?path=a%2Fx')).status, 404)
  })

  it('says in the task that there is no such role, and does not understand a name that cannot be', async () => {
    const api = apiOver(await bootstrapped())
    const body = (name: string) => ({ delegations: { roles: [{ name }] } })
    assert.equal((await decided(api, 'POST /delegations/delete', body('a'))).state, 'ERRORED')
    assert.equal((await api.call('POST /delegations/delete', { body: body('../a') })).status, 422)
    assert.equal((await api.call('POST /delegations/delete', { body: delegations() })).status, 422)
  })
})

describe('POST /delegations/renew', () => {
  it('has the holders of roles asked to sign them anew', async () => {
    const api = apiOver(await bootstrapped())
    const holder = makeKey()
    await api.call('POST /delegations', { body: offline('project', [holder], 'project/*') })
    await signWaiting(api, 'project', [holder])
    const posted = await api.call('POST /delegations/renew/', { body: { roles: ['project'] } })
    assert.deepEqual([posted.status, posted.body.message], [202, 'Metadata delegation renew accepted.'])
    assert.deepEqual(Object.keys(await pending(api)), ['project', 'trusted_targets'])
    await signWaiting(api, 'project', [holder])
  })

  it('says in the task why there is nothing to do, and does not understand a name that cannot be', async () => {
    const api = apiOver(await bootstrapped())
    for (const [body, why] of [
      [{ roles: ['nobody'] }, /There is no custom role nobody/],
      [{ roles: [] }, /has the current online keys already/],
      [{}, /has the current online keys already/],
    ] as const) {
      const { state, error } = await decided(api, 'POST /delegations/renew', body)
      assert.equal(state, 'ERRORED')
      assert.match(error ?? '', why)
    }
    assert.equal((await api.call('POST /delegations/renew', { body: { roles: ['../x'] } })).status, 422)
  })
})

describe('POST /delegations/{role}/metadata', () => {
  const info = { length: 1, hashes: { sha256: 'ab'.repeat(32) }, 'x-vendor': ['kept'] }
  const file = (version: number, holders: readonly TestKey[]) => {
    const expires = formatExpires(inAYear())
    const targets = new Map([['vendor/x', info]])
    const metadata: Targets = { _type: 'targets', spec_version: specVersion, version, expires, targets }
    return { metadata: parseJson(signRole(metadata, holders).bytes) }
  }

  it('publishes what the holders of a role have made themselves', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const holders = [makeKey()]
    await decided(api, 'POST /delegations', offline('vendor', holders, 'vendor/*'))
    await signWaiting(api, 'vendor', holders)
    const before = (await api.call('GET /status')).body.data as { commit: { number: number } }
    const body = file(before.commit.number, holders)
    const posted = await api.call('POST /delegations/vendor/metadata', { body, headers: wait })
    assert.equal(posted.body.data['state'], 'SUCCESS', JSON.stringify(posted.body))
    const client = await clientNow(repository)
    assert.ok(await client.find('vendor/x'))
    assert.deepEqual((await api.call('GET /artifacts?path=vendor/x')).body.data['info'], info)
    const { commit } = (await api.call('GET /status')).body.data as typeof before
    for (const path of [`/commits/${commit.number}`, `/commits/${commit.number}/changes`]) {
      const { changes } = (await api.call(`GET ${path}`)).body.data as { changes: { after: unknown }[] }
      assert.deepEqual(changes[0]?.after, info)
    }

    const again = await api.call('POST /delegations/vendor/metadata', { body: file(1, [makeKey()]) })
    assert.equal(again.status, 202)
    assert.equal(again.body.message, 'Delegated metadata accepted.')
    const task = await api.call(`GET /task?task_id=${again.body.data['task_id']}`)
    assert.equal(task.body.data['state'], 'ERRORED')
  })

  it('does not understand what is no metadata of a delegated role', async () => {
    const api = apiOver(await bootstrapped())
    for (const body of [{}, { metadata: {} }, { metadata: { signatures: [], signed: { _type: 'root' } } }])
      assert.equal((await api.call('POST /delegations/vendor/metadata', { body })).status, 422)
    assert.equal((await api.call('POST /delegations/root/metadata', { body: file(1, []) })).status, 422)
  })
})

describe('delegations', () => {
  it('are not taken before the bootstrap', async () => {
    const api = apiOver(testRepository())
    const targets = { _type: 'targets', spec_version: specVersion, version: 1, targets: {} }
    const metadata = { signatures: [], signed: { ...targets, expires: formatExpires(inAYear()) } }
    for (const [request, body] of [
      ['POST /delegations', delegations(online('a', 'a/*'))],
      ['PUT /delegations', delegations(online('a', 'a/*'))],
      ['POST /delegations/delete', delegations(online('a', 'a/*'))],
      ['POST /delegations/renew', { roles: ['a'] }],
      ['POST /delegations/a/metadata', { metadata }],
    ] as const) {
      const refused = await api.call(request, { body })
      assert.equal(refused.status, 404, request)
      assert.equal(refused.body.detail['message'], 'Task not accepted.')
    }
  })

  it('go on while a root waits for signatures', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const next = makeRoot({ version: 2, root: repository.rootKeys, online: repository.online, threshold: 2 })
    const root = parseJson(signRole(next, []).bytes)
    assert.equal((await decided(api, 'POST /metadata', { metadata: { root } })).state, 'SUCCESS')
    assert.equal((await decided(api, 'POST /delegations', offline('vendor', [makeKey()], 'v/*'))).state, 'SUCCESS')
    assert.deepEqual(Object.keys(await pending(api)).sort(), ['root', 'trusted_root', 'trusted_targets', 'vendor'])
  })
})
