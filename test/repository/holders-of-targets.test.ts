import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publish } from '../../shared/repository/publish.ts'
import { clientNow, clientOf } from '../support/client.ts'
import { customRole, delegation, refusal, sign, signatureFor, succeeds } from '../support/delegations.ts'
import { makeKey, makeRoot, type TestKey } from '../support/keys.ts'
import { ann, bob, eve, founded, offlineRoot, update } from '../support/offline-targets.ts'
import { addRequest } from '../support/repository.ts'

const graced = 11 * 60 * 1000

test('the keys of targets signed offline change only as far as its signatures allow', async () => {
  const repository = await founded()
  const strangers = offlineRoot(repository, [ann, makeKey()], 2)
  assert.match(await refusal(repository, update(strangers, repository.rootKeys)), /asks for signatures of targets/)
  const online = makeRoot({ root: repository.rootKeys, threshold: 2, online: repository.online, version: 2 })
  assert.match(await refusal(repository, update(online, repository.rootKeys)), /asks for signatures of targets/)
  await succeeds(repository, update(offlineRoot(repository, [ann, bob], 2), repository.rootKeys))
  const client = await clientNow(repository)
  assert.equal(client.trusted.root?.signed.version, 2)
})

test('all holders of targets are replaced, one after the other', async () => {
  const repository = await founded()
  const client = clientOf(repository)
  const [dan, fay, gil] = [makeKey('ecdsa'), makeKey(), makeKey()]
  // Signed by ann and bob; eve goes, then ann, then bob.
  const steps = [
    { holders: [ann, bob, dan], sign: [bob, dan] },
    { holders: [bob, dan, fay], sign: [dan, fay] },
    { holders: [dan, fay, gil], sign: [gil, dan] },
  ] as const
  for (const [at, { holders, sign: signing }] of steps.entries()) {
    await succeeds(repository, update(offlineRoot(repository, holders, at + 2), repository.rootKeys))
    repository.pass(graced)
    await publish(repository)
    await succeeds(repository, { kind: 'metadata_delegation', action: 'renew', names: ['targets'] })
    await sign(repository, 'targets', ...signing)
    await succeeds(repository, addRequest([`a${at}`]))
    for (const reader of [client, clientOf(repository)]) {
      await reader.refresh()
      assert.ok(await reader.find(`a${at}`))
    }
  }
})

test('a root that leaves the keys of targets as they are does not wait for what waits of targets', async () => {
  const repository = await founded()
  await succeeds(repository, delegation('add', [customRole('project')]))
  await sign(repository, 'targets', ann)
  await succeeds(repository, update(offlineRoot(repository, [ann, bob, eve], 2), repository.rootKeys))
  const others = offlineRoot(repository, [ann, bob], 3)
  assert.match(
    await refusal(repository, update(others, repository.rootKeys)),
    /changes who signs targets, and .* waits/,
  )
  await sign(repository, 'targets', eve)
  await succeeds(repository, addRequest(['project/a']))
  const client = await clientNow(repository)
  assert.equal(client.trusted.root?.signed.version, 2)
  assert.ok(await client.find('project/a'))
})

test('what waits for the holders of targets goes when the service signs targets in their place', async () => {
  const repository = await founded()
  await succeeds(repository, addRequest(['a']))
  await succeeds(repository, { kind: 'metadata_delegation', action: 'renew', names: ['targets'] })
  const late = await signatureFor(repository, 'targets', bob)
  await sign(repository, 'targets', ann)
  const root = makeRoot({ root: repository.rootKeys, threshold: 2, online: repository.online, version: 2 })
  await succeeds(repository, update(root, repository.rootKeys, true))
  assert.match(await refusal(repository, late), /No metadata of role targets waits/)
  await succeeds(repository, addRequest(['b']))
  const client = await clientNow(repository)
  for (const path of ['a', 'b']) assert.ok(await client.find(path), path)
})

test('a role below targets does not get other holders while the ones that it has are asked to sign', async () => {
  const repository = await founded()
  const role = (holders: readonly TestKey[]) => customRole('project', { holders, threshold: 2 })
  await succeeds(repository, delegation('add', [role([ann, bob, eve])], [ann, bob, eve]))
  await sign(repository, 'targets', ann, bob)
  await sign(repository, 'project', ann, bob)
  // Both have signed it, so only targets has to be signed for that; what eve signs meanwhile would count no more.
  await succeeds(repository, delegation('update', [role([ann, bob])]))
  await sign(repository, 'targets', ann)
  await succeeds(repository, addRequest(['project/a']))
  await sign(repository, 'project', eve)
  assert.match(
    await refusal(repository, await signatureFor(repository, 'targets', bob)),
    /project waits for signatures/,
  )
  await sign(repository, 'project', bob)
  assert.match(await refusal(repository, await signatureFor(repository, 'targets', bob)), /has changed since/)
  const client = await clientNow(repository)
  assert.ok(await client.find('project/a'))
})

test('a holder of targets, whose place there the service takes, keeps the other roles', async () => {
  const repository = await founded()
  await succeeds(repository, delegation('add', [customRole('project', { holders: [ann] })], [ann]))
  await sign(repository, 'targets', ann, bob)
  await sign(repository, 'project', ann)
  const root = makeRoot({ root: repository.rootKeys, threshold: 2, online: repository.online, version: 2 })
  await succeeds(repository, update(root, repository.rootKeys, true))
  const client = await clientNow(repository)
  const roles = client.trusted.targets?.signed.delegations?.roles
  assert.deepEqual(roles?.find(({ name }) => name === 'project')?.keyids, [ann.keyid])
  await succeeds(repository, addRequest(['project/a']))
  await sign(repository, 'project', ann)
  await client.refresh()
  assert.ok(await client.find('project/a'))
})
