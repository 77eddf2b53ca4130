import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { addRequest, bootstrapped, restarted } from '../support/repository.ts'

const send = (repository: Repository, request: TaskRequest) => submit(repository, { request, principal: 'build' })

/** How many tasks each cycle decided. */
async function cyclesOf(repository: Repository): Promise<number[]> {
  const cycles: number[] = []
  await publish(repository, ({ tasks }) => cycles.push(tasks.length))
  return cycles
}

describe('A cycle', () => {
  it('takes no more at once than its limits say', async () => {
    const repository = await bootstrapped({ limits: { tasksPerCycle: 2 } })
    for (let at = 0; at < 5; at++) await send(repository, addRequest([`a${at}`]))
    assert.deepEqual(await cyclesOf(repository), [2, 2, 1])
  })

  it('takes no more bytes at once than its limits say, but one task always', async () => {
    const repository = await bootstrapped({ limits: { bytesPerCycle: 1000 } })
    const sizes = [1, 1, 100, 1, 1]
    for (const size of sizes) await send(repository, addRequest(Array.from({ length: size }, (_, at) => `a${at}`)))
    assert.deepEqual(await cyclesOf(repository), [3, 2])
  })

  it('does not read tasks again and again that are too long for one cycle', async () => {
    let reads = 0
    const around = (store: ObjectStore): ObjectStore => ({
      ...store,
      read(name) {
        if (name.startsWith('inbox/')) reads++
        return store.read(name)
      },
    })
    const repository = await bootstrapped({ limits: { bytesPerCycle: 10_000 }, around })
    const paths = Array.from({ length: 40 }, (_, at) => `a${at}`)
    for (const _ of paths) await send(repository, addRequest(paths))
    reads = 0
    const cycles = await cyclesOf(repository)
    assert.ok(cycles.length > 10)
    assert.ok(reads < 100, `${reads} reads`)
  })

  it('reads few tasks at once while it does not know how long they are', async () => {
    let underway = 0
    const rounds: number[] = []
    const around = (store: ObjectStore): ObjectStore => ({
      ...store,
      async read(name) {
        if (!name.startsWith('inbox/')) return store.read(name)
        if (underway++ === 0) rounds.push(0)
        rounds.push((rounds.pop() ?? 0) + 1)
        await new Promise(setImmediate)
        return store.read(name).finally(() => underway--)
      },
    })
    const repository = await bootstrapped({ around })
    for (let at = 0; at < 100; at++) await send(repository, addRequest([`a${at}`]))
    rounds.length = 0
    await publish(restarted(repository))
    // Of 5 MiB each, seven would fill a cycle's 32; then it is known that they are short.
    assert.deepEqual(rounds, [7, 64, 29])
  })
})
