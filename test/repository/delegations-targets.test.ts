import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readAwaited } from '../../shared/repository/awaited.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { keysNotHeld } from '../../shared/repository/keys-not-held.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readStatus } from '../../shared/repository/status.ts'
import { readWaitingMetadata } from '../../shared/repository/waiting-metadata.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { clientNow, clientOf } from '../support/client.ts'
import { customRole, delegation, keysOf, refusal, sign, succeeds } from '../support/delegations.ts'
import { makeKey, signatureBy, signRole } from '../support/keys.ts'
import { ann, bob, bootstrap, eve, founded, offlineRoot, signFirst, update } from '../support/offline-targets.ts'
import { addRequest, restarted, signerOf, testRepository } from '../support/repository.ts'

const day = 24 * 3600 * 1000
const graced = 11 * 60 * 1000

for (const flavour of ['succinct_roles', 'path_hash_prefixes'] as const) {
  describe(`targets signed offline, bins online (${flavour})`, () => {
    const found = () => founded({ delegation: flavour, number: 4 })

    test('waits for signatures of root, then of targets', async () => {
      const repository = testRepository()
      const details = await succeeds(repository, bootstrap(repository, { delegation: flavour, number: 4 }))
      assert.deepEqual(details, { bootstrap: 'Targets v1 is pending signature' })
      const [first, second] = await signFirst(repository, [ann, eve])
      assert.equal(first, 'Targets v1 is pending signature')
      assert.match(String(second), /^Bootstrap finished /)
      await succeeds(repository, addRequest(['a', 'b']))
      const client = await clientNow(repository)
      assert.ok(await client.find('a'))
      assert.equal(client.trusted.targets?.signed.version, 1)
    })

    test('lives on while it is valid, and is shown before it expires', async () => {
      const repository = await found()
      const client = clientOf(repository)
      await succeeds(repository, addRequest(['a']))
      for (let passed = 0; passed < 190; passed++) {
        repository.pass(day)
        await publish(repository)
        await client.refresh()
        assert.ok(await client.find('a'))
      }
      const { published } = await readStatus(repository)
      assert.deepEqual(
        published?.signedOffline.map(({ role }) => role),
        ['targets'],
      )
      assert.ok(published)
      assert.deepEqual(keysNotHeld(published.current, repository.ports.signers), [])
      assert.deepEqual(
        keysNotHeld(published.current, []).map(({ role }) => role),
        ['timestamp', 'snapshot', 'bins'],
      )
    })

    test('is signed anew by its holders before it expires', async () => {
      const repository = await found()
      await succeeds(repository, addRequest(['a']))
      const client = await clientNow(repository)
      repository.pass(190 * day)
      await succeeds(repository, { kind: 'metadata_delegation', action: 'renew', names: ['targets'] })
      assert.deepEqual((await sign(repository, 'targets', bob, ann)).at(-1), 'Role targets signing complete')
      repository.pass(20 * day)
      await publish(repository)
      for (const reader of [client, clientOf(repository)]) {
        await reader.refresh()
        assert.ok(await reader.find('a'))
      }
    })

    test('has delegations changed when its holders have signed', async () => {
      const repository = await found()
      await succeeds(repository, addRequest(['a', 'project/b']))
      const client = await clientNow(repository)
      const request = delegation('add', [customRole('project'), customRole('third', { holders: [eve] })], [eve])
      const { pending_roles: pending } = await succeeds(repository, request)
      assert.deepEqual(pending, ['targets', 'third'])
      assert.match(await refusal(repository, delegation('add', [customRole('x')])), /targets waits for signatures/)
      await sign(repository, 'targets', bob, ann)
      await client.refresh()
      assert.equal(client.trusted.targets?.signed.version, 1)
      await succeeds(repository, addRequest(['project/c']))
      await sign(repository, 'third', eve)
      for (const reader of [client, clientOf(restarted(repository))]) {
        await reader.refresh()
        for (const path of ['a', 'project/b', 'project/c']) assert.ok(await reader.find(path), path)
      }
      const names = client.trusted.targets?.signed.delegations?.roles?.map(({ name }) => name).slice(0, 3)
      assert.deepEqual(names?.slice(0, 2), ['project', 'third'])
    })

    test('keeps its delegations when online keys change', async () => {
      const repository = await found()
      await succeeds(repository, addRequest(['a']))
      const client = await clientNow(repository)
      const next = makeKey('ecdsa')
      const both = {
        ...repository,
        ports: { ...repository.ports, signers: [...repository.online, next].map(signerOf) },
      }
      const root = offlineRoot({ ...both, online: [next] }, [ann, bob, eve], 2)
      await succeeds(both, update(root, repository.rootKeys))
      for (let passed = 0; passed < 3; passed++) {
        await publish(both)
        for (const reader of [client, clientOf(repository)]) {
          await reader.refresh()
          assert.ok(await reader.find('a'))
        }
        both.pass(graced)
      }
      await succeeds(both, addRequest(['b']))
      const renew = { kind: 'metadata_delegation', action: 'renew', names: [] } as const
      assert.deepEqual((await succeeds(both, renew))['pending_roles'], ['targets'])
      await sign(both, 'targets', ann, eve)
      assert.match(await refusal(both, renew), /has the current online keys already/)
      const after = { ...both, ports: { ...both.ports, signers: [signerOf(next)] } }
      await succeeds(after, addRequest(['c']))
      for (const reader of [client, clientOf(repository)]) {
        await reader.refresh()
        for (const path of ['a', 'b', 'c']) assert.ok(await reader.find(path), path)
      }
    })
  })
}

test('a bootstrap with some of the keys of targets held is refused', async () => {
  const repository = testRepository()
  const [online] = repository.online
  assert.ok(online)
  const mixed = signRole(offlineRoot(repository, [ann, online]), repository.rootKeys)
  const request = { ...bootstrap(repository), root: parseJson(mixed.bytes) }
  assert.match(await refusal(repository, request), /Role targets names key .* does not hold/)
  assert.equal(await readCurrent(repository), undefined)
})

test('a bootstrap waits for targets and the roles of other holders below it, in any order, before it founds anything', async () => {
  const repository = testRepository()
  const roles = [customRole('project', { holders: [eve, bob], threshold: 2 }), customRole('online')]
  await succeeds(repository, bootstrap(repository, { keys: keysOf([eve, bob]), roles }))
  const { roles: waiting, trustedTargets } = await readWaitingMetadata(repository)
  assert.deepEqual(Object.keys(waiting), ['root', 'targets', 'project'])
  assert.deepEqual(trustedTargets, waiting['targets'])
  const awaited = (await readAwaited(repository, undefined)).map(({ role, groups }) => [
    role,
    groups[0]?.unsigned.length,
  ])
  assert.deepEqual(awaited, [
    ['root', 0],
    ['targets', 3],
    ['project', 2],
  ])
  const stranger = { kind: 'sign_metadata', role: 'project', signature: signatureBy(ann, Buffer.of()) } as const
  assert.match(await refusal(repository, stranger), /may not sign this/)
  const online = { ...stranger, role: 'online' }
  assert.match(await refusal(repository, online), /No metadata of role online waits/)
  assert.match(await refusal(repository, { kind: 'delete_sign_metadata', role: 'project' }), /as a whole.*role root/)

  assert.deepEqual(await signFirst(repository, [bob], 'project'), ['Targets v1 is pending signature'])
  assert.deepEqual(await signFirst(repository, [ann, bob]), [
    'Targets v1 is pending signature',
    'Role project v1 is pending signature',
  ])
  assert.equal(await readCurrent(repository), undefined)
  assert.match(String(await signFirst(repository, [eve], 'project')), /^Bootstrap finished /)

  const client = await clientNow(repository)
  assert.equal(client.trusted.snapshot?.signed.meta.get('project.json')?.version, 1)
  await succeeds(repository, addRequest(['online/a']))
  await succeeds(repository, addRequest(['project/a']))
  await sign(repository, 'project', eve, bob)
  for (const reader of [client, clientOf(restarted(repository))]) {
    await reader.refresh()
    for (const path of ['online/a', 'project/a']) assert.ok(await reader.find(path), path)
  }
})
