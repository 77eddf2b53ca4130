import { parseArgs } from 'node:util'
import { mutants } from './mutants.ts'
import { type Simulated, simulate } from './simulation.ts'

/**
 * `node test/fault/simulate.ts --seed 7` replays a seed; `--seeds 10000` tries so many, from `--seed` on; `--mutant` puts a fault
 * of `mutants.ts` into the service. Of the seeds that fail the one with the shortest history is shown.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    mutant: { type: 'string' },
  },
})
const first = Number(values.seed)
const mutant = values.mutant === undefined ? undefined : mutants[values.mutant]
if (values.mutant !== undefined && mutant === undefined) throw new Error(`There is no mutant "${values.mutant}".`)

const began = performance.now()
const failures: (Simulated & { readonly seed: number })[] = []
let steps = 0
let commits = 0
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  const result = await simulate(seed, mutant)
  steps += result.steps
  commits += result.commits
  if (result.violation !== undefined) failures.push({ ...result, seed })
}
const seconds = ((performance.now() - began) / 1000).toFixed(1)
console.log(`${values.seeds} seeds, ${steps} steps, ${commits} commits, ${seconds} s: ${failures.length} failed`)

const [shortest] = failures.sort((one, other) => one.history.length - other.history.length)
if (shortest !== undefined) {
  const { seed, history, violation } = shortest
  console.log(history.slice(-100).join('\n'))
  console.log(`Seeds that fail: ${failures.map((failure) => failure.seed).join(', ')}`)
  console.log(`Seed ${seed} has the shortest history (${history.length} events, above the last of them):`, violation)
  process.exitCode = 1
}
