import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Prepared, prepare } from '../../shared/repository/ahead/prepare.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { type ObjectStore, StoreError } from '../../shared/repository/ports.ts'
import { isClean, seen } from '../support/client.ts'
import { begin, finish, importOf, lengths, lines, many } from '../support/long-work.ts'
import { addRequest, bootstrapped, restarted, run } from '../support/repository.ts'

const bins = 64
/** Milliseconds that it takes to read a bin, and to write one. */
const each = 500
/** Milliseconds of one run: a function has so much time. */
const time = 10 * each

/** A repository in which bins take their time; `fails`: whether the next one to be written does not come to be. */
async function slowRepository() {
  let pass = (_: number) => {}
  let fails = false
  const files: string[] = []
  const around = (store: ObjectStore): ObjectStore => ({
    ...store,
    read: (name) => {
      if (name.includes('.bins-')) pass(each)
      return store.read(name)
    },
    create: async (name, bytes) => {
      if (name.includes('.bins-')) {
        pass(each)
        files.push(name)
        if (fails) throw new StoreError('full', 'No room.')
      }
      return store.create(name, bytes)
    },
  })
  const repository = await bootstrapped({
    around,
    limits: { preparedAtOnce: 2, lease: 60 * 60_000 },
    delegations: { delegation: 'succinct_roles', number: bins },
  })
  return {
    repository,
    files,
    begin: () => {
      pass = repository.pass
    },
    fail: (now: boolean) => {
      fails = now
    },
  }
}

describe('work ahead by functions that have little time each', () => {
  it('comes to an end, for each goes on behind what those before it have made', async () => {
    const { repository, files, begin: passTime, fail } = await slowRepository()
    await run(repository, addRequest(['p/1', 'p/60', 'other'], 7))
    await run(repository, { ...addRequest(['p/2'], 8), publish: false })
    const before = await readCurrent(repository)
    const id = await begin(repository, await importOf(repository, lines(many(500))))
    files.length = 0
    passTime()
    const runs: (Prepared | 'failed')[] = []
    while (runs.at(-1) !== 'ready') {
      assert.ok(runs.length < bins, `${runs.length} runs`)
      // One dies in between: what it has made is not noted down.
      fail(runs.length === 3)
      const until = new Date(repository.ports.clock.now().getTime() + time)
      const ended = prepare(restarted(repository), id, { until }).catch(() => 'failed' as const)
      runs.push(await ended)
    }
    assert.ok(runs.length > 5, `${runs}`)
    assert.equal(runs.filter((end) => end === 'failed').length, 1)
    const { state } = await finish(repository, id)
    assert.equal(state, 'SUCCESS')
    assert.ok(files.length < bins + 10, `${files.length} files were written`)
    assert.deepEqual(await seen(repository), { ...lengths(many(500)), other: 7 })
    await isClean(repository)

    // What it was told by bins that earlier runs have made is not lost: which changes it overtook, and what paths held before.
    assert.deepEqual((await readCurrent(restarted(repository)))?.parked.changes, [])
    await run(restarted(repository), { kind: 'revert', commit: before?.entry.number ?? 0 })
    assert.deepEqual(await seen(repository), { 'p/1': 7, 'p/60': 7, other: 7 })
  })
})
