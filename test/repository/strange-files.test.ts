import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lastClaimed } from '../../shared/repository/journal.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { releasePreparations } from '../../shared/repository/preparation.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readStatus } from '../../shared/repository/status.ts'
import { submit } from '../../shared/repository/submit.ts'
import { memoryObjectStore } from '../support/memory-object-store.ts'
import { addRequest, bootstrapped, bootstrapRequest, run, testRepository } from '../support/repository.ts'

/** What file managers, editors, consoles and people leave. */
const strange = ['', '.DS_Store', 'ffffffffffffffffffffffffffffffff.json~', 'notes.txt', `below/${'f'.repeat(32)}.json`]

/** Whoever does not see that nothing changes would list for ever. */
const impatient = (store: ObjectStore): ObjectStore => {
  let lists = 0
  return {
    ...store,
    async list(...parameters) {
      if (lists++ > 200) throw new Error('It lists again and again.')
      return store.list(...parameters)
    },
  }
}

describe('What somebody else has put among the objects of the service', () => {
  for (const name of strange) {
    it(`keeps no publisher busy, and holds up no task: inbox/${name}`, async () => {
      const repository = testRepository({ around: impatient })
      const { state } = repository.ports
      await state.create(`inbox/${name}`, Buffer.from('strange'))
      assert.equal((await run(repository, bootstrapRequest(repository))).state, 'SUCCESS')
      assert.equal((await run(repository, addRequest(['a']))).state, 'SUCCESS')
      await publish(repository)
      assert.equal((await readStatus(repository)).waiting.count, 0)
      assert.deepEqual(await state.list('inbox/'), [`inbox/${name}`])
    })
  }

  it('takes no place in a cycle', async () => {
    const repository = await bootstrapped({ limits: { tasksPerCycle: 3 }, around: impatient })
    const { state } = repository.ports
    for (const name of strange) await state.create(`inbox/${name}`, Buffer.from('strange'))
    for (let at = 0; at < 7; at++) await submit(repository, { request: addRequest([`${at}`]), principal: 'test' })
    const commits: number[] = []
    await publish(repository, ({ tasks }) => commits.push(tasks.length))
    assert.deepEqual(commits, [3, 3, 1])
  })

  it('keeps no service from its start', async () => {
    const state = memoryObjectStore()
    for (const name of strange) await state.create(`preparations/${name}`, Buffer.from('strange'))
    await assert.doesNotReject(releasePreparations(state))
  })

  it('claims no number, and keeps nobody looking for the last one', async () => {
    const state = impatient(memoryObjectStore())
    for (const name of ['000000000007.json', '000000000007.json.bak', '000000000009.json~', 'notes'])
      await state.create(`commits/${name}`, Buffer.from('{}'))
    assert.equal(await lastClaimed(state, 3), 7)
    assert.equal(await lastClaimed(state, 7), 7)
  })
})
