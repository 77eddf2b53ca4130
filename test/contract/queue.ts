import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Queue } from '../../shared/repository/ports.ts'

/** A queue for one test, on which nobody has rung yet. */
export interface QueueUnderTest extends AsyncDisposable {
  readonly queue: Queue
  /** Resolves when whoever answers the queue has been woken once more than the times this was asked for before. */
  woken(): Promise<void>
}

const taskId = (index: number) => index.toString(16).padStart(32, '0')

/** What the Queue port promises, and that a ring is heard when nothing fails. */
export function queueContract(name: string, makeQueue: () => Promise<QueueUnderTest>): void {
  describe(`${name} as a Queue`, () => {
    it('wakes who listens', async () => {
      await using made = await makeQueue()
      assert.equal(await made.queue.ring(taskId(1)), undefined)
      await made.woken()
    })

    it('wakes again for a ring after that', async () => {
      await using made = await makeQueue()
      await made.queue.ring(taskId(1))
      await made.woken()
      await made.queue.ring(taskId(2))
      await made.woken()
    })

    it('takes the same ring twice, and many at once', async () => {
      await using made = await makeQueue()
      const ids = Array.from({ length: 50 }, (_, index) => taskId(index % 40))
      await Promise.all(ids.map((id) => made.queue.ring(id)))
      await made.woken()
    })
  })
}
