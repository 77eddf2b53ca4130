import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { processQueue } from '../../shared/adapters/local/process-queue.ts'
import type { Backlog } from '../../shared/app/backlog.ts'
import { beginPublishing } from '../../shared/app/publishing.ts'
import { askToPrepare, holdPreparation, readPreparation } from '../../shared/repository/preparation.ts'
import { submit } from '../../shared/repository/submit.ts'
import { recordedLog } from '../support/log.ts'
import { addRequest, bootstrapped, type TestRepository } from '../support/repository.ts'

/** What a publisher of the same process tells its backlog; `run` resolves when a run has ended. */
function publishing(repository: TestRepository) {
  const told: string[] = []
  const backlog: Backlog = {
    enter: async () => {},
    leave: (count) => told.push(`leave ${count}`),
    clear: () => told.push('clear'),
  }
  const queue = processQueue()
  const preparer = { begin() {}, rest() {}, trouble: undefined, close: async () => {} }
  const publisher = beginPublishing(repository, queue, preparer, backlog, recordedLog().log)
  const run = async () => {
    await queue.ring('')
    await queue.idle()
    return told.splice(0)
  }
  return { publisher, run }
}

describe('The publisher of the same process', () => {
  it('makes room by each commit, and when it ends, well or badly; a run that goes well ends its trouble', async () => {
    const repository = await bootstrapped()
    const { publisher, run } = publishing(repository)
    const add = (path: string) => submit(repository, { request: addRequest([path]), principal: 'test' })
    for (const path of ['a', 'b', 'c']) await add(path)
    assert.deepEqual(await run(), ['leave 3', 'clear'])

    const { signers } = repository.ports
    Object.assign(repository.ports, { signers: [] })
    await add('d')
    assert.deepEqual(await run(), ['clear'])
    assert.notEqual(publisher.trouble, undefined)

    Object.assign(repository.ports, { signers })
    assert.deepEqual(await run(), ['leave 1', 'clear'])
    assert.equal(publisher.trouble, undefined)
    await publisher.end()
  })

  it('lets go of what a crashed one was preparing', async () => {
    const repository = await bootstrapped()
    const { state } = repository.ports
    const id = repository.ports.clock.newId()
    await askToPrepare(state, id, 0)
    await holdPreparation(repository, id)
    assert.equal(await holdPreparation(repository, id), 'busy')
    const { publisher, run } = publishing(repository)
    await run()
    assert.equal((await readPreparation(state, id))?.document.holder, undefined)
    await publisher.end()
  })
})
