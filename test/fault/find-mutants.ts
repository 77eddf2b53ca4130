import { mutants } from './mutants.ts'
import { simulate } from './simulation.ts'

/** The first seed that finds each mutant, none of the first 500 being 0: told to the parent, one after the other. */
for (const [name, mutant] of Object.entries(mutants)) {
  let found = 0
  for (let seed = 1; seed <= 500 && found === 0; seed++) {
    const { violation } = await simulate(seed, mutant)
    if (violation !== undefined) found = seed
  }
  process.send?.({ name, found })
}
process.disconnect?.()
