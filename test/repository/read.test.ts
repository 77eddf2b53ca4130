import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { readDelegationTree } from '../../shared/repository/delegation-tree.ts'
import { encodeEntry, entryName, readEntry } from '../../shared/repository/journal.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readCommits, readTarget, readTask, waitForTask } from '../../shared/repository/read.ts'
import { signedOffline } from '../../shared/repository/refresh.ts'
import { readFounding, readStatus } from '../../shared/repository/status.ts'
import { submit } from '../../shared/repository/submit.ts'
import { targetPath } from '../../shared/tuf/names.ts'
import { customRole, delegation, sign } from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { addRequest, bootstrapped, bootstrapRequest, restarted, run, testRepository } from '../support/repository.ts'

describe('A reader', () => {
  it('is told where a task stands', async () => {
    const repository = await bootstrapped()
    assert.equal(await readTask(repository, 'unknown'), undefined)
    const { id } = await submit(repository, { request: addRequest(['a']), principal: 'build' })
    const waiting = await readTask(repository, id)
    assert.deepEqual([waiting?.state, waiting?.task.principal], ['PENDING', 'build'])
    await publish(repository)
    const done = await readTask(repository, id)
    assert.ok(done && 'result' in done.task)
    assert.deepEqual([done.state, done.task.commit, done.task.result.status], ['SUCCESS', 2, true])
  })

  it('is not told that a task is unknown while it moves from the inbox to the finished ones', async () => {
    const moves: { now?: () => Promise<void> } = {}
    const around = (store: ObjectStore): ObjectStore => ({
      ...store,
      async read(name) {
        const { now } = moves
        if (name.startsWith('inbox/') && now) {
          delete moves.now
          await now()
        }
        return store.read(name)
      },
    })
    const repository = await bootstrapped({ around })
    const { id } = await submit(repository, { request: addRequest(['a']), principal: 'test' })
    moves.now = () => publish(restarted(repository)).then(() => {})
    assert.equal((await readTask(repository, id))?.state, 'SUCCESS')
  })

  it('may wait for a task, so long and no longer', async () => {
    const repository = await bootstrapped()
    const { id } = await submit(repository, { request: addRequest(['a']), principal: 'test' })
    const before = repository.ports.clock.now().getTime()
    assert.equal((await waitForTask(repository, id, 2000))?.state, 'PENDING')
    assert.equal(repository.ports.clock.now().getTime() - before, 2000)
    await publish(repository)
    assert.equal((await waitForTask(repository, id, 2000))?.state, 'SUCCESS')
    assert.equal(await waitForTask(repository, 'unknown', 2000), undefined)
  })

  it('is woken when a publisher of the same process has ended the task', async () => {
    const repository = await bootstrapped()
    const asleep = { ...repository.ports.clock, sleep: () => new Promise<void>(() => {}) }
    const patient = { ...repository, ports: { ...repository.ports, clock: asleep } }
    const { id } = await submit(repository, { request: addRequest(['a']), principal: 'test' })
    const waiting = [1, 2].map(() => waitForTask(patient, id, 2000))
    await publish(repository)
    for (const standing of await Promise.all(waiting)) assert.equal(standing?.state, 'SUCCESS')
    assert.equal(repository.cache.waiting.size, 0)
  })

  it('is told how far the bootstrap is', async () => {
    const repository = testRepository()
    assert.deepEqual(await readFounding(repository), undefined)
    await run(repository, addRequest(['early']))
    assert.deepEqual(await readFounding(repository), undefined)
    await run(repository, bootstrapRequest(repository))
    assert.equal((await readFounding(repository))?.state, 'finished')
  })

  it('is told that the repository is founded, though what founded it is spoilt since', async () => {
    const repository = await bootstrapped()
    assert.notEqual((await readFounding(repository))?.taskId, undefined)
    const { state, metadata } = repository.ports
    await state.delete('bootstrap.json')
    await state.create('bootstrap.json', Buffer.from('{"schema'))
    assert.deepEqual((await readStatus(repository)).founding, { state: 'finished' })
    await metadata.delete('timestamp.json')
    await assert.rejects(readFounding(restarted(repository)), { code: 'corrupt' })
  })

  it('finds a target as clients do, and the commit that last changed it', async () => {
    const repository = await bootstrapped({ delegations: { delegation: 'path_hash_prefixes', number: 2 } })
    await run(repository, addRequest(['a'], 1))
    await run(repository, addRequest(['a', 'b'], 2))
    for (let at = 0; at < 10; at++) await run(repository, addRequest([`other-${at}`]))
    const current = await readCurrent(repository)
    assert.ok(current)
    const found = await readTarget(repository, current, targetPath('a'))
    assert.deepEqual([found?.role, found?.target.length, found?.commit], ['bins-1', 2, 3])
    assert.equal(await readTarget(repository, current, targetPath('nothing')), undefined)
    assert.equal(await readTarget(repository, current, targetPath('__proto__')), undefined)
  })

  it('sees commits from the newest down, a page at a time', async () => {
    const repository = await bootstrapped()
    for (let at = 0; at < 4; at++) await run(repository, addRequest([`${at}`]))
    const numbers = async (page: { newest?: number; limit: number }) =>
      (await Array.fromAsync(readCommits(repository, page))).map(({ number }) => number)
    assert.deepEqual(await numbers({ limit: 2 }), [5, 4])
    assert.deepEqual(await numbers({ newest: 3, limit: 2 }), [3, 2])
    assert.deepEqual(await numbers({ newest: 3, limit: 100 }), [3, 2, 1])
    assert.deepEqual(await Array.fromAsync(readCommits(testRepository(), { limit: 100 })), [])
  })

  it('passes over numbers that nobody committed', async () => {
    const repository = await bootstrapped()
    await run(repository, addRequest(['a']))
    const { state } = repository.ports
    const { entry } = await readEntry(state, 2)
    await state.create(entryName(3), encodeEntry({ ...entry, number: 3, nonce: 'somebody who never came to the end' }))
    await run(repository, addRequest(['b']))
    for (const newest of [undefined, 4, 3]) {
      const page = await Array.fromAsync(readCommits(repository, { ...(newest && { newest }), limit: 10 }))
      assert.deepEqual(
        page.map(({ number }) => number),
        newest === 3 ? [2, 1] : [4, 2, 1],
      )
    }
  })

  it('is not told anything by an entry that is not the one that was built on', async () => {
    const repository = await bootstrapped()
    for (const path of ['a', 'b', 'c']) await run(repository, addRequest([path]))
    const { state } = repository.ports
    const { entry } = await readEntry(state, 2)
    await state.delete(entryName(2))
    const asked = () => Array.fromAsync(readCommits(repository, { newest: 1, limit: 1 }))
    await assert.rejects(asked, { code: 'corrupt', message: /000000000002.json is missing/ })
    await state.create(entryName(2), encodeEntry({ ...entry, nonce: 'another' }))
    await assert.rejects(asked, {
      code: 'corrupt',
      message: /000000000002.json is not the one that commit 3 builds on/,
    })
    assert.equal((await Array.fromAsync(readCommits(repository, { limit: 2 }))).length, 2)
  })

  it('comes to commits of long ago in few rounds of reads, of which so many are under way at once', async () => {
    let [underway, most, rounds] = [0, 0, 0]
    const around = (store: ObjectStore): ObjectStore => ({
      ...store,
      async read(name) {
        if (underway++ === 0) rounds++
        most = Math.max(most, underway)
        const stored = await store.read(name).finally(() => setImmediate(() => underway--))
        await new Promise(setImmediate)
        return stored
      },
    })
    const repository = await bootstrapped({ around, limits: { parallel: 16 } })
    for (let at = 0; at < 100; at++) await run(repository, addRequest([`${at}`]))
    ;[most, rounds] = [0, 0]
    const page = await Array.fromAsync(readCommits(repository, { newest: 20, limit: 10 }))
    assert.deepEqual(
      page.map(({ number }) => number),
      [20, 19, 18, 17, 16, 15, 14, 13, 12, 11],
    )
    assert.equal(most, 16)
    assert.ok(rounds <= Math.ceil(91 / 16) + 2, `${rounds} rounds`)
    // Entries may be big, so none is read before somebody comes near it.
    rounds = 0
    for await (const { number } of readCommits(repository, { limit: 100 })) if (number <= 100) break
    assert.ok(rounds <= 2, `${rounds} rounds`)
  })

  it('sees many custom roles, and those signed offline, with so many reads under way at once', async () => {
    let [underway, most] = [0, 0]
    const around = (store: ObjectStore): ObjectStore => ({
      ...store,
      async read(name) {
        most = Math.max(most, ++underway)
        await new Promise(setImmediate)
        return store.read(name).finally(() => underway--)
      },
    })
    const ann = makeKey()
    const roles = Array.from({ length: 20 }, (_, at) => customRole(`role${at}`, at < 10 ? { holders: [ann] } : {}))
    const repository = await bootstrapped({ around, limits: { parallel: 4, cachedRoleBytes: 0 } })
    await run(repository, delegation('add', roles, [ann]))
    for (let at = 0; at < 10; at++) await sign(repository, `role${at}`, ann)
    const current = await readCurrent(repository)
    assert.ok(current)
    for (const read of [() => readDelegationTree(repository, current), () => signedOffline(repository, current)]) {
      most = 0
      await read()
      assert.equal(most, 4)
    }
    assert.equal((await readDelegationTree(repository, current)).roles.length, 22)
    assert.equal((await signedOffline(repository, current)).length, 10)
  })
})
