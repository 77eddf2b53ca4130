import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Repository } from '../../shared/repository/repository.ts'
import { canonicalBytes } from '../../shared/tuf/canonical.ts'
import { type Json, parseJson } from '../../shared/tuf/json.ts'
import { apiOver, artifact, bootstrapBody, type TestApi } from '../support/api.ts'
import { clientNow } from '../support/client.ts'
import { decided, pending, signatureOf } from '../support/holders.ts'
import { makeKey, makeRoot, type RootOptions, signatureBy, signRole, type TestKey } from '../support/keys.ts'
import { bootstrapped, signerOf, type TestRepository, testRepository } from '../support/repository.ts'

/** The body that submits the next root, signed by these. */
function updateOf(
  { rootKeys, online }: Pick<TestRepository, 'rootKeys' | 'online'>,
  signers: readonly TestKey[],
  options: Partial<RootOptions> = {},
) {
  const root = makeRoot({ version: 2, root: rootKeys, online, threshold: 2, ...options })
  return { metadata: { root: parseJson(signRole(root, signers).bytes) } }
}

/** A repository whose next root has one of its two signatures. */
async function signing() {
  const repository = await bootstrapped()
  const api = apiOver(repository)
  const [first, second] = repository.rootKeys as [TestKey, TestKey]
  const body = updateOf(repository, [first])
  assert.equal((await api.call('POST /metadata', { body })).status, 202)
  return { repository, api, body, first, second }
}

describe('POST /metadata', () => {
  it('publishes a root with enough signatures', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const body = updateOf(repository, repository.rootKeys, { expires: new Date('2030-01-01T00:00:00Z') })
    const posted = await api.call('POST /metadata/', { body })
    assert.equal(posted.status, 202)
    assert.equal(posted.body.message, 'Metadata update accepted.')
    const task = await api.call(`GET /task?task_id=${posted.body.data['task_id']}`)
    const result = task.body.data['result'] as Record<string, unknown>
    assert.equal(result['message'], 'Metadata Update Processed')
    assert.deepEqual(result['details'], { role: 'root' })
    const client = await clientNow(repository)
    assert.equal(client.trusted.root?.signed.expires, '2030-01-01T00:00:00Z')
    assert.equal((await api.call('GET /metadata/sign')).body.data, undefined)
  })

  it('has one with fewer wait, while artifacts go on', async () => {
    const { repository, api, body } = await signing()
    const { root, trusted_root } = await pending(api)
    assert.deepEqual(root, body.metadata.root)
    assert.deepEqual(
      trusted_root,
      parseJson((await repository.ports.metadata.read('1.root.json'))?.bytes ?? Buffer.of()),
    )
    assert.deepEqual(Object.keys(await pending(api)), ['root', 'trusted_root'])
    assert.equal((await decided(api, 'POST /artifacts', { artifacts: [artifact('a')] })).state, 'SUCCESS')
    const config = await decided(api, 'PUT /config', { settings: { expiration: { bins: 3 } } })
    assert.equal(config.state, 'SUCCESS')
    assert.equal((await decided(api, 'POST /metadata/online', { roles: [] })).state, 'SUCCESS')
    assert.ok((await pending(api))['root'])
  })

  it('says in the task why another one does not wait beside it', async () => {
    const { api, body } = await signing()
    const second = await decided(api, 'POST /metadata', body)
    assert.equal(second.state, 'ERRORED')
    assert.match(String(second.error), /Another root waits for signatures/)
    assert.equal(second.message, 'Metadata Update Failed')
  })

  it('takes online keys away at once if they are compromised', async () => {
    const repository = await bootstrapped()
    const next = makeKey('ecdsa')
    const { ports } = repository
    const both: Repository = { ...repository, ports: { ...ports, signers: [...ports.signers, signerOf(next)] } }
    const api = apiOver(both)
    const body = { ...updateOf(repository, repository.rootKeys, { online: [next] }), compromised: true }
    assert.equal((await decided(api, 'POST /metadata', body)).state, 'SUCCESS')
    assert.equal((await decided(api, 'POST /artifacts', { artifacts: [artifact('a')] })).state, 'SUCCESS')
    const client = await clientNow(repository)
    assert.deepEqual(
      client.trusted.timestamp?.signatures.map(({ keyid }) => keyid),
      [next.keyid],
    )
  })

  it('refuses in the task what only the publisher can see', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const stranger = makeKey()
    const cases = [
      [updateOf(repository, repository.rootKeys, { version: 3 }), /next one has 2, not 3/],
      [updateOf(repository, [stranger]), /may not sign this/],
      [updateOf(repository, repository.rootKeys, { online: [stranger] }), /which this service does not hold/],
      [updateOf(repository, repository.rootKeys, { expires: new Date(0) }), /expired at 1970/],
      [updateOf(repository, repository.rootKeys, { threshold: 3 }), /lower the threshold/],
    ] as const
    for (const [body, reason] of cases) {
      const task = await decided(api, 'POST /metadata', body)
      assert.equal(task.state, 'ERRORED')
      assert.match(String(task.error), reason)
    }
    assert.equal((await api.call('GET /metadata/sign')).body.data, undefined)
  })

  it('does not understand what is no root', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const { root } = updateOf(repository, []).metadata as { root: { signed: object } }
    for (const body of [
      {},
      { metadata: {} },
      { metadata: { targets: root } },
      { metadata: { root: [] } },
      { metadata: { root: { signatures: [] } } },
      { metadata: { root: { ...root, signed: { ...root.signed, _type: 'targets' } } } },
      { metadata: { root: { ...root, signed: { ...root.signed, expires: 'soon' } } } },
      { metadata: { root }, compromised: 'yes' },
    ]) {
      assert.equal((await api.call('POST /metadata', { body })).status, 422, JSON.stringify(body))
    }
  })

  it('is not taken before the bootstrap, nor while that waits for signatures', async () => {
    const repository = testRepository()
    const api = apiOver(repository)
    const body = updateOf(repository, repository.rootKeys)
    const early = await api.call('POST /metadata', { body })
    assert.equal(early.status, 404)
    assert.equal(early.body.detail['message'], 'Task not accepted.')
    await beginBootstrap(api, repository)
    const soon = await api.call('POST /metadata', { body })
    assert.equal(soon.status, 404)
    assert.match(String(soon.body.detail['error']), /State: signing\. Wait for it: .* who has to sign still/)
  })
})

/** A bootstrap with one of its two signatures. */
async function beginBootstrap(api: TestApi, repository: TestRepository) {
  const body = bootstrapBody(repository)
  const { signed, signatures } = body.metadata.root as { signed: Json; signatures: Json[] }
  const metadata = { root: { signed, signatures: signatures.slice(0, 1) } }
  assert.equal((await api.call('POST /bootstrap', { body: { ...body, metadata } })).status, 202)
}

describe('GET /metadata/sign', () => {
  it('says so where nothing waits', async () => {
    const { status, body } = await apiOver(await bootstrapped()).call('GET /metadata/sign')
    assert.equal(status, 200)
    assert.deepEqual(body, { message: 'No metadata pending signing available' })
  })

  it('says what waits', async () => {
    const { api } = await signing()
    const { body } = await api.call('GET /metadata/sign')
    assert.equal(body.message, 'Metadata role(s) pending signing')
  })

  it('is not there before a bootstrap; shows the first root, which follows no other, while that waits', async () => {
    const repository = testRepository()
    const api = apiOver(repository)
    const early = await api.call('GET /metadata/sign')
    assert.equal(early.status, 404)
    assert.equal(early.body.detail['message'], 'No metadata pending signing available')
    await beginBootstrap(api, repository)
    const waiting = await pending(api)
    assert.deepEqual(Object.keys(waiting), ['root'])
    assert.equal(waiting['root']?.signatures.length, 1)
    assert.deepEqual((await api.call('GET /bootstrap')).body, {
      data: { bootstrap: false, state: 'signing' },
      message: 'System LOCKED for bootstrap.',
    })
  })
})

describe('POST /metadata/sign', () => {
  it('adds a signature; the one that completes a root publishes it', async () => {
    const { repository, api, second } = await signing()
    const body = await signatureOf(api, 'root', second)
    const posted = await api.call('POST /metadata/sign/', { body })
    assert.equal(posted.status, 202)
    assert.equal(posted.body.message, 'Metadata sign accepted.')
    const task = await api.call(`GET /task?task_id=${posted.body.data['task_id']}`)
    const result = task.body.data['result'] as Record<string, unknown>
    assert.deepEqual(
      [result['message'], result['details']],
      ['Signature Processed', { update: 'Metadata update finished' }],
    )
    assert.ok(await repository.ports.metadata.read('2.root.json'))
  })

  it('founds the repository when it completes the first root', async () => {
    const repository = testRepository()
    const api = apiOver(repository)
    await beginBootstrap(api, repository)
    const body = await signatureOf(api, 'root', repository.rootKeys[1] as TestKey)
    const task = await decided(api, 'POST /metadata/sign', body)
    assert.equal(task.state, 'SUCCESS')
    assert.match(String(task.details['bootstrap']), /^Bootstrap finished [0-9a-f]{32}$/)
    assert.equal((await api.call('GET /bootstrap')).body.data['state'], 'finished')
  })

  it('takes the signatures of two holders at once', async () => {
    const repository = await bootstrapped()
    const api = apiOver(repository)
    const third = makeKey()
    const root = [...repository.rootKeys, third]
    assert.equal((await decided(api, 'POST /metadata', updateOf(repository, [], { root }))).state, 'SUCCESS')
    const bodies = await Promise.all(root.slice(0, 2).map((holder) => signatureOf(api, 'root', holder)))
    const tasks = await Promise.all(bodies.map((body) => decided(api, 'POST /metadata/sign', body)))
    assert.deepEqual(
      tasks.map(({ state }) => state),
      ['SUCCESS', 'SUCCESS'],
    )
    assert.ok(await repository.ports.metadata.read('2.root.json'))
  })

  it('says in the task why a signature does not count', async () => {
    const { api, first, second, body } = await signing()
    const good = await signatureOf(api, 'root', second)
    const other = signatureBy(second, canonicalBytes(body.metadata.root))
    const cases = [
      [await signatureOf(api, 'root', makeKey()), /may not sign this/],
      [await signatureOf(api, 'root', first), /has signed this already/],
      [{ ...good, signature: other }, /is not good/],
      [{ ...good, role: 'targets' }, /No metadata of role targets waits/],
    ] as const
    for (const [sent, reason] of cases) {
      const task = await decided(api, 'POST /metadata/sign', sent)
      assert.equal(task.state, 'ERRORED')
      assert.match(String(task.error), reason)
    }
    assert.equal((await decided(api, 'POST /metadata/sign', good)).state, 'SUCCESS')
  })

  it('does not understand half a signature', async () => {
    const { api, second } = await signing()
    const { keyid, sig } = (await signatureOf(api, 'root', second)).signature
    for (const body of [
      {},
      { role: 'root' },
      { role: 'root', signature: { keyid } },
      { role: 'root', signature: { keyid, sig: '' } },
      { role: 'root', signature: { keyid, sig: 'not hex' } },
      { role: '../x', signature: { keyid, sig } },
    ]) {
      assert.equal((await api.call('POST /metadata/sign', { body })).status, 422, JSON.stringify(body))
    }
  })

  it('is not taken before a bootstrap', async () => {
    const repository = testRepository()
    const body = { role: 'root', signature: { keyid: 'a', sig: 'ab' } }
    const refused = await apiOver(repository).call('POST /metadata/sign', { body })
    assert.equal(refused.status, 404)
    assert.equal(refused.body.detail['message'], 'No signing pending.')
  })
})

describe('POST /metadata/sign/delete', () => {
  it('stops the signing of a root', async () => {
    const { api } = await signing()
    const posted = await api.call('POST /metadata/sign/delete/', { body: { role: 'root' } })
    assert.equal(posted.status, 202)
    assert.equal(posted.body.message, 'Metadata sign delete accepted.')
    const task = await api.call(`GET /task?task_id=${posted.body.data['task_id']}`)
    const result = task.body.data['result'] as Record<string, unknown>
    assert.equal(result['message'], 'Deletion of root metadata successful, signing process stopped')
    assert.equal((await api.call('GET /metadata/sign')).body.data, undefined)
  })

  it('stops a bootstrap, and another may begin', async () => {
    const repository = testRepository()
    const api = apiOver(repository)
    await beginBootstrap(api, repository)
    assert.equal((await decided(api, 'POST /metadata/sign/delete', { role: 'root' })).state, 'SUCCESS')
    assert.equal((await api.call('GET /bootstrap')).body.message, 'System available for bootstrap.')
    assert.equal((await decided(api, 'POST /bootstrap', bootstrapBody(repository))).state, 'SUCCESS')
  })

  it('refuses where nothing of that role waits', async () => {
    for (const api of [apiOver(await bootstrapped()), apiOver(testRepository()), (await signing()).api]) {
      const refused = await api.call('POST /metadata/sign/delete', { body: { role: 'targets' } })
      assert.equal(refused.status, 404)
      assert.equal(refused.body.detail['message'], 'No signing process for targets.')
    }
    const { api } = await signing()
    assert.equal((await api.call('POST /metadata/sign/delete', { body: { role: 7 } })).status, 422)
  })
})
