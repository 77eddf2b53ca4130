import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { operations } from '../../shared/repository/operations/index.ts'
import { mutants } from './mutants.ts'
import { makers } from './plans.ts'
import { simulate } from './simulation.ts'

const seeds = 500

describe('The simulated service', () => {
  it(`keeps its promises in ${seeds} seeds, whatever goes wrong`, { timeout: 170_000 }, () => {
    // Not in this process, for the test runner follows every promise, and these are many.
    const program = fileURLToPath(new URL('simulate.ts', import.meta.url))
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [program, '--seeds', String(seeds), '--processes', '2'],
      {
        encoding: 'utf8',
      },
    )
    assert.equal(status, 0, stdout + stderr)
  })

  it('does the same again for the same seed', async () => {
    for (const seed of [1, 2, 3]) assert.deepEqual(await simulate(seed), await simulate(seed))
  })

  it('has tasks of every kind that there is', () => {
    assert.deepEqual(Object.keys(makers).sort(), ['bootstrap', ...Object.keys(operations)].sort())
  })
})

describe('The simulation finds out when', () => {
  for (const [name, mutant] of Object.entries(mutants)) {
    it(name, { timeout: 170_000 }, async (test) => {
      for (let seed = 1; seed <= 500; seed++) {
        const { violation } = await simulate(seed, mutant)
        if (violation === undefined) continue
        test.diagnostic(`caught by seed ${seed}`)
        return
      }
      assert.fail('500 seeds have not found it')
    })
  }
})
