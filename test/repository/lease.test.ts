import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { expireLease, type Lease, takeLease } from '../../shared/repository/lease.ts'
import { type ObjectStore, StoreError } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import { openRepository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import { memoryObjectStore } from '../support/memory-object-store.ts'
import { addRequest, bootstrapped, restarted, run, type TestRepository } from '../support/repository.ts'

const minute = 60_000
const ids = ['1', '2', '3', '4', '5']
/** That which founds a repository. */
const base = 1

async function taken(repository: TestRepository, waiting: readonly string[] = ids): Promise<Lease> {
  const lease = await takeLease(restarted(repository), waiting, base)
  assert.ok(lease, 'another publisher holds it')
  return lease
}

describe('The lease', () => {
  it('is held by one, until it is released', async () => {
    const repository = await bootstrapped()
    const lease = await taken(repository)
    assert.deepEqual(lease.batch, ids)
    assert.equal(await takeLease(restarted(repository), ids, base), undefined)
    await lease.release('idle')
    assert.deepEqual((await taken(repository)).batch, ids)
  })

  it('is free once a later commit is visible than that on which its holder builds', async () => {
    const repository = await bootstrapped()
    await taken(repository)
    assert.equal(await takeLease(restarted(repository), ids, base), undefined)
    assert.equal(await takeLease(restarted(repository), ids, base - 1), undefined)
    // All of them: nobody has crashed.
    assert.deepEqual((await takeLease(restarted(repository), ids, base + 1))?.batch, ids)
  })

  it('is read by who left it only if another has had it since', async () => {
    let reads = 0
    const around = (store: ObjectStore): ObjectStore => ({
      ...store,
      read: (name) => {
        if (name === 'lease.json') reads++
        return store.read(name)
      },
    })
    const repository = await bootstrapped({ around })
    await run(repository, addRequest(['a']))
    reads = 0
    const lease = await takeLease(repository, ids, 2)
    assert.deepEqual([lease?.batch, reads], [ids, 0])
    await lease?.release('committed')
    const other = await takeLease(restarted(repository), ids, 3)
    assert.equal(await takeLease(repository, ids, 2), undefined)
    await other?.release('idle')
    assert.deepEqual((await takeLease(repository, ids, 2))?.batch, ids)
  })

  it('is over after its time, and then no longer its holder’s to renew or release', async () => {
    const repository = await bootstrapped()
    const lease = await taken(repository)
    repository.pass(minute)
    assert.equal(lease.isOver(), true)
    const next = await taken(repository)
    await lease.release('idle')
    await lease.renew()
    assert.equal(lease.isOver(), true)
    assert.equal(next.isOver(), false)
    assert.equal(await takeLease(restarted(repository), ids, base), undefined)
  })

  it('lasts as long as it is renewed', async () => {
    const repository = await bootstrapped()
    const lease = await taken(repository)
    for (let times = 0; times < 5; times++) {
      repository.pass(0.75 * minute)
      await Promise.all([lease.renew(), lease.renew()])
    }
    assert.equal(lease.isOver(), false)
    assert.equal(await takeLease(restarted(repository), ids, base), undefined)
  })

  it('of a crashed publisher brings half of its batch, then half of that, then one alone, until that is poison', async () => {
    const repository = await bootstrapped()
    const batches = []
    for (let crashes = 0; crashes < 7; crashes++) {
      const { batch, poisoned } = await taken(repository)
      batches.push([batch.join(''), poisoned])
      repository.pass(minute)
    }
    assert.deepEqual(batches, [
      ['12345', undefined],
      ['123', undefined],
      ['12', undefined],
      ['1', undefined],
      ['1', undefined],
      ['1', undefined],
      ['1', '1'],
    ])
  })

  it('of a crashed publisher that had finished its tasks brings all that waits now', async () => {
    const repository = await bootstrapped()
    await taken(repository, ['1', '2'])
    repository.pass(minute)
    const lease = await taken(repository, ['3', '4'])
    assert.deepEqual([lease.batch, lease.poisoned], [['3', '4'], undefined])
  })

  it('counts crashes in a row only', async () => {
    const repository = await bootstrapped()
    for (let times = 0; times < 3; times++) {
      await taken(repository, ['1'])
      repository.pass(minute)
    }
    await (await taken(repository, ['1'])).release('idle')
    assert.equal((await taken(repository, ['1'])).poisoned, undefined)
  })

  it('released as crashed, or expired by one who knows, is that of a crashed publisher at once', async () => {
    const repository = await bootstrapped()
    await (await taken(repository)).release('crashed')
    assert.deepEqual((await taken(repository)).batch, ['1', '2', '3'])
    await expireLease(repository.ports)
    assert.deepEqual((await taken(repository)).batch, ['1', '2'])
  })

  it('that a power cut has left in halves is nobody’s', async () => {
    const repository = await bootstrapped()
    await taken(repository)
    const { state } = repository.ports
    const stored = await state.read('lease.json')
    assert.ok(stored)
    for (const left of [stored.bytes.subarray(0, 40), new Uint8Array(), stored.bytes.map(() => 0)]) {
      const tag = (await state.read('lease.json'))?.tag
      assert.ok(tag)
      await state.replace('lease.json', left, tag)
      await expireLease(repository.ports)
      assert.deepEqual((await taken(repository)).batch, ids)
    }
  })

  it('lies where hints lie, if there is such a place', async () => {
    const repository = await bootstrapped()
    const hints = memoryObjectStore()
    const lease = await takeLease(openRepository({ ...repository.ports, hints }), ids, base)
    assert.deepEqual(lease?.batch, ids)
    assert.ok(await hints.read('lease.json'))
    assert.equal((await taken(repository)).batch.length, ids.length)
  })

  it('that could not be released keeps its own process from nothing, and others for its time', async () => {
    const repository = await bootstrapped()
    const hints = memoryObjectStore()
    let isFull = false
    const replace: typeof hints.replace = async (...parameters) => {
      if (isFull) throw new StoreError('full', 'No room.')
      return hints.replace(...parameters)
    }
    const own = openRepository({ ...repository.ports, hints: { ...hints, replace } })
    const lease = await takeLease(own, ids, base)
    isFull = true
    await assert.rejects(async () => lease?.release('idle'), { code: 'full' })
    isFull = false
    assert.equal(await takeLease(openRepository({ ...repository.ports, hints }), ids, base), undefined)
    // All of them: nobody has crashed.
    assert.deepEqual((await takeLease(own, ids, base))?.batch, ids)
  })

  it('that could not be released does not hide what went wrong before', async () => {
    const hints = memoryObjectStore()
    let isFull = false
    const full = async () => {
      throw new StoreError('full', 'No room.')
    }
    const repository = await bootstrapped({
      around: (store, which) => ({
        ...store,
        create: (name, bytes) =>
          isFull && which === 'metadata'
            ? Promise.reject(new StoreError('unavailable', 'The store is down.'))
            : store.create(name, bytes),
      }),
    })
    const replace: typeof hints.replace = (...parameters) => (isFull ? full() : hints.replace(...parameters))
    const own = openRepository({ ...repository.ports, hints: { ...hints, replace } })
    await submit(own, { request: addRequest(['a']), principal: 'test' })
    isFull = true
    await assert.rejects(publish(own), { code: 'unavailable' })
  })

  it('has a task that crashed three publishers end as FAILURE, unread, and the others as SUCCESS', async () => {
    const repository = await bootstrapped()
    const submitted = []
    for (const path of ['a', 'b', 'c'])
      submitted.push((await submit(repository, { request: addRequest([path]), principal: 'test' })).id)
    for (let crashes = 0; crashes < 5; crashes++) {
      await taken(repository, submitted)
      repository.pass(minute)
    }
    await publish(restarted(repository))
    const standings = await Promise.all(submitted.map((id) => readTask(repository, id)))
    assert.deepEqual(
      standings.map((standing) => standing?.state),
      ['FAILURE', 'SUCCESS', 'SUCCESS'],
    )
  })
})
