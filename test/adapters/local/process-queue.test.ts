import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { processQueue } from '../../../shared/adapters/local/process-queue.ts'
import { queueContract } from '../../contract/queue.ts'

queueContract('processQueue', async () => {
  const queue = processQueue()
  const rings: (() => void)[] = []
  const heard = [0, 1, 2].map(() => new Promise<void>((resolve) => rings.push(resolve)))
  queue.listen(async () => rings.shift()?.(), assert.ifError)
  return {
    queue,
    woken: async () => heard.shift(),
    [Symbol.asyncDispose]: async () => queue.close(),
  }
})

describe('processQueue', () => {
  it('answers all rings of one moment, and all during a run, with one run each', async () => {
    const queue = processQueue()
    const runs: PromiseWithResolvers<void>[] = []
    queue.listen(() => {
      const run = Promise.withResolvers<void>()
      runs.push(run)
      return run.promise
    }, assert.ifError)
    await Promise.all([queue.ring('1'), queue.ring('2'), queue.ring('3')])
    await setImmediate()
    assert.equal(runs.length, 1)
    for (const id of ['4', '5', '6']) await queue.ring(id)
    await setImmediate()
    assert.equal(runs.length, 1)
    runs[0]?.resolve()
    await setImmediate()
    assert.equal(runs.length, 2)
    runs[1]?.resolve()
    await queue.idle()
    assert.equal(runs.length, 2)
  })

  it('answers all rings of one moment with one run, though that is over at once', async () => {
    const queue = processQueue()
    let runs = 0
    queue.listen(async () => {
      runs++
    }, assert.ifError)
    await Promise.all([queue.ring('1'), queue.ring('2'), queue.ring('3')])
    await queue.idle()
    assert.equal(runs, 1)
  })

  it('answers a ring at the very end of a run, and just after', async () => {
    for (let delay = 0; delay < 10; delay++) {
      const queue = processQueue()
      let runs = 0
      async function ringSoon(): Promise<void> {
        for (let tick = 0; tick < delay; tick++) await undefined
        await queue.ring('again')
      }
      queue.listen(async () => {
        runs++
        if (runs === 1) void ringSoon()
      }, assert.ifError)
      await queue.ring('1')
      await setImmediate()
      assert.equal(runs, 2, `rung ${delay} ticks later`)
    }
  })

  it('answers a ring from before somebody listened', async () => {
    const queue = processQueue()
    await queue.ring('1')
    await queue.idle()
    let runs = 0
    queue.listen(async () => {
      runs++
    }, assert.ifError)
    await queue.idle()
    assert.equal(runs, 1)
  })

  it('goes on after errors, and tells them', async () => {
    const errors: unknown[] = []
    const queue = processQueue()
    let runs = 0
    const handler = () => {
      runs++
      if (runs === 1) throw new Error('at once')
      return runs === 2 ? Promise.reject(new Error('later')) : Promise.resolve()
    }
    queue.listen(handler, (error) => errors.push(error))
    for (const id of ['1', '2', '3']) {
      await queue.ring(id)
      await queue.idle()
    }
    assert.equal(runs, 3)
    assert.deepEqual(errors.map(String), ['Error: at once', 'Error: later'])
  })

  it('when closed, finishes the run under way and begins no other', async () => {
    const queue = processQueue()
    const run = Promise.withResolvers<void>()
    let runs = 0
    let ended = false
    queue.listen(async () => {
      runs++
      await run.promise
      ended = true
    }, assert.ifError)
    await queue.ring('1')
    await setImmediate()
    await queue.ring('2')
    queue.close()
    await queue.ring('3')
    run.resolve()
    await queue.idle()
    assert.ok(ended)
    assert.equal(runs, 1)
  })
})
