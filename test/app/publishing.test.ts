import assert from 'node:assert/strict'
import { it } from 'node:test'
import { processQueue } from '../../shared/adapters/local/process-queue.ts'
import type { Backlog } from '../../shared/app/backlog.ts'
import { beginPublishing } from '../../shared/app/publishing.ts'
import { submit } from '../../shared/repository/submit.ts'
import { recordedLog } from '../support/log.ts'
import { addRequest, bootstrapped } from '../support/repository.ts'

it('The publisher of the same process makes room by each commit, and when it ends, well or badly; its trouble ends with a run that goes well', async () => {
  const repository = await bootstrapped()
  const told: string[] = []
  const heard: Backlog = {
    enter: async () => {},
    leave: (count) => told.push(`leave ${count}`),
    clear: () => told.push('clear'),
  }
  const queue = processQueue()
  const preparer = { begin() {}, rest() {}, trouble: undefined, close: async () => {} }
  const { log } = recordedLog()
  for (const path of ['a', 'b', 'c']) await submit(repository, { request: addRequest([path]), principal: 'test' })
  const publishing = beginPublishing(repository, queue, preparer, heard, log)
  await queue.ring('')
  await queue.idle()
  assert.deepEqual(told, ['leave 3', 'clear'])

  const { signers } = repository.ports
  Object.assign(repository.ports, { signers: [] })
  await submit(repository, { request: addRequest(['d']), principal: 'test' })
  await queue.ring('')
  await queue.idle()
  assert.deepEqual(told, ['leave 3', 'clear', 'clear'])
  assert.notEqual(publishing.trouble, undefined)

  Object.assign(repository.ports, { signers })
  await queue.ring('')
  await queue.idle()
  assert.deepEqual(told, ['leave 3', 'clear', 'clear', 'leave 1', 'clear'])
  assert.equal(publishing.trouble, undefined)
  await publishing.end()
})
