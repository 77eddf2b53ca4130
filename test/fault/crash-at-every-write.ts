import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { readTask } from '../../shared/repository/read.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { FinalState } from '../../shared/repository/task.ts'
import { audit } from './auditor.ts'
import { allScenarios, type Scenario, type Step } from './crash-scenarios.ts'
import { publishAll, upload } from './long-work.ts'
import { type Death, type Mortal, mortal } from './mortal.ts'
import { startProcess, type VirtualTime } from './world.ts'

/** An update of all roles is done ahead, too. */
const start = (stores: Parameters<typeof startProcess>[0], time: VirtualTime) =>
  startProcess(stores, time, { limits: { aheadFrom: 3 } })

function world() {
  const time: VirtualTime = { now: Date.parse('2030-01-01T00:00:00Z') }
  const auditor = audit(time, { everyClient: true })
  const accepted: string[] = []
  const api = startProcess(auditor, time)
  return {
    time,
    auditor,
    async submit(steps: readonly Step[]) {
      for (const step of steps) {
        if (typeof step === 'function') await publishAll(start(auditor, time))
        const made = typeof step === 'function' ? step(auditor.peek()) : step
        for (const request of 'kind' in made ? [made] : made) {
          await upload(request, auditor.state)
          accepted.push((await submit(api, { request, principal: 'test' })).id)
        }
      }
    },
    /** By a process that knows nothing yet, after the lease of one that died is over. */
    async publishAfresh() {
      time.now += 61_000
      await publishAll(start(auditor, time))
      await auditor.look()
    },
    async ended(): Promise<(FinalState | 'PENDING' | undefined)[]> {
      return Promise.all(accepted.map(async (id) => (await readTask(api, id))?.state))
    },
    finish: () => auditor.finish([accepted]),
  }
}

/** Publishes the tasks, dies meanwhile, and is followed by another process; what the first one came to do. */
async function die(
  { before, passes = 0, tasks, ends = 'SUCCESS' }: Scenario,
  death: Death | undefined,
): Promise<Mortal['operations']> {
  const { auditor, time, ...tried } = world()
  // Of what is done before each death once is enough.
  auditor.isThorough = death === undefined
  await tried.submit(before)
  await publishAll(start(auditor, time))
  auditor.isThorough = true
  const earlier = (await tried.ended()).length
  time.now += passes
  await tried.submit(tasks)
  const process = mortal(auditor, death)
  await Promise.race([publishAll(start(process, time)), process.died])
  await auditor.look()
  await tried.publishAfresh()
  if (auditor.violation !== undefined) throw auditor.violation
  tried.finish()
  const states = (await tried.ended()).slice(earlier)
  assert.deepEqual(
    states,
    Array.from(states, () => ends),
  )
  return process.operations
}

/** Dies at each operation in turn. */
async function dieEverywhere(scenario: Scenario): Promise<void> {
  const operations = await die(scenario, undefined)
  for (const [index, operation] of operations.entries()) {
    // A read that was answered has changed nothing: that is the death before the next one.
    for (const after of operation === 'read' ? [false] : [false, true]) {
      try {
        await die(scenario, { at: index + 1, after })
      } catch (cause) {
        const when = `${after ? 'after' : 'before'} operation ${index + 1} of ${operations.length}`
        throw new Error(`It died ${when}.`, { cause })
      }
    }
  }
}

/** As a process of its own, for the test runner follows every promise, and these are many. Tells its parent of each scenario. */
for (const [name, scenario] of allScenarios) {
  const failure = await dieEverywhere(scenario).then(
    () => undefined,
    (error: unknown) => inspect(error),
  )
  process.send?.({ name, ...(failure !== undefined && { failure }) })
}
process.disconnect?.()
