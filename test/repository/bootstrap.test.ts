import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { readPendingBootstrap } from '../../shared/repository/found.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import { readFounding } from '../../shared/repository/status.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { BootstrapRequest, TaskRequest } from '../../shared/repository/task.ts'
import type { Json } from '../../shared/tuf/json.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { roleName } from '../../shared/tuf/names.ts'
import { clientNow, clientOf } from '../support/client.ts'
import { makeKey, makeRoot, type RootOptions, signatureBy, signRoot, type TestKey } from '../support/keys.ts'
import {
  addRequest,
  bootstrapped,
  bootstrapRequest,
  run,
  type TestRepository,
  testRepository,
} from '../support/repository.ts'

/** A bootstrap whose root is like this, signed by its root keys or by others. */
function withRoot(
  repository: TestRepository,
  options: Partial<RootOptions>,
  signers?: readonly TestKey[],
): BootstrapRequest {
  const { rootKeys: root, online } = repository
  const signed = signRoot({ root, online, threshold: root.length, ...options }, signers)
  return { ...bootstrapRequest(repository), root: parseJson(signed.bytes) }
}

async function ends(repository: TestRepository, request: TaskRequest) {
  const { state, task } = await run(repository, request)
  assert.ok('result' in task, 'it is not finished')
  return { state, ...task.result }
}

describe('A bootstrap', () => {
  const delegations: Record<string, BootstrapRequest['delegations']> = {
    'with succinct hash bins': { delegation: 'succinct_roles', number: 4 },
    'with classic hash bins': { delegation: 'path_hash_prefixes', number: 4 },
    'with one bin a byte': { delegation: 'path_hash_prefixes', number: 256 },
    'with custom roles': {
      keys: {},
      roles: [
        { name: roleName('one'), terminating: true, keyids: [], threshold: 1, paths: ['one/*'] },
        { name: roleName('rest'), terminating: false, keyids: [], threshold: 1, paths: ['*', '*/*'] },
      ],
    },
  }
  for (const [name, request] of Object.entries(delegations)) {
    it(`${name} founds a repository that clients can read`, async () => {
      const repository = await bootstrapped({ delegations: request })
      assert.equal((await readFounding(repository))?.state, 'finished')
      const client = await clientNow(repository)
      assert.deepEqual(await client.everything(), new Map())
      assert.equal((await run(repository, addRequest(['one/file', 'two/file', 'three']))).state, 'SUCCESS')
      await client.refresh()
      assert.equal((await client.everything()).size, 3)
      assert.equal((await client.find('one/file'))?.length, 1)
    })
  }

  const refused: readonly [name: string, make: (repository: TestRepository) => BootstrapRequest, reason: RegExp][] = [
    ['version 2', (repository) => withRoot(repository, { version: 2 }), /version 1, not 2/],
    ['an expired root', (repository) => withRoot(repository, { expires: new Date(0) }), /expired at 1970/],
    ['an online key of somebody else', (repository) => withRoot(repository, { online: [makeKey()] }), /does not hold/],
    [
      'an online key as root key',
      (repository) => withRoot(repository, { root: repository.online, threshold: 1 }),
      /among root's keys/,
    ],
    ['a threshold that nobody can meet', (repository) => withRoot(repository, { threshold: 3 }), /lower the threshold/],
    ['a signature of nobody', (repository) => withRoot(repository, {}, [makeKey()]), /may not sign/],
    [
      'a signature over something else',
      (repository) => {
        const [first, ...others] = repository.rootKeys as [TestKey, ...TestKey[]]
        return withRoot(repository, {}, [{ ...first, sign: () => first.sign(Buffer.from('else')) }, ...others])
      },
      /is not good/,
    ],
    ['no root at all', (repository) => ({ ...bootstrapRequest(repository), root: { signed: {} } }), /has to be/],
    [
      'three hash bins',
      (repository) => bootstrapRequest(repository, { delegation: 'succinct_roles', number: 3 }),
      /power of two/,
    ],
    [
      'the same role twice',
      (repository) => {
        const role = { name: roleName('one'), terminating: false, keyids: [], threshold: 1, paths: ['*'] }
        return bootstrapRequest(repository, { keys: {}, roles: [role, role] })
      },
      /one.*(twice|already)/,
    ],
    [
      'two roles that differ in case alone',
      (repository) => {
        const role = { terminating: false, keyids: [], threshold: 1, paths: ['*'] }
        const roles = ['one', 'One'].map((name) => ({ ...role, name: roleName(name) }))
        return bootstrapRequest(repository, { keys: {}, roles })
      },
      /One differs from one in upper and lower case/,
    ],
    [
      'a key under the keyid of another',
      (repository) => {
        const keyids = repository.online.map(({ keyid }) => keyid)
        const keys = Object.fromEntries(keyids.map((keyid) => [keyid, makeKey().key]))
        const role = { name: roleName('one'), terminating: false, keyids, threshold: 1, paths: ['*'] }
        return bootstrapRequest(repository, { keys, roles: [role] })
      },
      /keyid/i,
    ],
  ]
  for (const [name, make, reason] of refused) {
    it(`with ${name} is refused, and another one may follow`, async () => {
      const repository = testRepository()
      const { state, error } = await ends(repository, make(repository))
      assert.equal(state, 'ERRORED')
      assert.match(error ?? '', reason)
      assert.equal(await readFounding(repository), undefined)
      assert.deepEqual(await repository.ports.metadata.list(''), [])
      assert.equal((await run(repository, bootstrapRequest(repository))).state, 'SUCCESS')
    })
  }

  it('of which there is one already is refused', async () => {
    const repository = await bootstrapped()
    const { state, error } = await ends(repository, bootstrapRequest(repository))
    assert.deepEqual({ state, error }, { state: 'ERRORED', error: 'System already has a Metadata. State: 1' })
  })

  it('is the first of two that wait; the second is refused', async () => {
    const repository = testRepository()
    const submitted = [bootstrapRequest(repository), addRequest(['behind']), bootstrapRequest(repository)]
    const ids = []
    for (const request of submitted) ids.push((await submit(repository, { request, principal: 'test' })).id)
    await publish(repository)
    const states = await Promise.all(ids.map(async (id) => (await readTask(repository, id))?.state))
    assert.deepEqual(states, ['SUCCESS', 'SUCCESS', 'ERRORED'])
  })

  it('comes after nothing: a task before it is refused', async () => {
    const repository = testRepository()
    const { state, error } = await ends(repository, addRequest(['early']))
    assert.equal(state, 'ERRORED')
    assert.match(error ?? '', /not bootstrapped/)
  })

  it('may be signed in several steps', async () => {
    const repository = testRepository()
    const [first, second] = repository.rootKeys as [TestKey, TestKey]
    const begun = await ends(repository, withRoot(repository, {}, [first]))
    assert.deepEqual([begun.state, begun.details], ['SUCCESS', { bootstrap: 'Root v1 is pending signature' }])
    const pending = await readPendingBootstrap(repository)
    assert.ok(pending)
    assert.equal(await readCurrent(repository), undefined)
    const signature = signatureBy(second, pending.root.signedBytes)
    const other = await ends(repository, withRoot(repository, {}))
    assert.match(other.error ?? '', /Another bootstrap waits/)
    const signed = await ends(repository, { kind: 'sign_metadata', role: 'root', signature })
    assert.equal(signed.state, 'SUCCESS')
    await clientOf(repository).refresh()
  })

  it('that was not completed in time is refused with its last signature', async () => {
    const repository = testRepository()
    const [first, second] = repository.rootKeys as [TestKey, TestKey]
    const options = { expires: new Date(repository.ports.clock.now().getTime() + 60_000) }
    await run(repository, withRoot(repository, options, [first]))
    const root = makeRoot({ root: repository.rootKeys, online: repository.online, threshold: 2, ...options })
    const pending = await readPendingBootstrap(repository)
    assert.ok(pending)
    assert.equal(root.expires, pending.root.signed.expires)
    repository.pass(61_000)
    const signature = signatureBy(second, pending.root.signedBytes)
    const { state, error } = await ends(repository, { kind: 'sign_metadata', role: 'root', signature })
    assert.equal(state, 'ERRORED')
    assert.match(error ?? '', /expired/)
    await run(repository, { kind: 'delete_sign_metadata', role: 'root' })
    assert.equal((await run(repository, bootstrapRequest(repository))).state, 'SUCCESS')
  })

  it('says what is wrong when the timestamp is lost, and founds nothing over the rest', async () => {
    const repository = await bootstrapped()
    const before = await repository.ports.metadata.list('')
    await repository.ports.metadata.delete('timestamp.json')
    await submit(repository, { request: addRequest(['a']), principal: 'test' })
    await assert.rejects(publish(repository), { code: 'corrupt' })
    assert.deepEqual(
      await repository.ports.metadata.list(''),
      before.filter((name) => name !== 'timestamp.json'),
    )
  })

  it('keeps what was signed to the byte', async () => {
    const repository = testRepository()
    const request = bootstrapRequest(repository)
    const root = { ...(request.root as { signed: Json; signatures: Json }) }
    root.signed = { ...(root.signed as object), 'x-note': 'kept' } as Json
    const unsigned = { ...request, root: { ...root, signatures: [] } as Json }
    await run(repository, unsigned)
    const pending = await readPendingBootstrap(repository)
    assert.ok(pending)
    for (const key of repository.rootKeys) {
      const signature = signatureBy(key, pending.root.signedBytes)
      await run(repository, { kind: 'sign_metadata', role: 'root', signature })
    }
    const client = await clientNow(repository)
    assert.equal(client.trusted.root?.signed['x-note'], 'kept')
  })
})
