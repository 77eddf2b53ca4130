import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readCurrent, treeOfCurrent } from '../../shared/repository/current.ts'
import type { ObjectStore, Tag } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { stillTrusting } from '../../shared/repository/removed-keys.ts'
import { pendingTargets } from '../../shared/repository/signing.ts'
import { readStatus } from '../../shared/repository/status.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { apiOver } from '../support/api.ts'
import { clientNow, clientOf } from '../support/client.ts'
import { customRole, delegation, refusal, removal, sign, signatureFor, succeeds } from '../support/delegations.ts'
import { makeKey, signatureBy, signRole, signRoot, type TestKey } from '../support/keys.ts'
import * as offline from '../support/offline-targets.ts'
import { addRequest, bootstrapped, restarted, signerOf, type TestRepository } from '../support/repository.ts'

const [ann, bob, eve] = [makeKey(), makeKey('ecdsa'), makeKey('rsa')]
const { founded, offlineRoot, update: updateTo } = offline
const holders = [offline.ann, offline.bob, offline.eve]
const graced = 11 * 60 * 1000
const project = customRole('project', { holders: [ann, bob, eve], threshold: 2 })

describe('online keys change', () => {
  for (const flavour of ['succinct_roles', 'path_hash_prefixes'] as const) {
    test(`for every online role of the tree, and no client fails (${flavour})`, async () => {
      const repository = await bootstrapped({ delegations: { delegation: flavour, number: 4 } })
      const bins = { delegation: flavour, number: 2 }
      const online = [customRole('plain'), customRole('binned', { bins })]
      await succeeds(repository, delegation('add', online))
      await succeeds(repository, delegation('add', [project], [ann, bob, eve]))
      await sign(repository, 'project', ann, bob)
      const paths = ['a', 'b', 'c', 'plain/a', 'binned/a', 'binned/b', 'binned/c']
      await succeeds(repository, addRequest(paths))
      await succeeds(repository, addRequest(['project/a']))
      await sign(repository, 'project', bob, eve)
      const client = clientOf(repository)
      const old = client.copy()
      await old.refresh()
      const findsAll = async () => {
        for (const reader of [client, old.copy(), clientOf(repository)]) {
          await reader.refresh()
          for (const path of [...paths, 'project/a']) assert.ok(await reader.find(path), path)
        }
      }
      const next = makeKey('rsa')
      const signers = (...keys: (typeof next)[]): TestRepository => {
        return {
          ...repository,
          ...restarted({ ...repository, ports: { ...repository.ports, signers: keys.map(signerOf) } }),
        }
      }
      const both = signers(...repository.online, next)
      const root = signRoot({ root: repository.rootKeys, threshold: 2, online: [next], version: 2 })
      await findsAll()
      await succeeds(both, { kind: 'metadata_update', root: parseJson(root.bytes), compromised: false })
      await findsAll()
      both.pass(graced)
      await publish(both)
      await findsAll()
      const after = signers(next)
      await succeeds(after, { kind: 'force_online_metadata_update', roles: [] })
      await succeeds(after, delegation('add', [customRole('later')]))
      await succeeds(after, addRequest(['later/a', 'binned/d', 'd']))
      await findsAll()
      const keyids = client.trusted.targets?.signed.delegations?.keys.keys()
      assert.deepEqual(new Set(keyids), new Set([next.keyid, ann.keyid, bob.keyid, eve.keyid]))
    })
  }
})

describe('online keys change in roles whose holders can sign, too', () => {
  const next = makeKey('rsa')
  const shared = (keys: readonly TestKey[]) => [
    customRole('shared', { holders: [ann, ...keys] }),
    customRole('binned', { holders: [ann, ...keys], bins: { delegation: 'succinct_roles', number: 2 } }),
  ]
  const namedIn = async (repository: TestRepository) => {
    const current = await readCurrent(repository)
    const { roles = [] } = current?.targets.signed.delegations ?? assert.fail()
    return Object.fromEntries(roles.map(({ name, keyids, threshold }) => [name, { keyids, threshold }]))
  }

  for (const compromised of [false, true]) {
    test(`and the holders keep theirs (${compromised ? 'compromised' : 'with a wait'})`, async () => {
      const repository = await bootstrapped()
      const { online, ports } = repository
      const both = customRole('both', { holders: [ann, bob, ...online], threshold: 2 })
      await succeeds(repository, delegation('add', [...shared(online), both], [ann, bob, ...online]))
      await sign(repository, 'both', ann, bob)
      const paths = ['a', 'shared/a', 'binned/a']
      await succeeds(repository, addRequest(paths))
      const client = await clientNow(repository)
      const signers = [...(compromised ? [] : online), next].map(signerOf)
      const service = { ...repository, ...restarted({ ...repository, ports: { ...ports, signers } }) }
      const root = signRoot({ root: repository.rootKeys, threshold: 2, online: [next], version: 2 })
      const update = { kind: 'metadata_update', root: parseJson(root.bytes), compromised } as const
      const { warnings } = await succeeds(service, update)
      assert.match(String(warnings), /^Trusted with a key that was taken from the service, still: both\. /)
      const after = { keyids: [ann.keyid, next.keyid], threshold: 1 }
      const ours = { keyids: [next.keyid], threshold: 1 }
      const { shared: one, binned, bins, both: left } = await namedIn(service)
      assert.deepEqual({ one, binned, bins }, { one: after, binned: after, bins: ours })
      assert.deepEqual(left?.keyids, both.keyids)
      service.pass(graced)
      await succeeds(service, addRequest(['shared/b', 'binned/b']))
      for (const reader of [client, clientOf(service)]) {
        await reader.refresh()
        for (const path of [...paths, 'shared/b', 'binned/b']) assert.ok(await reader.find(path), path)
      }
      const trusting = async () => (await apiOver(service).call('GET /status')).body.data['removed_keys_trusted']
      assert.deepEqual(await trusting(), [{ role: 'both', keyids: online.map(({ keyid }) => keyid) }])
      await succeeds(service, removal('both'))
      assert.deepEqual(await trusting(), [])
    })
  }

  test('below targets that is signed offline with its renewal, also where the old key is lost', async () => {
    const repository = await founded()
    const { online, ports, rootKeys } = repository
    await succeeds(repository, delegation('add', shared(online), [ann, ...online]))
    await sign(repository, 'targets', ...holders.slice(0, 2))
    const paths = ['a', 'shared/a', 'binned/a']
    await succeeds(repository, addRequest(paths))
    const client = await clientNow(repository)
    const service = { ...repository, ...restarted({ ...repository, ports: { ...ports, signers: [signerOf(next)] } }) }
    const root = offlineRoot({ ...service, online: [next] }, holders, 2)
    const { warnings } = await succeeds(service, updateTo(root, rootKeys, true))
    const trusting = async () => {
      const { current } = (await readStatus(service)).published ?? assert.fail()
      return stillTrusting(treeOfCurrent(current), current.signing, current.rotation.removed).map(({ role }) => role)
    }
    assert.deepEqual(await trusting(), ['shared', 'binned', 'bins', 'bins-*', 'binned-bins-*'])
    assert.match(
      String(warnings),
      /still: shared, binned, bins, bins-\*, binned-bins-\*\. .*delegations\/renew, or tuffet delegation renew;/,
    )
    const renew = { kind: 'metadata_delegation', action: 'renew', names: [] } as const
    assert.deepEqual((await succeeds(service, renew))['pending_roles'], ['targets'])
    await sign(service, 'targets', ...holders.slice(0, 2))
    assert.match(await refusal(service, renew), /has the current online keys already/)
    assert.deepEqual(await trusting(), [])
    const { shared: one, binned } = await namedIn(service)
    const after = { keyids: [ann.keyid, next.keyid], threshold: 1 }
    assert.deepEqual([one, binned], [after, after])
    await succeeds(service, addRequest(['b', 'shared/b', 'binned/b']))
    for (const reader of [client, clientOf(service)]) {
      await reader.refresh()
      for (const path of [...paths, 'b', 'shared/b', 'binned/b']) assert.ok(await reader.find(path), path)
    }
  })
})

test('after each single write clients see the old state or the new one, whole', async () => {
  let look = async () => {}
  const looked = async (write: Promise<Tag>) => {
    const tag = await write
    await look()
    return tag
  }
  const watched = (store: ObjectStore): ObjectStore => ({
    ...store,
    create: (name, bytes) => looked(store.create(name, bytes)),
    replace: (name, bytes, tag) => looked(store.replace(name, bytes, tag)),
  })
  const repository = await bootstrapped({ around: watched })
  const paths = ['a', 'b/c', 'project/a', '.d']
  await succeeds(repository, addRequest(paths))
  const running = await clientNow(repository)
  let looks = 0
  look = async () => {
    looks++
    for (const client of [running.copy(), clientOf(repository)]) {
      await client.refresh()
      for (const path of paths) assert.ok(await client.find(path), path)
    }
  }
  await succeeds(repository, delegation('add', [customRole('project')]))
  await succeeds(repository, delegation('update', [project], [ann, bob, eve]))
  await sign(repository, 'project', ann, bob)
  await succeeds(repository, delegation('update', [customRole('project', { paths: ['*/a'] })]))
  assert.ok(looks > 35, `only ${looks} looks`)
})

describe('what waits, under faults and haste', () => {
  async function waiting(): Promise<TestRepository> {
    const repository = await bootstrapped()
    await succeeds(repository, delegation('add', [project], [ann, bob, eve]))
    return repository
  }

  test('takes the file that an aborted commit has left with another choice of signatures', async () => {
    const repository = await waiting()
    await sign(repository, 'project', ann)
    const pending = pendingTargets((await readCurrent(repository))?.signing ?? assert.fail(), 'project')
    assert.ok(pending)
    const left = signRole(pending.metadata.signed, [ann, eve])
    await repository.ports.metadata.create(`${left.signed.version}.project.json`, left.bytes)
    await sign(repository, 'project', bob)
    for (const process of [repository, restarted(repository)]) {
      const client = await clientNow(process)
      await client.everything()
      const current = await readCurrent(process)
      assert.equal(current?.targets.signed.delegations?.roles?.[0]?.name, 'project')
    }
  })

  test('is merged from two holders who sign at once, and begun and completed by tasks of one commit', async () => {
    const repository = await waiting()
    const requests = await Promise.all([ann, bob, eve].map((holder) => signatureFor(repository, 'project', holder)))
    for (const request of requests) await submit(repository, { request, principal: 'test' })
    await submit(repository, { request: addRequest(['project/a']), principal: 'test' })
    await publish(repository)
    const current = await readCurrent(repository)
    assert.deepEqual(
      current?.entry.tasks.map(({ state }) => state),
      ['SUCCESS', 'SUCCESS', 'ERRORED', 'SUCCESS'],
    )
    await sign(repository, 'project', eve, ann)
    const client = await clientNow(repository)
    assert.ok(await client.find('project/a'))
  })

  test('never gets the version of what the service signs in the same commit', async () => {
    const repository = await bootstrapped()
    await succeeds(repository, delegation('add', [customRole('project')]))
    const update = delegation('update', [project], [ann, bob, eve])
    for (const request of [addRequest(['project/a']), update]) await submit(repository, { request, principal: 'test' })
    await publish(repository)
    const current = await readCurrent(repository)
    const pending = current && pendingTargets(current.signing, 'project')
    const signed = current?.snapshot.signed.meta.get('project.json')?.version ?? 0
    assert.ok((pending?.metadata.signed.version ?? 0) > signed)
    await sign(repository, 'project', ann, bob)
    const client = await clientNow(repository)
    assert.ok(await client.find('project/a'))
  })

  test('is of no use any more once the role has been signed anew', async () => {
    const repository = await bootstrapped()
    await succeeds(repository, delegation('add', [customRole('project')]))
    await succeeds(repository, delegation('update', [project], [ann, bob, eve]))
    repository.pass(16 * 24 * 3600 * 1000)
    await publish(repository)
    await sign(repository, 'project', ann)
    assert.match(await refusal(repository, await signatureFor(repository, 'project', bob)), /has changed since/)
  })

  test('many requests of one commit are each done as they come', async () => {
    const repository = await bootstrapped()
    const requests: TaskRequest[] = [
      delegation('add', [customRole('a')]),
      addRequest(['a/1']),
      delegation('add', [customRole('b', { paths: ['a/2'], before: ['a'] })]),
      addRequest(['a/2']),
      removal('a'),
      delegation('add', [customRole('a')]),
      addRequest(['a/3']),
      delegation('add', [customRole('c', { holders: [ann] })], [ann]),
    ]
    for (const request of requests) await submit(repository, { request, principal: 'test' })
    await publish(repository)
    const current = await readCurrent(repository)
    assert.deepEqual(
      current?.entry.tasks.map(({ result }) => result.error),
      requests.map(() => undefined),
    )
    const client = await clientNow(restarted(repository))
    assert.deepEqual([...(await client.everything()).keys()].sort(), ['a/2', 'a/3'])
    assert.ok((await client.find('a/2')) && (await client.find('a/3')))
    const added = signatureBy(
      ann,
      pendingTargets(current?.signing ?? assert.fail(), 'c')?.metadata.signedBytes ?? assert.fail(),
    )
    await succeeds(repository, { kind: 'sign_metadata', role: 'c', signature: added })
  })
})
