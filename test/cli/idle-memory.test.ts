import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { giveBackWhenIdle } from '../../cli/server/idle-memory.ts'

test('memory is given back once whenever the process has become idle', ({ mock }) => {
  let [utilization, collected] = [1, 0]
  mock.method(performance, 'eventLoopUtilization', () => ({ idle: 0, active: 0, utilization }))
  mock.timers.enable({ apis: ['setInterval'] })
  using looking = giveBackWhenIdle({ every: 40, collect: () => void collected++ })
  for (const [busy, expected] of [
    [1, 0],
    [0.02, 1],
    // Not while nothing has happened since.
    [0, 1],
    [0.3, 1],
    [0, 2],
  ] as const) {
    utilization = busy
    mock.timers.tick(120)
    assert.equal(collected, expected)
  }
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
