import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Current, readCurrent } from '../../shared/repository/current.ts'
import { publish } from '../../shared/repository/publish.ts'
import { submit } from '../../shared/repository/submit.ts'
import { clientNow } from '../support/client.ts'
import { counting } from '../support/counting.ts'
import {
  addRequest,
  bootstrapped,
  bootstrapRequest,
  restarted,
  run,
  type TestRepository,
  testRepository,
} from '../support/repository.ts'

const hour = 60 * 60 * 1000

async function counted(number = 4) {
  const counter = counting()
  const repository = await bootstrapped({ ...counter, delegations: { delegation: 'succinct_roles', number } })
  const submitAdd = (paths: readonly string[]) => submit(repository, { request: addRequest(paths), principal: 'test' })
  return { repository, submitAdd, during: (work: () => Promise<unknown>) => counter.during(work) }
}

describe('What work costs', () => {
  it('one artifact, by a publisher that knows the repository', async () => {
    const { repository, submitAdd, during } = await counted()
    await run(repository, addRequest(['warm']))
    await submitAdd(['one'])
    assert.deepEqual(await during(() => publish(repository)), {
      // The bin, snapshot, timestamp.
      signatures: 3,
      // Timestamp, the task's record and the task; and timestamp once more to see that nothing is left. The lease is as it left it.
      reads: 4,
      // The lease, journal, bin, snapshot, timestamp, the task's record.
      writes: 6,
      deletes: 1,
      lists: 2,
    })
  })

  it('one artifact, by a publisher that has just started', async () => {
    const { repository, submitAdd, during } = await counted()
    await run(repository, addRequest(['warm']))
    await submitAdd(['one'])
    assert.deepEqual(await during(() => publish(restarted(repository))), {
      signatures: 3,
      // Besides: journal entry, root, settings, snapshot, targets, the bin, and the commits that signed the other roles.
      reads: 12,
      writes: 6,
      deletes: 1,
      lists: 2,
    })
  })

  it('one look by each of those who ask at the moment at which a commit becomes visible', async () => {
    const { around, during } = counting()
    const readers: Promise<unknown>[] = []
    let ask = () => {}
    const repository = await bootstrapped({
      around: (store, which) => {
        const counted = around(store)
        if (which === 'state') return counted
        return {
          ...counted,
          async replace(name, bytes, tag) {
            const next = await counted.replace(name, bytes, tag)
            ask()
            await Promise.all(readers)
            return next
          },
        }
      },
    })
    const { id } = await submit(repository, { request: addRequest(['one']), principal: 'test' })
    ask = () => {
      readers.push(...Array.from({ length: 16 }, () => readCurrent(repository)))
    }
    const { reads } = await during(() => publish(repository))
    assert.equal(reads, 4 + 16)
    for (const current of await Promise.all(readers))
      assert.deepEqual(
        (current as Current).entry.tasks.map((task) => task.id),
        [id],
      )
  })

  it('one artifact costs the same in a repository with 1,024 bins', async () => {
    const small = await counted(2)
    const large = await counted(1024)
    const cost = async ({ repository, submitAdd, during }: typeof small) => {
      await submitAdd(['one'])
      return during(() => publish(restarted(repository)))
    }
    assert.deepEqual(await cost(large), await cost(small))
  })

  it('a thousand artifacts in one request: one signature for each bin, and one commit', async () => {
    const { repository, submitAdd, during } = await counted()
    await submitAdd(Array.from({ length: 1000 }, (_, at) => `file-${at}`))
    const { signatures, writes } = await during(() => publish(repository))
    assert.deepEqual({ signatures, writes }, { signatures: 4 + 2, writes: 6 + 3 })
  })

  it('a thousand requests: one commit', async () => {
    const { repository, submitAdd, during } = await counted()
    for (let at = 0; at < 1000; at++) await submitAdd([`file-${at}`])
    const counts = await during(() => publish(repository))
    assert.deepEqual(counts, {
      signatures: 4 + 2,
      // For each task its record and itself.
      reads: 2 + 2 * 1000,
      writes: 8 + 1000,
      deletes: 1000,
      lists: 2,
    })
  })

  it('to see that nothing is to be done: one read and one list', async () => {
    const { repository, during } = await counted()
    await publish(repository)
    const nothing = { signatures: 0, reads: 1, writes: 0, deletes: 0, lists: 1 }
    assert.deepEqual(await during(() => publish(repository)), nothing)
  })

  it('a refresh of the timestamp alone', async () => {
    const { repository, during } = await counted()
    repository.pass(13 * hour)
    assert.deepEqual(await during(() => publish(repository)), {
      signatures: 1,
      reads: 2,
      // The lease, journal, timestamp.
      writes: 3,
      deletes: 0,
      lists: 2,
    })
  })

  it('a bootstrap with 16,384 bins: one signature for all of them', { timeout: 60_000 }, async () => {
    const counter = counting()
    const repository: TestRepository = testRepository(counter)
    const request = bootstrapRequest(repository, { delegation: 'succinct_roles', number: 16_384 })
    await submit(repository, { request, principal: 'test' })
    const { signatures, writes } = await counter.during(() => publish(repository))
    // The bins, targets, snapshot, timestamp; and one to see that the key can sign.
    assert.equal(signatures, 4 + 1)
    // Every bin; the lease twice, and its release where nothing was committed; seal, first root, journal, two of private state, targets, snapshot,
    // timestamp, the task's record.
    assert.equal(writes, 16_384 + 12)
    const client = await clientNow(repository)
    assert.equal(await client.find('anything'), undefined)
  })

  it('a bootstrap with bins by path hash prefixes: one signature for all of them, too', async () => {
    const counter = counting()
    const repository: TestRepository = testRepository(counter)
    const request = bootstrapRequest(repository, { delegation: 'path_hash_prefixes', number: 256 })
    await submit(repository, { request, principal: 'test' })
    const { signatures } = await counter.during(() => publish(repository))
    assert.equal(signatures, 4 + 1)
  })
})
