import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { sha256 } from '../../shared/repository/documents.ts'
import { entryName, readEntry } from '../../shared/repository/journal.ts'
import { operations } from '../../shared/repository/operations/by-kind.ts'
import { type ObjectStore, StoreError } from '../../shared/repository/ports.ts'
import { type Published, publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import { inboxName, type TaskRequest, taskName } from '../../shared/repository/task.ts'
import { clientNow } from '../support/client.ts'
import { addRequest, bootstrapped, bootstrapRequest, restarted, run } from '../support/repository.ts'

const send = async (repository: Repository, request: TaskRequest) =>
  (await submit(repository, { request, principal: 'build' })).id

async function published(repository: Repository): Promise<Published[]> {
  const cycles: Published[] = []
  await publish(repository, (cycle) => cycles.push(cycle))
  return cycles
}

async function stateOf(repository: Repository, id: string) {
  return (await readTask(repository, id))?.state
}

describe('A publish', () => {
  it('decides all that waits in one commit, in the order of acceptance', async () => {
    const repository = await bootstrapped()
    const ids = []
    for (const length of [1, 2, 3]) ids.push(await send(repository, addRequest(['a'], length)))
    const [cycle, ...more] = await published(repository)
    assert.deepEqual(more, [])
    assert.deepEqual(
      cycle?.tasks.map(({ id }) => id),
      ids,
    )
    const client = await clientNow(repository)
    assert.equal((await client.find('a'))?.length, 3)
  })

  it('commits what was refused, too, with nothing but a new timestamp', async () => {
    const repository = await bootstrapped()
    const id = await send(repository, bootstrapRequest(repository))
    const [cycle] = await published(repository)
    assert.equal(cycle?.commit, 2)
    assert.deepEqual((await readEntry(repository.ports.state, 2)).entry.creates, [])
    assert.equal(await stateOf(repository, id), 'ERRORED')
  })

  it('does the others if the operation of one task breaks, which ends as FAILURE', async () => {
    const repository = await bootstrapped()
    const ids = [await send(repository, addRequest(['a']))]
    ids.push(await send(repository, { kind: 'update_settings', expiration: null as unknown as Record<string, number> }))
    ids.push(await send(repository, addRequest(['b'])))
    const [cycle] = await published(repository)
    const states = await Promise.all(ids.map((id) => stateOf(repository, id)))
    assert.deepEqual(states, ['SUCCESS', 'FAILURE', 'SUCCESS'])
    assert.ok(cycle?.broken.get(ids[1] ?? '') instanceof TypeError)
    const client = await clientNow(repository)
    assert.equal((await client.everything()).size, 2)
  })

  it('is not held up by a task that breaks every commit: it ends as FAILURE at last, the others as SUCCESS', async () => {
    const repository = await bootstrapped()
    const ids = [await send(repository, addRequest(['a']))]
    // No date is so far away: signing throws.
    ids.push(await send(repository, { kind: 'update_settings', expiration: { timestamp: 1e9 } }))
    ids.push(await send(repository, addRequest(['b'])))
    let throws = 0
    for (let tries = 0; tries < 12; tries++) await publish(repository).catch(() => throws++)
    assert.ok(throws <= 6, `it threw ${throws} times`)
    const states = await Promise.all(ids.map((id) => stateOf(repository, id)))
    assert.deepEqual(states, ['SUCCESS', 'FAILURE', 'SUCCESS'])
  })

  it('knows every kind of task', () => {
    const kinds = Object.keys(operations).sort()
    assert.equal(new Set(kinds).size, kinds.length)
    for (const operation of Object.values(operations)) assert.ok(operation.refusedMessage)
  })
})

describe('A task', () => {
  it('with the same Idempotency-Key is one task, also after it was done', async () => {
    const repository = await bootstrapped()
    const submission = { request: addRequest(['a']), principal: 'build', idempotencyKey: 'key' }
    const { id } = await submit(repository, submission)
    assert.equal((await submit(repository, submission)).id, id)
    await publish(repository)
    assert.equal((await submit(repository, submission)).id, id)
    assert.deepEqual(await published(repository), [])
    assert.deepEqual(await repository.ports.state.list('inbox/'), [])
    assert.notEqual((await submit(repository, { ...submission, principal: 'other' })).id, id)
    await assert.rejects(submit(repository, { ...submission, request: addRequest(['b']) }), {
      code: 'idempotency-key-reused',
    })
  })

  it('that comes back to the inbox right after it was finished is not applied again', async () => {
    const repository = await bootstrapped()
    const id = await send(repository, addRequest(['a']))
    const task = await repository.ports.state.read(inboxName(id))
    await publish(repository)
    assert.ok(task)
    await repository.ports.state.create(inboxName(id), task.bytes)
    assert.deepEqual(await published(repository), [])
    assert.deepEqual(await repository.ports.state.list('inbox/'), [])
  })

  it('is finished by the next publisher also if it lies behind the end of the list', async () => {
    const limits = { tasksPerCycle: 2 }
    const dies = { now: false }
    const around = (store: ObjectStore): ObjectStore => ({
      ...store,
      async create(name, bytes) {
        if (dies.now && name.startsWith('tasks/')) throw new StoreError('read-only', 'It dies here.')
        return store.create(name, bytes)
      },
    })
    const repository = await bootstrapped({ limits, around })
    const early = repository.ports.clock.newId()
    const ids = [await send(repository, addRequest(['a'])), await send(repository, addRequest(['b']))]
    dies.now = true
    await assert.rejects(publish(repository), { code: 'read-only' })
    dies.now = false
    // By an API whose clock is behind.
    const other = { ...repository.ports.clock, newId: () => early }
    await submit(
      { ...repository, ports: { ...repository.ports, clock: other } },
      { request: addRequest(['c']), principal: 'x' },
    )
    await publish(restarted(repository))
    const commits = await Promise.all(ids.map(async (id) => JSON.parse(await text(repository, taskName(id))).commit))
    assert.deepEqual(commits, [2, 2])
  })

  it('that comes, and is committed by a publisher which dies, while another one begins, is decided once', async () => {
    const meanwhile: { happens?: () => Promise<void> } = {}
    const dies = { now: false }
    const around = (store: ObjectStore): ObjectStore => ({
      ...store,
      async read(name) {
        const { happens } = meanwhile
        if (name === 'timestamp.json' && happens) {
          delete meanwhile.happens
          await happens()
        }
        return store.read(name)
      },
      async create(name, bytes) {
        if (dies.now && name.startsWith('tasks/')) throw new StoreError('read-only', 'It dies here.')
        return store.create(name, bytes)
      },
    })
    const repository = await bootstrapped({ around })
    const slow = restarted(repository)
    await send(repository, addRequest(['a']))
    let id = ''
    meanwhile.happens = async () => {
      id = await send(repository, addRequest(['b']))
      dies.now = true
      await assert.rejects(publish(restarted(repository)), { code: 'read-only' })
      dies.now = false
    }
    await publish(slow)
    await publish(slow)
    assert.equal(await stateOf(repository, id), 'SUCCESS')
    const decided = []
    for (let number = (await readCurrent(slow))?.entry.number ?? 0; number > 0; number--)
      decided.push(...(await readEntry(repository.ports.state, number)).entry.tasks)
    assert.equal(decided.filter((task) => task.id === id).length, 1)
  })
})

describe('The journal', () => {
  it('holds who asked for what, how it ended, what changed and what was written, in a chain of hashes', async () => {
    const repository = await bootstrapped()
    await run(repository, addRequest(['a'], 1))
    const id = await send(repository, addRequest(['a'], 2))
    await publish(repository)
    const { entry } = await readEntry(repository.ports.state, 3)
    const info = (length: number) => ({ length, hashes: { sha256: 'ab'.repeat(32) } })
    assert.deepEqual(entry.changes, [{ role: 'bins-3', path: 'a', before: info(1), after: info(2) }])
    assert.deepEqual(
      entry.tasks.map((task) => [task.id, task.principal, task.state]),
      [[id, 'build', 'SUCCESS']],
    )
    assert.deepEqual(entry.creates, ['3.bins-3.json', '3.snapshot.json'])
    assert.deepEqual(entry.supersedes, ['2.bins-3.json', '2.snapshot.json'])
    assert.deepEqual(entry.state, { root: 1, settings: 1, parked: 0, signing: 0, rotation: 0 })
    for (const number of [2, 3]) {
      const { entry } = await readEntry(repository.ports.state, number)
      const below = await repository.ports.state.read(entryName(number - 1))
      assert.deepEqual(entry.base, { number: number - 1, sha256: below && sha256(below.bytes) })
    }
    const first = await readEntry(repository.ports.state, 1)
    const seal = await repository.ports.state.read('bootstrap.json')
    assert.deepEqual(first.entry.base, { number: 0, sha256: seal && sha256(seal.bytes) })
  })

  it('goes on above the numbers of commits that came to nothing', async () => {
    const repository = await bootstrapped()
    await repository.ports.state.create(entryName(2), Buffer.from('{"schema":1,"somebody":"else"}'))
    await repository.ports.state.create(entryName(3), Buffer.from('{"schema":1,"somebody":"else"}'))
    await run(repository, addRequest(['a']))
    assert.equal((await readCurrent(repository))?.entry.number, 4)
    assert.equal((await readCurrent(repository))?.entry.base.number, 1)
  })
})

describe('What is not as it was written', () => {
  const cases: readonly [which: 'metadata' | 'state', name: string][] = [
    ['metadata', 'timestamp.json'],
    ['metadata', '2.snapshot.json'],
    ['metadata', '1.targets.json'],
    ['metadata', '2.bins-3.json'],
    ['state', 'commits/000000000002.json'],
    ['state', 'state/1.root.json'],
    ['state', 'state/1.settings.json'],
  ]
  for (const [which, name] of cases) {
    for (const damage of ['missing', 'damaged', 'of another time'] as const) {
      if (name === 'timestamp.json' && damage === 'missing') continue
      if (which === 'state' && damage === 'of another time') continue
      it(`${name} ${damage}: nothing is published over it`, async () => {
        const repository = await bootstrapped()
        await run(repository, addRequest(['a']))
        const store = repository.ports[which]
        const stored = await store.read(name)
        assert.ok(stored)
        const earlier = await repository.ports.metadata.read(name.replace(/^2/, '1'))
        const bytes = { damaged: Buffer.from('{"schema":1'), 'of another time': earlier?.bytes, missing: undefined }[
          damage
        ]
        await store.delete(name)
        if (bytes && damage !== 'missing') await store.create(name, bytes)
        const same = name === 'timestamp.json' || name === '1.targets.json'
        if (damage === 'of another time' && same) return
        await send(repository, addRequest(['a'], 2))
        const before = await repository.ports.metadata.list('')
        await assert.rejects(publish(restarted(repository)), (error: { code?: string; message: string }) => {
          assert.equal(error.code, 'corrupt', String(error))
          assert.ok(
            error.message.includes(name.replace(/^.*\//, '').replace(/^0+/, '')) || error.message.includes(name),
          )
          // Whole sentences, and what to do once.
          assert.doesNotMatch(error.message, /\.\.|[^.] (Nothing|Stop) /)
          assert.ok(error.message.split('Stop the service').length <= 2, error.message)
          return true
        })
        assert.deepEqual(await repository.ports.metadata.list(''), before)
      })
    }
  }
})

async function text(repository: Repository, name: string): Promise<string> {
  const stored = await repository.ports.state.read(name)
  assert.ok(stored, `${name} is missing`)
  return Buffer.from(stored.bytes).toString()
}
