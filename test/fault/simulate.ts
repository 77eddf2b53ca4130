import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { mutants } from './mutants.ts'
import { type Simulated, simulate } from './simulation.ts'

/**
 * `node test/fault/simulate.ts --seed 7` replays a seed; `--seeds 10000` tries so many, from `--seed` on, in `--processes` at
 * once; `--mutant` puts a fault of `mutants.ts` into the service. Of the seeds that fail the one with the shortest history is
 * shown.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    processes: { type: 'string', default: '1' },
    mutant: { type: 'string' },
  },
})
const first = Number(values.seed)
const end = first + Number(values.seeds)
const mutant = values.mutant === undefined ? undefined : mutants[values.mutant]
if (values.mutant !== undefined && mutant === undefined) {
  console.error(`There is no mutant "${values.mutant}". There are:\n  ${Object.keys(mutants).join('\n  ')}`)
  process.exit(2)
}

interface Tried {
  steps: number
  commits: number
  readonly failures: Failure[]
}

interface Failure extends Pick<Simulated, 'history'> {
  readonly seed: number
  readonly violation: unknown
}

async function trySeeds(): Promise<Tried> {
  const tried: Tried = { steps: 0, commits: 0, failures: [] }
  for (let seed = first; seed < end; seed++) {
    const { steps, commits, history, violation } = await simulate(seed, mutant)
    tried.steps += steps
    tried.commits += commits
    if (violation !== undefined) tried.failures.push({ seed, history, violation })
  }
  return tried
}

/** The seeds in equal parts, each in a process of its own. */
async function tryInParts(processes: number): Promise<Tried> {
  const bounds = Array.from({ length: processes + 1 }, (_, at) => first + Math.round(((end - first) * at) / processes))
  const parts = await Promise.all(
    bounds.slice(1).map(async (until, at) => {
      const from = bounds[at] ?? first
      const range = ['--seed', String(from), '--seeds', String(until - from)]
      const mutated = values.mutant === undefined ? [] : ['--mutant', values.mutant]
      const child = fork(import.meta.filename, [...range, ...mutated], { serialization: 'advanced' })
      const ended = once(child, 'exit').then(([code]) => {
        throw new Error(`The process for seeds from ${from} on ended early, with ${code}.`)
      })
      const [tried] = (await Promise.race([once(child, 'message'), ended])) as [Tried]
      ended.catch(() => {})
      return tried
    }),
  )
  const sum = (count: (tried: Tried) => number) => parts.reduce((total, tried) => total + count(tried), 0)
  return {
    steps: sum(({ steps }) => steps),
    commits: sum(({ commits }) => commits),
    failures: parts.flatMap(({ failures }) => failures),
  }
}

function report({ steps, commits, failures }: Tried, seconds: string): void {
  console.log(`${values.seeds} seeds, ${steps} steps, ${commits} commits, ${seconds} s: ${failures.length} failed`)
  const [shortest] = failures.toSorted((one, other) => one.history.length - other.history.length)
  if (shortest === undefined) return
  const { seed, history, violation } = shortest
  console.log(history.slice(-100).join('\n'))
  console.log(`Seeds that fail: ${failures.map((failure) => failure.seed).join(', ')}`)
  console.log(`Seed ${seed} has the shortest history (${history.length} events, above the last of them):`, violation)
  process.exitCode = 1
}

const began = performance.now()
const processes = Number(values.processes)
const tried = processes > 1 ? await tryInParts(processes) : await trySeeds()
if (process.send) {
  process.send({ ...tried, failures: tried.failures.map(sendable) }, () => process.disconnect())
} else report(tried, ((performance.now() - began) / 1000).toFixed(1))

/** An error may hold what cannot be sent. */
function sendable({ violation, ...rest }: Failure): Failure {
  return { ...rest, violation: violation instanceof Error ? violation.stack : String(violation) }
}
