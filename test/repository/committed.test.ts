import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checkJournal } from '../../shared/repository/check/journal.ts'
import { committedDown, type Wanted } from '../../shared/repository/committed.ts'
import { sha256 } from '../../shared/repository/documents.ts'
import { encodeEntry, entryName, readEntry, type StoredEntry } from '../../shared/repository/journal.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { writeChain } from '../support/chain.ts'
import { counting } from '../support/counting.ts'
import { memoryObjectStore } from '../support/memory-object-store.ts'
import { addRequest, bootstrapped, run } from '../support/repository.ts'

const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1)

async function numbersDown(state: ObjectStore, top: StoredEntry, wanted: Partial<Wanted>): Promise<number[]> {
  const all = { limit: Number.POSITIVE_INFINITY, parallel: 64, ...wanted }
  const numbers: number[] = []
  for await (const { number } of committedDown(state, top, all)) numbers.push(number)
  return numbers
}

describe('Committed entries', () => {
  it('are the same from wherever one begins, whatever numbers were left out', async () => {
    const gaps = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 300 })), {
      minLength: 1,
      maxLength: 200,
    })
    await fc.assert(
      fc.asyncProperty(gaps, fc.nat(5000), fc.integer({ min: 1, max: 5 }), async (steps, newest, limit) => {
        const numbers = steps.map((_, at) => steps.slice(0, at + 1).reduce((sum, step) => sum + step, 0))
        const state = memoryObjectStore()
        const top = await writeChain(state, numbers)
        const expected = numbers.toReversed().filter((number) => number <= newest)
        assert.deepEqual(await numbersDown(state, top, { newest }), expected)
        assert.deepEqual(await numbersDown(state, top, { newest, limit }), expected.slice(0, limit))
      }),
      { numRuns: 50 },
    )
  })

  it('of long ago are found by reads that history hardly makes more', async () => {
    const state = memoryObjectStore()
    const top = await writeChain(state, upTo(9000))
    const { around, during } = counting()
    const counted = around(state)
    for (const newest of [1, 63, 64, 65, 4095, 4096, 4097, 5000, 8999, 9000]) {
      const found: number[] = []
      const { reads } = await during(async () => found.push(...(await numbersDown(counted, top, { newest, limit: 1 }))))
      assert.deepEqual(found, [newest])
      assert.ok(reads <= 2 + 63 + 64, `${reads} reads for ${newest}`)
    }
  })

  it('are found by few reads below one that has no links: it may stand for one that was lost', async () => {
    const state = memoryObjectStore()
    const top = await writeChain(state, upTo(9000))
    const entry = { ...top.entry, number: 9001, base: { number: 9000, sha256: top.sha256 } }
    delete (entry as { earlier?: unknown }).earlier
    const { around, during } = counting()
    const found: number[] = []
    const from = { entry, sha256: '' }
    const { reads } = await during(async () =>
      found.push(...(await numbersDown(around(state), from, { newest: 5, limit: 1 }))),
    )
    assert.deepEqual(found, [5])
    assert.ok(reads <= 2 + 3 * 64, `${reads} reads`)
  })

  it('that were edited are not shown, however they are come to', async () => {
    const state = memoryObjectStore()
    const top = await writeChain(state, upTo(200))
    const edited = encodeEntry({ ...(await readEntry(state, 63)).entry, nonce: 'edited' })
    await state.delete(entryName(63))
    await assert.rejects(numbersDown(state, top, { newest: 10 }), {
      code: 'corrupt',
      message: /00063\.json is missing/,
    })
    await state.create(entryName(63), edited)
    await assert.rejects(numbersDown(state, top, { newest: 10 }), {
      code: 'corrupt',
      message: /00063\.json is not the/,
    })
  })

  it('are linked by every commit', async () => {
    const repository = await bootstrapped()
    for (const number of upTo(70).slice(1)) await run(repository, addRequest([`${number}`]))
    const { state } = repository.ports
    for (const number of [64, 65, 70]) {
      const { entry } = await readEntry(state, number)
      assert.deepEqual(entry.earlier, { 64: { number: 63, sha256: (await readEntry(state, 63)).sha256 } })
    }
    assert.equal((await readEntry(state, 63)).entry.earlier, undefined)
  })

  it('are checked to be the ones that links name', async () => {
    const state = memoryObjectStore()
    const top = await writeChain(state, upTo(130))
    await state.create('bootstrap.json', Buffer.from('{}'))
    const findings = async (number: number) =>
      (await checkJournal(async (name) => (await state.read(name))?.bytes, number)).findings.filter(
        ({ problem }) => problem === 'changed',
      )
    assert.deepEqual(await findings(130), [])
    for (const wrong of [
      { number: 127, sha256: sha256('another') },
      { number: 126.5, sha256: top.sha256 },
    ]) {
      const entry = { ...top.entry, number: 131, base: { number: 130, sha256: top.sha256 }, earlier: { 64: wrong } }
      await state.create(entryName(131), encodeEntry(entry))
      assert.deepEqual(
        (await findings(131)).map(({ file }) => file),
        [entryName(131)],
      )
      await state.delete(entryName(131))
    }
  })
})
