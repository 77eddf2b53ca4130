import { mutants } from './mutants.ts'
import { simulate } from './simulation.ts'

/** Not those that the service itself is tried with. */
const firstSeed = 501

/** How many seeds it takes to find each mutant, 0 if more than 500: told to the parent, one after the other. */
for (const [name, mutant] of Object.entries(mutants)) {
  let found = 0
  for (let tried = 1; tried <= 500 && found === 0; tried++) {
    const { violation } = await simulate(firstSeed + tried - 1, mutant)
    if (violation !== undefined) found = tried
  }
  process.send?.({ name, found })
}
process.disconnect?.()
