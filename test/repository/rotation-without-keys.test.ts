import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { clientOf } from '../support/client.ts'
import { customRole, delegation, succeeds } from '../support/delegations.ts'
import { makeKey, type PublicKey, signRoot } from '../support/keys.ts'
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
      const client = clientOf(repository)
      await client.refresh()
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
    const client = clientOf(service)
    await client.refresh()
    assert.ok(await client.find('a'))
  })
})
