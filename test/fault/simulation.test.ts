import assert from 'node:assert/strict'
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { operations } from '../../shared/repository/operations/by-kind.ts'
import { mutants } from './mutants.ts'
import { makers } from './plans.ts'
import { simulate } from './simulation.ts'

const seeds = 500

describe('The simulated service', () => {
  it(`keeps its promises in ${seeds} seeds, whatever goes wrong`, { timeout: 600_000 }, async () => {
    // Not in this process, for the test runner follows every promise, and these are many.
    const program = fileURLToPath(new URL('simulate.ts', import.meta.url))
    const child = spawn(process.execPath, [program, '--seeds', String(seeds), '--processes', '2'])
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes) => {
        said += bytes
      })
    const [code] = await once(child, 'close')
    assert.equal(code, 0, said)
  })

  it('does the same again for the same seed', async () => {
    for (const seed of [1, 2, 3]) assert.deepEqual(await simulate(seed), await simulate(seed))
  })

  it('has tasks of every kind that there is', () => {
    assert.deepEqual(Object.keys(makers).sort(), ['bootstrap', ...Object.keys(operations)].sort())
  })
})

// Not in this process either.
const found = new Map(Object.keys(mutants).map((name) => [name, Promise.withResolvers<number>()]))
const finder = fork(new URL('find-mutants.ts', import.meta.url))
finder.on('message', (told: { name: string; found: number }) => found.get(told.name)?.resolve(told.found))
finder.on('exit', () => {
  for (const { resolve } of found.values()) resolve(0)
})

describe('The simulation finds out when', () => {
  for (const [name, { promise }] of found) {
    it(name, { timeout: 600_000 }, async (test) => {
      const tried = await promise
      assert.ok(tried > 0, '500 seeds have not found it')
      test.diagnostic(`caught after ${tried} seeds`)
    })
  }
})
