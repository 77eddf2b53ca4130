import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { publish } from '../../shared/repository/publish.ts'
import { submit } from '../../shared/repository/submit.ts'
import { clientNow, clientOf } from '../support/client.ts'
import {
  customRole,
  delegation,
  pendingRoles,
  refusal,
  sign,
  signatureFor,
  succeeds,
  withOfflineRole,
} from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { addRequest, removeRequest } from '../support/repository.ts'

const [ann, bob] = [makeKey(), makeKey('ecdsa')]

describe('artifacts that wait for the holders of a role', () => {
  test('are signed with what others ask for, until the first holder has signed', async () => {
    const repository = await withOfflineRole([ann, bob])
    const client = clientOf(repository)
    const update = 'Role project is pending signatures'
    for (const path of ['project/a', 'project/b', 'project/c'])
      assert.equal((await succeeds(repository, addRequest([path])))['update'], update)
    const bytesOfB = { ...addRequest(['project/b']), addTaskIdToCustom: true }
    await succeeds(repository, bytesOfB)
    assert.deepEqual(await succeeds(repository, removeRequest('project/c', 'project/d')), {
      deleted_artifacts: ['project/c'],
      not_found_artifacts: ['project/d'],
      update,
    })
    await sign(repository, 'project', bob)
    assert.match(await refusal(repository, addRequest(['project/e'])), /project waits for signatures/)
    assert.match(await refusal(repository, removeRequest('project/a')), /project waits for signatures/)
    await client.refresh()
    assert.equal(await client.find('project/a'), undefined)
    await sign(repository, 'project', ann)
    await client.refresh()
    assert.ok(await client.find('project/a'))
    assert.match(String((await client.find('project/b'))?.custom?.['added_by_task_id']), /^[0-9a-f]{32}$/)
    assert.equal(await client.find('project/c'), undefined)
  })

  test('are signed together where many ask at once', async () => {
    const repository = await withOfflineRole([ann, bob])
    for (const path of ['project/a', 'project/b'])
      await submit(repository, { request: addRequest([path]), principal: 'test' })
    await publish(repository)
    await sign(repository, 'project', ann, bob)
    const client = await clientNow(repository)
    for (const path of ['project/a', 'project/b']) assert.ok(await client.find(path))
  })

  test('are of no use once a role before it is trusted with one of them', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['project/a']))
    const closer = { ...customRole('closer'), paths: ['project/a'], before: ['project'] }
    await succeeds(repository, delegation('add', [closer]))
    await succeeds(repository, addRequest(['project/b']))
    await sign(repository, 'project', ann)
    const last = await signatureFor(repository, 'project', bob)
    assert.match(await refusal(repository, last), /has changed since .* drafted. Stop the signing/)
  })

  test('ask for no signature once they are taken back', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['project/a']))
    assert.equal((await succeeds(repository, removeRequest('project/a')))['update'], undefined)
    assert.deepEqual(await pendingRoles(repository), [])
  })

  test('are signed as they are, not as they were before others came', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['project/a']))
    const early = await signatureFor(repository, 'project', ann)
    await succeeds(repository, addRequest(['project/b']))
    assert.match(await refusal(repository, early), /made over other bytes \(what waits may have changed since\)/)
    await sign(repository, 'project', ann, bob)
    const client = await clientNow(repository)
    for (const path of ['project/a', 'project/b']) assert.ok(await client.find(path))
  })
})
