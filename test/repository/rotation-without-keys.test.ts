import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import type { Signed } from '../../shared/tuf/signed.ts'
import { clientNow, clientOf } from '../support/client.ts'
import { customRole, delegation, succeeds } from '../support/delegations.ts'
import { makeKey, type PublicKey, signatureBy, signRoot } from '../support/keys.ts'
import { addRequest, bootstrapped, restarted, signerOf, type TestRepository } from '../support/repository.ts'

const next = makeKey('rsa')

/** The same repository, opened by a service that holds the next key and has lost the others. */
function relieved(repository: TestRepository): TestRepository {
  return { ...repository, ...restarted({ ...repository, ports: { ...repository.ports, signers: [signerOf(next)] } }) }
}

function rootUpdate({ rootKeys }: TestRepository, online: PublicKey = next): TaskRequest {
  const root = signRoot({ root: rootKeys, threshold: 2, online: [online], version: 2 })
  return { kind: 'metadata_update', root: parseJson(root.bytes), compromised: true }
}

async function stateOf(repository: TestRepository, request: TaskRequest): Promise<() => Promise<string | undefined>> {
  const { id } = await submit(repository, { request, principal: 'test' })
  return async () => (await readTask(repository, id))?.state
}

describe('a service whose online key is lost, or was taken away because somebody stole it', () => {
  for (const flavour of ['succinct_roles', 'path_hash_prefixes'] as const) {
    test(`goes on with the next one by a root that names it (${flavour})`, async () => {
      const repository = await bootstrapped({ delegations: { delegation: flavour, number: 4 } })
      await succeeds(repository, delegation('add', [customRole('online')]))
      await succeeds(repository, addRequest(['a', 'online/a']))
      const client = await clientNow(repository)
      const service = relieved(repository)
      await succeeds(service, rootUpdate(service))
      await succeeds(service, addRequest(['b', 'online/b']))
      for (const reader of [client, clientOf(service)]) {
        await reader.refresh()
        for (const path of ['a', 'b', 'online/a', 'online/b']) assert.ok(await reader.find(path), path)
      }
      assert.deepEqual([...(client.trusted.targets?.signed.delegations?.keys.keys() ?? [])], [next.keyid])
    })
  }

  test('leaves what waits alone until then, and writes nothing in vain', async () => {
    const repository = await bootstrapped()
    const service = relieved(repository)
    const artifact = await stateOf(service, addRequest(['a']))
    const before = await service.ports.state.list('commits/')
    for (const refused of [1, 2]) {
      await assert.rejects(publish(service), { code: 'key-not-held' }, `attempt ${refused}`)
      assert.equal(await artifact(), 'PENDING')
    }
    assert.deepEqual(await service.ports.state.list('commits/'), before)
    const stranger = await stateOf(service, rootUpdate(service, makeKey()))
    await assert.rejects(publish(service), { code: 'key-not-held' })
    const root = await stateOf(service, rootUpdate(service))
    await publish(service)
    assert.deepEqual([await artifact(), await stranger(), await root()], ['SUCCESS', 'ERRORED', 'SUCCESS'])
    const current = await readCurrent(service)
    assert.deepEqual(current?.signing.roles, {})
    const client = await clientNow(service)
    assert.ok(await client.find('a'))
  })

  test('takes signatures that come later, and is not held up by a root that lacks some', async () => {
    const repository = await bootstrapped()
    const service = relieved(repository)
    const [first = makeKey(), second = makeKey()] = repository.rootKeys
    const partial = (days: number) => {
      const expires = new Date(service.ports.clock.now().getTime() + days * 24 * 3600_000)
      return signRoot({ root: service.rootKeys, threshold: 2, online: [next], version: 2, expires }, [first])
    }
    const update = (root: Signed) =>
      ({ kind: 'metadata_update', root: parseJson(root.bytes), compromised: true }) as const
    const given = [partial(100), partial(200)]
    const states: (() => Promise<string | undefined>)[] = []
    for (const root of given) {
      states.push(await stateOf(service, update(root)))
      await assert.rejects(publish(service), { code: 'key-not-held' })
    }
    const signature = signatureBy(second, given[1]?.signedBytes ?? Buffer.of())
    states.push(await stateOf(service, { kind: 'sign_metadata', role: 'root', signature }))
    await publish(service)
    assert.deepEqual(await Promise.all(states.map((state) => state())), ['SUCCESS', 'SUCCESS', 'SUCCESS'])
    assert.equal((await readCurrent(service))?.root.signed.expires, given[1]?.signed.expires)
    const client = await clientNow(service)
    assert.equal(client.trusted.root?.signed.version, 2)
  })

  test('takes a complete root although one waits that its holders never completed', async () => {
    const repository = await bootstrapped()
    const { rootKeys, online } = repository
    const waiting = signRoot({ root: rootKeys, threshold: 2, online, version: 2 }, rootKeys.slice(0, 1))
    await succeeds(repository, { kind: 'metadata_update', root: parseJson(waiting.bytes), compromised: false })
    const service = relieved(repository)
    await succeeds(service, rootUpdate(service))
    const current = await readCurrent(service)
    assert.deepEqual([current?.root.signed.version, current?.signing.roles], [2, {}])
    await clientOf(service).refresh()
  })
})
