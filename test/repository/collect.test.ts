import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collect, nothingCollected } from '../../shared/repository/collect.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { entryName, readEntry } from '../../shared/repository/journal.ts'
import { publish } from '../../shared/repository/publish.ts'
import { submit } from '../../shared/repository/submit.ts'
import { tufClient } from '../support/client.ts'
import { counting } from '../support/counting.ts'
import { addRequest, bootstrapped, run, type TestRepository } from '../support/repository.ts'

const hour = 60 * 60 * 1000
const day = 24 * hour

const files = ({ ports }: TestRepository) => ports.metadata.list('')
const stored = ({ ports }: TestRepository, prefix: string) => ports.state.list(prefix)

/** A repository in which commit 2 changed a bin, and commit 3 changed it again an hour later. */
async function changedTwice(options: Parameters<typeof bootstrapped>[0] = {}) {
  const repository = await bootstrapped(options)
  await run(repository, addRequest(['a'], 1))
  repository.pass(hour)
  await run(repository, addRequest(['a'], 2))
  return repository
}

/** What a publisher leaves behind that dies between its journal entry and the timestamp. */
async function abort(repository: TestRepository): Promise<number> {
  const { ports } = repository
  const metadata = {
    ...ports.metadata,
    replace: async () => {
      throw new Error('It dies before the swap.')
    },
  }
  await submit(repository, { request: addRequest(['b'], 1), principal: 'test' })
  const settings = { kind: 'update_settings', expiration: { bins: 31 } } as const
  await submit(repository, { request: settings, principal: 'test' })
  await assert.rejects(publish({ ...repository, ports: { ...ports, metadata } }), /It dies/)
  const last = (await stored(repository, 'commits/')).at(-1) ?? ''
  return Number.parseInt(last.slice('commits/'.length), 10)
}

describe('collect', () => {
  it('takes away what was superseded for as long as files are kept, and nothing sooner', async () => {
    const repository = await changedTwice()
    repository.pass(hour)
    await run(repository, addRequest(['a'], 3))
    const before = await files(repository)
    repository.pass(day - hour - 1)
    await collect(repository)
    assert.deepEqual(await files(repository), before)
    // That commit 2 has been visible for a day is certain when commit 3 was made a day ago.
    repository.pass(1)
    await repository.ports.state.delete('collected.json')
    await collect(repository)
    const gone = (await readEntry(repository.ports.state, 2)).entry.supersedes
    assert.deepEqual(new Set(before).difference(new Set(await files(repository))), new Set(gone))
    assert.equal(gone.length, 2)
  })

  it('keeps roots, what the snapshot lists and the journal, however often it runs', async () => {
    const repository = await changedTwice()
    for (let at = 0; at < 10; at++) {
      repository.pass(day)
      await publish(repository)
      await collect(repository)
    }
    repository.pass(day)
    await collect(repository)
    const current = await readCurrent(repository)
    assert.ok(current)
    const { snapshot, entry } = current
    const listed = [...snapshot.signed.meta].map(([file, { version }]) => `${version}.${file}`)
    const wanted = ['timestamp.json', '1.root.json', `${snapshot.signed.version}.snapshot.json`, ...listed]
    assert.deepEqual(await files(repository), wanted.sort())
    assert.equal((await stored(repository, 'commits/')).length, entry.number)
    assert.deepEqual(await stored(repository, 'state/'), ['state/1.root.json', 'state/1.settings.json'])
  })

  it('leaves a client that has just read an older timestamp all of its files, for the retention time', async () => {
    const repository = await bootstrapped()
    const { ports } = repository
    await run(repository, addRequest(['a', 'b', 'c', 'd'], 1))
    const timestamp = await ports.metadata.read('timestamp.json')
    for (let at = 0; at < 24; at++) {
      await run(repository, addRequest(['a', 'b', 'c', 'd'], 2 + at))
      await collect(repository)
      // It began just before the first of these commits, and is slow.
      const read = async (file: string) =>
        file === 'timestamp.json' ? timestamp?.bytes : (await ports.metadata.read(file))?.bytes
      const client = tufClient(read, () => new Date(0))
      await client.refresh()
      assert.equal((await client.find('c'))?.length, 1)
      repository.pass(hour)
    }
    // By when the next commit began: that it was visible then is certain.
    repository.pass(hour)
    await collect(repository)
    assert.equal(await ports.metadata.read('2.snapshot.json'), undefined)
  })

  it('counts from when a commit became visible, not from when its publisher began', async () => {
    const repository = await bootstrapped()
    const { ports } = repository
    let sleeps = day - hour
    const sleepy = {
      ...ports.metadata,
      replace: async (...args: Parameters<typeof ports.metadata.replace>) => {
        repository.pass(sleeps)
        sleeps = 0
        return ports.metadata.replace(...args)
      },
    }
    const slow = {
      ...repository,
      ports: { ...ports, metadata: sleepy },
      limits: { ...repository.limits, lease: 2 * day },
    }
    await submit(slow, { request: addRequest(['a']), principal: 'test' })
    await publish(slow)
    repository.pass(2 * hour)
    assert.deepEqual(await collect(repository), nothingCollected)
    repository.pass(22 * hour)
    assert.equal((await collect(repository)).superseded, 2)
  })

  it('sweeps what an aborted commit left a day later, the entry last, and nothing above the current commit', async () => {
    const repository = await changedTwice()
    const aborted = await abort(repository)
    const { entry } = await readEntry(repository.ports.state, aborted)
    const left = async () => (await files(repository)).filter((file) => file.startsWith(`${aborted}.`))
    assert.ok((await left()).length >= 2)
    repository.pass(2 * day)
    await collect(repository)
    assert.deepEqual(new Set(await left()), new Set(entry.creates))
    // The next publisher commits under the numbers after it.
    await publish(repository)
    repository.pass(hour)
    await collect(repository)
    assert.deepEqual(await left(), [])
    assert.equal(await repository.ports.state.read(entryName(aborted)), undefined)
    assert.deepEqual(await stored(repository, `state/${aborted}.`), [])
    assert.equal((await readCurrent(repository))?.settings.expiration['bins'], 31)
  })

  it('waits for an aborted entry to be a day old', async () => {
    const repository = await changedTwice()
    const aborted = await abort(repository)
    repository.pass(2 * 60_000)
    await publish(repository)
    repository.pass(day - 2 * 60_000 - 1)
    await collect(repository)
    assert.ok(await repository.ports.state.read(entryName(aborted)))
    repository.pass(hour)
    assert.equal((await collect(repository)).aborted, 1)
  })

  it('takes away private state that was superseded', async () => {
    const repository = await bootstrapped()
    const settings = (timestamp: number) => ({ kind: 'update_settings', expiration: { timestamp } }) as const
    await run(repository, settings(2))
    await run(repository, settings(3))
    repository.pass(day)
    await collect(repository)
    assert.deepEqual(await stored(repository, 'state/'), ['state/1.root.json', 'state/3.settings.json'])
    assert.equal((await readCurrent(repository))?.settings.expiration['timestamp'], 3)
  })

  it('takes old records away where it is asked to, and no others', async () => {
    const repository = await bootstrapped()
    await submit(repository, { request: addRequest(['a']), principal: 'test', idempotencyKey: 'a' })
    await publish(repository)
    repository.pass(7 * day)
    await submit(repository, { request: addRequest(['b']), principal: 'test', idempotencyKey: 'b' })
    await publish(repository)
    await collect(repository)
    assert.equal((await stored(repository, 'idempotency/')).length, 2)
    repository.pass(hour)
    assert.equal((await collect(repository, { records: true })).records, 1)
    assert.equal((await stored(repository, 'idempotency/')).length, 1)
    repository.pass(23 * day - hour)
    assert.equal((await collect(repository, { records: true })).records, 2 + 1)
    assert.equal((await stored(repository, 'tasks/')).length, 1)
  })

  it('goes on at once where there are more old records than one run looks at', async () => {
    const repository = await bootstrapped()
    const { state } = repository.ports
    for (let at = 0; at < 2500; at++) await state.create(`idempotency/${at}`, Buffer.from('{}'))
    repository.pass(8 * day)
    const left = []
    for (let run = 0; run < 3; run++) {
      await collect(repository, { records: true })
      left.push((await stored(repository, 'idempotency/')).length)
    }
    assert.deepEqual(left, [1500, 500, 0])
    await state.create('idempotency/more', Buffer.from('{}'))
    assert.equal((await collect(repository, { records: true })).records, 0)
  })

  it('begins anew without its notes, and with notes that nobody understands', async () => {
    const repository = await changedTwice()
    repository.pass(2 * day)
    await collect(repository)
    const after = await files(repository)
    const { ports } = repository
    for (const note of [undefined, 'x', JSON.stringify({ schema: 1, through: 99, time: '' })]) {
      await ports.state.delete('collected.json')
      if (note !== undefined) await ports.state.create('collected.json', Buffer.from(note))
      repository.pass(2 * hour)
      await collect(repository)
      assert.deepEqual(await files(repository), after)
    }
    assert.equal((await readEntry(ports.state, 3)).entry.number, 3)
  })
})

describe('What a collection costs', () => {
  async function counted(commits: number) {
    const counter = counting()
    const repository = await bootstrapped(counter)
    for (let at = 0; at < commits; at++) await run(repository, addRequest(['a'], at))
    return { repository, during: (work: () => Promise<unknown>) => counter.during(work) }
  }

  it('one read when somebody collected a little while ago', async () => {
    const { repository, during } = await counted(1)
    await collect(repository)
    const nothing = { signatures: 0, reads: 1, writes: 0, deletes: 0, lists: 0 }
    assert.deepEqual(await during(() => collect(repository)), nothing)
  })

  it('is in proportion to the commits that have come of age, however many there were before and are after', async () => {
    for (const [old, young] of [
      [0, 0],
      [200, 0],
      [0, 200],
    ] as const) {
      const { repository, during } = await counted(old)
      repository.pass(2 * day)
      await collect(repository)
      for (let at = 0; at < 20; at++) await run(repository, addRequest(['a'], at))
      repository.pass(day)
      for (let at = 0; at < young; at++) await run(repository, addRequest(['a'], at))
      const { reads, deletes, lists, writes } = await during(() => collect(repository))
      // A bin and a snapshot for each; at the seam one commit that the run before has dealt with, or the next one has to.
      assert.ok(Math.abs(deletes - 2 * 20) <= 4, `${deletes} deletes`)
      assert.ok(reads <= 20 + 64, `${reads} reads`)
      // Of the journal, of imports and of work ahead.
      assert.deepEqual({ lists, writes }, { lists: 3, writes: 1 })
    }
  })

  it('is bounded, and goes on in the next run', async () => {
    const { repository } = await counted(30)
    repository.pass(2 * day)
    const bounded = { ...repository, limits: { ...repository.limits, collectedPerCycle: 10 } }
    const runs = []
    for (let superseded = 1; superseded > 0; runs.push(superseded)) ({ superseded } = await collect(bounded))
    assert.equal(
      runs.reduce((sum, one) => sum + one),
      60,
    )
    assert.ok(runs.length >= 6)
  })
})
