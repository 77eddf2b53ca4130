import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { giveBackWhenIdle } from '../../cli/server/idle-memory.ts'

test('memory is given back once whenever the process has become idle', async () => {
  let collected = 0
  using looking = giveBackWhenIdle({ every: 40, collect: () => void collected++ })
  const work = async () => {
    for (const end = performance.now() + 150; performance.now() < end; ) await sleep(0).then(() => burn(5))
  }
  await work()
  assert.equal(collected, 0)
  await sleep(300)
  assert.equal(collected, 1)
  await sleep(300)
  assert.equal(collected, 1, 'not while nothing has happened since')
  await work()
  await sleep(300)
  assert.equal(collected, 2)
  assert.ok(looking)
})

test('what the start has left is given back', async () => {
  let garbage: unknown[] | undefined = Array.from({ length: 500_000 }, (_, at) => ({ at }))
  assert.equal(garbage.length, 500_000)
  garbage = undefined
  const before = process.memoryUsage().heapTotal
  using looking = giveBackWhenIdle({ every: 50 })
  for (let tries = 0; tries < 100 && process.memoryUsage().heapTotal > before - 10_000_000; tries++) await sleep(50)
  assert.ok(process.memoryUsage().heapTotal < before - 10_000_000)
  assert.ok(looking)
})

function burn(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}
