import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { publish } from '../../shared/repository/publish.ts'
import { readStatus } from '../../shared/repository/status.ts'
import { submit } from '../../shared/repository/submit.ts'
import { clientNow, clientOf } from '../support/client.ts'
import {
  customRole,
  delegation,
  keysOf,
  pendingRoles,
  refusal,
  removal,
  sign,
  signatureFor,
  succeeds,
  withOfflineRole,
} from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { addRequest, bootstrapped, removeRequest } from '../support/repository.ts'

const day = 24 * 3600 * 1000
const [ann, bob, eve] = [makeKey(), makeKey('ecdsa'), makeKey('rsa')]

const project = customRole('project', { holders: [ann, bob], threshold: 2 })

describe('a role that its holders sign', () => {
  test('is delegated to once they have', async () => {
    const repository = await bootstrapped()
    await succeeds(repository, addRequest(['other']))
    const client = await clientNow(repository)
    const { targets } = client.trusted
    assert.deepEqual(await succeeds(repository, delegation('add', [project], [ann, bob])), {
      delegated_roles: ['project'],
      failed_roles: [],
      pending_roles: ['project'],
    })
    await client.refresh()
    assert.deepEqual(client.trusted.targets, targets)
    assert.match(await refusal(repository, await signatureFor(repository, 'project', eve)), /may not sign this/)
    assert.deepEqual(await sign(repository, 'project', ann), ['Role project v3 is pending signatures'])
    assert.match(await refusal(repository, await signatureFor(repository, 'project', ann)), /has signed this already/)
    assert.deepEqual(await sign(repository, 'project', bob), ['Role project signing complete'])
    await client.refresh()
    assert.ok(await client.find('other'))
    assert.equal(client.trusted.snapshot?.signed.meta.get('project.json')?.version, 3)
    assert.deepEqual(await pendingRoles(repository), [])
  })

  test('is never published where it is taken away in the moment in which they have signed it', async () => {
    const repository = await bootstrapped()
    const alone = customRole('project', { holders: [ann] })
    await succeeds(repository, delegation('add', [alone], [ann]))
    const signature = await signatureFor(repository, 'project', ann)
    for (const request of [signature, removal('project')]) await submit(repository, { request, principal: 'test' })
    const commits: number[] = []
    await publish(repository, ({ tasks }) => commits.push(tasks.length))
    assert.deepEqual(commits, [2])
    const client = await clientNow(repository)
    assert.equal(client.trusted.snapshot?.signed.meta.has('project.json'), false)
    const files = await repository.ports.metadata.list('')
    assert.deepEqual(
      files.filter((file) => file.endsWith('.project.json')),
      [],
    )
  })

  test('takes no artifacts before they have signed it first, and says that they have to', async () => {
    const online = customRole('docs')
    const delegations = { keys: keysOf([ann, bob]), roles: [online, project] }
    const repository = await bootstrapped({ delegations })
    const paths = ['docs/a', 'project/b']
    assert.match(
      await refusal(repository, addRequest(paths)),
      /trusted by every client with project\/b\. Its holders have to sign role project first \(GET .*\)\. Nothing/,
    )
    assert.match(await refusal(repository, addRequest(['else'])), /trusted by every client with else\. Use a path/)
    await sign(repository, 'project', ann, bob)
    await succeeds(repository, addRequest(['project/b']))
  })

  test('takes artifacts as a whole, once they have signed', async () => {
    const repository = await withOfflineRole([ann, bob])
    const client = clientOf(repository)
    const details = await succeeds(repository, addRequest(['project/a', 'project/b']))
    assert.equal(details['update'], 'Role project is pending signatures')
    await client.refresh()
    assert.equal(await client.find('project/a'), undefined)
    assert.match(await refusal(repository, delegation('update', [project], [ann, bob])), /waits for signatures/)
    // Everything else goes on.
    await succeeds(repository, addRequest(['other']))
    await sign(repository, 'project', bob, ann)
    await client.refresh()
    for (const path of ['project/a', 'project/b', 'other']) assert.ok(await client.find(path))
    await succeeds(repository, removeRequest('project/a'))
    await sign(repository, 'project', ann, bob)
    await client.refresh()
    assert.equal(await client.find('project/a'), undefined)
    assert.ok(await client.find('project/b'))
  })

  test('is not mixed with others in one request', async () => {
    const repository = await withOfflineRole([ann, bob])
    const reason = await refusal(repository, addRequest(['project/a', 'other']))
    assert.match(reason, /project \(signed offline\): project\/a; bins-\d: other/)
    await succeeds(repository, delegation('add', [customRole('second', { holders: [eve] })], [eve]))
    await sign(repository, 'second', eve)
    assert.match(
      await refusal(repository, addRequest(['project/a', 'second/b'])),
      /second \(signed offline\): second\/b/,
    )
    const parked = { ...addRequest(['project/a']), publish: false }
    assert.match(await refusal(repository, parked), /cannot be parked/)
  })

  test('can be stopped, and begun again', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['project/a']))
    await sign(repository, 'project', ann)
    await succeeds(repository, { kind: 'delete_sign_metadata', role: 'project' })
    assert.deepEqual(await pendingRoles(repository), [])
    await succeeds(repository, addRequest(['project/b']))
    await sign(repository, 'project', ann, bob)
    const client = await clientNow(repository)
    assert.equal(await client.find('project/a'), undefined)
    assert.ok(await client.find('project/b'))
  })

  test('that waited until it expired is not published', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['project/a']))
    repository.pass(31 * day)
    await publish(repository)
    await sign(repository, 'project', ann)
    assert.match(
      await refusal(repository, await signatureFor(repository, 'project', bob)),
      /expired at .* Stop the signing/,
    )
  })

  test('is left alone by refreshes, and shown before it expires', async () => {
    const repository = await withOfflineRole([ann, bob])
    repository.pass(20 * day)
    await publish(repository)
    await succeeds(repository, { kind: 'force_online_metadata_update', roles: [] })
    const one = { kind: 'force_online_metadata_update', roles: ['project'] } as const
    assert.match(await refusal(repository, one), /project: signed offline/)
    const { published } = await readStatus(repository)
    assert.deepEqual(
      published?.signedOffline.map(({ role, version }) => [role, version]),
      [['project', 2]],
    )
    assert.ok(!published?.firstToExpire.some(({ role }) => role === 'project'))
  })

  test('is refused if neither the service nor its holders can sign it alone', async () => {
    const repository = await bootstrapped()
    const [online] = repository.online
    assert.ok(online)
    const role = customRole('project', { holders: [ann, online], threshold: 2 })
    assert.match(await refusal(repository, delegation('add', [role], [ann, online])), /neither can sign alone/)
  })

  test('does not get what is published elsewhere, unless that is removed', async () => {
    const repository = await bootstrapped()
    await succeeds(repository, addRequest(['project/a', 'other']))
    const request = delegation('add', [project], [ann, bob])
    assert.match(await refusal(repository, request), /project\/a \(in bins-\d, would be in project\)/)
    await succeeds(repository, delegation('add', [project], [ann, bob], true))
    const client = await clientNow(repository)
    assert.ok(await client.find('project/a'))
    await sign(repository, 'project', ann, bob)
    await client.refresh()
    assert.equal(await client.find('project/a'), undefined)
    assert.ok(await client.find('other'))
  })

  test('is outdated by what becomes published while it waits', async () => {
    const repository = await bootstrapped()
    await succeeds(repository, delegation('add', [project], [ann, bob]))
    await succeeds(repository, addRequest(['project/a']))
    await sign(repository, 'project', ann)
    assert.match(
      await refusal(repository, await signatureFor(repository, 'project', bob)),
      /would not find 1 artifact any more/,
    )
    await succeeds(repository, removeRequest('project/a'))
    await sign(repository, 'project', bob)
    const client = await clientNow(repository)
    assert.equal(client.trusted.targets?.signed.delegations?.roles?.[0]?.name, 'project')
  })

  test('has its keys changed without a failing client', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['project/a']))
    await sign(repository, 'project', ann, bob)
    const client = clientOf(repository)
    const finds = async () => {
      for (const reader of [client, clientOf(repository)]) {
        await reader.refresh()
        assert.ok(await reader.find('project/a'))
      }
    }
    await finds()
    const changed = customRole('project', { holders: [bob, eve], threshold: 2 })
    await succeeds(repository, delegation('update', [changed], [eve]))
    await finds()
    assert.match(await refusal(repository, await signatureFor(repository, 'project', ann)), /may not sign/)
    await sign(repository, 'project', eve)
    await finds()
    await sign(repository, 'project', bob)
    await finds()
    const roles = client.trusted.targets?.signed.delegations?.roles
    assert.deepEqual(roles?.[0]?.keyids, [bob.keyid, eve.keyid])
    // A threshold that the signatures meet already needs no more of them.
    const lower = customRole('project', { holders: [bob, eve], paths: ['project/*', 'more/*'] })
    assert.equal((await succeeds(repository, delegation('update', [lower])))['pending_roles'], undefined)
    await finds()
    // To the service, and back to a holder.
    await succeeds(repository, delegation('update', [customRole('project')]))
    await succeeds(repository, addRequest(['project/b']))
    await finds()
    await succeeds(repository, delegation('update', [customRole('project', { holders: [ann] })], [ann]))
    assert.match(await refusal(repository, addRequest(['project/c'])), /waits for signatures/)
    await sign(repository, 'project', ann)
    await finds()
    assert.ok(await client.find('project/b'))
  })

  test('is taken away, with what waits for it', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['project/a']))
    await succeeds(repository, removal('project'))
    assert.deepEqual(await pendingRoles(repository), [])
    const client = await clientNow(repository)
    assert.equal(await client.find('project/a'), undefined)
    await succeeds(repository, addRequest(['project/a']))
    await client.refresh()
    assert.ok(await client.find('project/a'))
  })

  test('may be there from the bootstrap on, each at its place', async () => {
    const roles = [
      customRole('first', { holders: [ann] }),
      customRole('second', { holders: [bob] }),
      customRole('third', { paths: ['*/*'] }),
    ]
    const repository = await bootstrapped({ delegations: { keys: keysOf([ann, bob]), roles } })
    assert.deepEqual(await pendingRoles(repository), ['first', 'second'])
    const client = await clientNow(repository)
    await sign(repository, 'second', bob)
    await sign(repository, 'first', ann)
    await client.refresh()
    const names = client.trusted.targets?.signed.delegations?.roles?.map(({ name }) => name)
    assert.deepEqual(names, ['first', 'second', 'third'])
  })

  test('may delegate to hash bins that are signed online', async () => {
    const repository = await bootstrapped()
    const bins = { delegation: 'succinct_roles', number: 2 } as const
    const role = customRole('project', { holders: [ann], bins })
    await succeeds(repository, delegation('add', [role], [ann]))
    await sign(repository, 'project', ann)
    await succeeds(repository, addRequest(['project/a', 'project/b', 'project/c']))
    const client = await clientNow(repository)
    for (const path of ['project/a', 'project/b', 'project/c']) assert.ok(await client.find(path))
    assert.deepEqual(await pendingRoles(repository), [])
  })
})
