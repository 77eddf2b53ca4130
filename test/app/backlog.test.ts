import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Backlog, backlog } from '../../shared/app/backlog.ts'
import { apiOver, artifact } from '../support/api.ts'
import { bootstrapped } from '../support/repository.ts'

const long = 60_000

/** Enters so often at once; says which of them are in by now. */
function entering(backlog: Backlog, times: number): () => Promise<number[]> {
  const inside: number[] = []
  for (let at = 0; at < times; at++) void backlog.enter().then(() => inside.push(at))
  return async () => {
    await setImmediate()
    return inside
  }
}

describe('A backlog', () => {
  it('lets in as many as have left, in the order in which they came', async () => {
    const waiting = backlog(2, long)
    const inside = entering(waiting, 5)
    assert.deepEqual(await inside(), [0, 1])
    waiting.leave(1)
    assert.deepEqual(await inside(), [0, 1, 2])
    waiting.leave(2)
    assert.deepEqual(await inside(), [0, 1, 2, 3, 4])
    waiting.clear()
  })

  it('is empty when it is cleared, and never owes a place', async () => {
    const waiting = backlog(2, long)
    const first = entering(waiting, 3)
    waiting.clear()
    assert.deepEqual(await first(), [0, 1, 2])
    waiting.leave(100)
    const second = entering(waiting, 3)
    assert.deepEqual(await second(), [0, 1])
    waiting.clear()
  })

  it('lets in after a while whoever waits, though nobody left', async (test) => {
    test.mock.timers.enable({ apis: ['setTimeout'] })
    const inside = entering(backlog(1, 1000), 2)
    test.mock.timers.tick(999)
    assert.deepEqual(await inside(), [0])
    test.mock.timers.tick(1)
    assert.deepEqual(await inside(), [0, 1])
  })

  it('counts once whoever was let in before that while was over', async (test) => {
    test.mock.timers.enable({ apis: ['setTimeout'] })
    const waiting = backlog(1, 1000)
    const first = entering(waiting, 2)
    waiting.leave(1)
    assert.deepEqual(await first(), [0, 1])
    test.mock.timers.tick(1000)
    waiting.leave(1)
    assert.deepEqual(await entering(waiting, 1)(), [0])
  })
})

it('A post is accepted once there is room for it', async () => {
  const repository = await bootstrapped()
  const room = Promise.withResolvers<void>()
  const api = apiOver(repository, { room: () => room.promise, ring: async () => {} })
  const posted = api.call('POST /artifacts', { body: { artifacts: [artifact('a')] } })
  await setImmediate()
  assert.deepEqual(await repository.ports.state.list('inbox/'), [])
  room.resolve()
  assert.equal((await posted).status, 202)
  assert.equal((await repository.ports.state.list('inbox/')).length, 1)
})
