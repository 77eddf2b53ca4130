import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { publish } from '../../shared/repository/publish.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { roleName, targetPath } from '../../shared/tuf/names.ts'
import { clientNow } from '../support/client.ts'
import { addRequest, bootstrapped, removeRequest, run, type TestRepository } from '../support/repository.ts'

const publishParked: TaskRequest = { kind: 'publish_artifacts' }
const parked = <Request extends TaskRequest>(request: Request) => ({ ...request, publish: false }) as Request

async function details(repository: TestRepository, request: TaskRequest) {
  const { state, task } = await run(repository, request)
  assert.ok('result' in task)
  return { state, ...task.result.details }
}

/** What a client that has just started finds, path and length. */
async function visible(repository: TestRepository): Promise<Record<string, number>> {
  const client = await clientNow(repository)
  return Object.fromEntries([...(await client.everything())].map(([path, { length }]) => [path, length]).sort())
}

describe('Artifacts', () => {
  it('are added, changed and removed', async () => {
    const repository = await bootstrapped()
    await run(repository, addRequest(['a', 'dir/b', '__proto__', 'constructor'], 7))
    assert.deepEqual(
      await visible(repository),
      Object.fromEntries([
        ['__proto__', 7],
        ['a', 7],
        ['constructor', 7],
        ['dir/b', 7],
      ]),
    )
    await run(repository, addRequest(['a'], 8))
    assert.deepEqual(await details(repository, removeRequest('dir/b', '__proto__', 'never-there')), {
      state: 'SUCCESS',
      deleted_artifacts: ['dir/b', '__proto__'],
      not_found_artifacts: ['never-there'],
    })
    assert.deepEqual(await visible(repository), { a: 8, constructor: 7 })
  })

  it('say where they went', async () => {
    const repository = await bootstrapped()
    const current = await details(repository, addRequest(['a']))
    assert.deepEqual(current, {
      state: 'SUCCESS',
      added_artifacts: ['a'],
      invalid_paths: [],
      artifact_roles: ['bins-3'],
    })
  })

  it('carry the id of their task where that is asked for', async () => {
    const repository = await bootstrapped()
    const request = { ...addRequest(['a']), addTaskIdToCustom: true }
    const { id } = await submit(repository, { request, principal: 'test' })
    await publish(repository)
    const client = await clientNow(repository)
    assert.deepEqual((await client.find('a'))?.custom, { added_by_task_id: id })
  })

  it('wait until they are published', async () => {
    const repository = await bootstrapped()
    await run(repository, addRequest(['kept', 'gone']))
    await run(repository, parked(addRequest(['new'], 2)))
    await run(repository, parked(removeRequest('gone')))
    assert.deepEqual(await visible(repository), { gone: 1, kept: 1 })
    assert.equal((await readCurrent(repository))?.parked.changes.length, 2)
    assert.deepEqual(await details(repository, publishParked), { state: 'SUCCESS', artifact_roles: ['bins-0'] })
    assert.deepEqual(await visible(repository), { kept: 1, new: 2 })
    assert.deepEqual((await readCurrent(repository))?.parked.changes, [])
  })

  const laterWins: readonly [name: string, tasks: readonly TaskRequest[], seen: Record<string, number>][] = [
    ['parked, then changed at once', [parked(addRequest(['a'], 1)), addRequest(['a'], 2), publishParked], { a: 2 }],
    [
      'parked, then removed at once',
      [addRequest(['a']), parked(addRequest(['a'], 2)), removeRequest('a'), publishParked],
      {},
    ],
    ['parked twice', [parked(addRequest(['a'], 1)), parked(addRequest(['a'], 2)), publishParked], { a: 2 }],
    ['parked, then its removal parked', [parked(addRequest(['a'], 1)), parked(removeRequest('a')), publishParked], {}],
    [
      'its removal parked, then added',
      [addRequest(['a']), parked(removeRequest('a')), parked(addRequest(['a'], 3)), publishParked],
      { a: 3 },
    ],
  ]
  for (const [name, tasks, seen] of laterWins) {
    for (const together of [true, false]) {
      it(`${name}: the later one wins (${together ? 'in one commit' : 'one by one'})`, async () => {
        const repository = await bootstrapped()
        for (const request of tasks) {
          await submit(repository, { request, principal: 'test' })
          if (!together) await publish(repository)
        }
        await publish(repository)
        assert.deepEqual(await visible(repository), seen)
      })
    }
  }

  it('of one request are all refused if no role is trusted with one of them', async () => {
    const role = { name: roleName('one'), terminating: false, keyids: [], threshold: 1, paths: ['one/*'] }
    const repository = await bootstrapped({ delegations: { keys: {}, roles: [role] } })
    assert.deepEqual(await details(repository, addRequest(['one/a', 'two/b'])), {
      state: 'ERRORED',
      added_artifacts: [],
      invalid_paths: ['two/b'],
      artifact_roles: [],
    })
    assert.deepEqual(await visible(repository), {})
  })

  it('of one request are visible in one commit, however many bins they lie in', async () => {
    const repository = await bootstrapped()
    const before = (await readCurrent(repository))?.entry.number ?? 0
    await run(repository, addRequest(Array.from({ length: 10_000 }, (_, at) => `dir/${at}`)))
    const current = await readCurrent(repository)
    assert.equal(current?.entry.number, before + 1)
    assert.equal(current?.entry.changes.length, 10_000)
    assert.equal(Object.keys(await visible(repository)).length, 10_000)
  })
})

it('a hash that few clients read is kept as it was sent, and the result warns of it', async () => {
  const repository = await bootstrapped()
  const info = { length: 1, hashes: { 'blake2b-256': 'cd'.repeat(32) } }
  const standing = await run(repository, { ...addRequest([]), artifacts: [{ path: targetPath('odd'), info }] })
  assert.equal(standing.state, 'SUCCESS')
  assert.ok('result' in standing.task)
  assert.match(
    String(standing.task.result.details['warnings']),
    /^tuf-js 6, .* will not find odd: they do not read blake2b-256 \(only python-tuf does\)/,
  )
  const plain = await run(repository, addRequest(['plain']))
  assert.ok('result' in plain.task)
  assert.equal(plain.task.result.details['warnings'], undefined)
})
