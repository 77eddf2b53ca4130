import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readStatus } from '../../shared/repository/status.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { clientNow, clientOf } from '../support/client.ts'
import { customRole, delegation, refusal, sign, succeeds } from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { addRequest, bootstrapped } from '../support/repository.ts'

const day = 24 * 3600 * 1000
const [ann, bob, eve] = [makeKey(), makeKey('ecdsa'), makeKey('rsa')]

const renew = (...names: string[]): TaskRequest => ({ kind: 'metadata_delegation', action: 'renew', names })

/** With two roles that are signed offline, one of them with an artifact, and one that is signed online. */
async function repositoryWithRoles() {
  const repository = await bootstrapped()
  const roles = [customRole('project', { holders: [ann, bob], threshold: 2 }), customRole('second', { holders: [eve] })]
  await succeeds(repository, delegation('add', [...roles, customRole('online')], [ann, bob, eve]))
  await sign(repository, 'project', ann, bob)
  await sign(repository, 'second', eve)
  await succeeds(repository, addRequest(['project/a']))
  await sign(repository, 'project', ann, bob)
  return repository
}

describe('a role that is signed offline', () => {
  test('lives longer once its holders have signed it anew, as it is', async () => {
    const repository = await repositoryWithRoles()
    const client = clientOf(repository)
    const expiry = async () => {
      const { published } = await readStatus(repository)
      return published?.signedOffline.find(({ role }) => role === 'project')?.expires.getTime() ?? 0
    }
    await client.refresh()
    const before = await expiry()
    repository.pass(20 * day)
    const details = await succeeds(repository, renew('project'))
    assert.deepEqual(details, { delegated_roles: ['project'], failed_roles: [], pending_roles: ['project'] })
    assert.match(await refusal(repository, renew('project')), /project waits for signatures. Sign it, or stop/)
    // Everything else goes on, and what waits is good for it all the same.
    await succeeds(repository, addRequest(['other']))
    assert.deepEqual((await sign(repository, 'project', bob, ann)).at(-1), 'Role project signing complete')
    assert.equal(await expiry(), before + 20 * day)
    for (const reader of [client, clientOf(repository)]) {
      await reader.refresh()
      for (const path of ['project/a', 'other']) assert.ok(await reader.find(path), path)
    }
    // Nobody could know it after the first time.
    repository.pass(11 * day)
    await succeeds(repository, addRequest(['another']))
    await client.refresh()
    assert.ok(await client.find('project/a'))
  })

  test('may have expired before', async () => {
    const repository = await repositoryWithRoles()
    repository.pass(31 * day)
    await succeeds(repository, renew('project'))
    await sign(repository, 'project', ann, bob)
    const client = await clientNow(repository)
    assert.ok(await client.find('project/a'))
  })

  test('waits by itself, beside others of the same request', async () => {
    const repository = await repositoryWithRoles()
    const { pending_roles: pending } = await succeeds(repository, renew('project', 'second'))
    assert.deepEqual(pending, ['project', 'second'])
    assert.deepEqual(await sign(repository, 'second', eve), ['Role second signing complete'])
    assert.match(await refusal(repository, addRequest(['project/b'])), /project waits for signatures/)
    await succeeds(repository, { kind: 'delete_sign_metadata', role: 'project' })
  })

  test('is named; one that the service signs, or that there is not, is refused, and the whole request with it', async () => {
    const repository = await repositoryWithRoles()
    for (const [name, why] of [
      ['online', /The service signs role online itself\. .*POST \/api\/v1\/metadata\/online/],
      ['targets', /The service signs role targets itself/],
      ['nobody', /There is no custom role nobody; there are online, project, second/],
      ['bins-0', /There is no custom role bins-0/],
      ['snapshot', /There is no custom role snapshot/],
    ] as const)
      assert.match(await refusal(repository, renew('project', name)), why)
  })
})
