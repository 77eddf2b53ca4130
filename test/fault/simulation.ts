import assert from 'node:assert/strict'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { collect } from '../../shared/repository/collect.ts'
import { RepositoryError } from '../../shared/repository/errors.ts'
import { type Clock, SignerError, StoreError } from '../../shared/repository/ports.ts'
import { LostHold } from '../../shared/repository/preparation.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { audit } from './auditor.ts'
import { retention } from './collection-rules.ts'
import { everythingIsExplained } from './explained.ts'
import { upload } from './long-work.ts'
import { makePlans, type Plan } from './plans.ts'
import { calm, chooseRates, type Process, scheduled, scheduledSigner, scheduler } from './scheduler.ts'
import { liveAsClient } from './simulated-client.ts'
import { isLeased } from './stored.ts'
import { type Mutant, type Role, seededRandom, startProcess, type VirtualTime, virtualClock } from './world.ts'

export interface Simulated {
  readonly violation: unknown
  readonly history: readonly string[]
  readonly steps: number
  readonly commits: number
}

const lease = 60_000
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
/** How often a submitter looks again for what it needs for its next task before it leaves that task out. */
const mostWaited = 30
/** More steps than any seed takes whose processes get anywhere. */
const mostSteps = 20_000

/** One run of the whole service, with everything that may go wrong; the seed decides all of it. */
export async function simulate(seed: number, mutant: Mutant = (stores) => stores): Promise<Simulated> {
  const random = seededRandom(seed)
  const began = Date.parse('2030-01-01T00:00:00Z')
  const time: VirtualTime = { now: began }
  const auditor = audit(time, { everyClient: false })
  const schedule = scheduler(random, time, lease)
  schedule.rates = chooseRates(random)
  const limits = {
    lease,
    tasksPerCycle: random() < 0.5 ? 2 : 1000,
    refreshedPerCycle: 2,
    retention,
    collectedPerCycle: 4,
    // An update of all roles is done ahead in some worlds, and a revert of more than one target.
    aheadFrom: random() < 0.5 ? 1 : 512,
    preparedAtOnce: 2,
    leftToCommit: random() < 0.5 ? 0 : 64,
  }
  const accepted: string[][] = []
  let bells = 0
  /** A task that somebody has found to be done ahead. */
  let toPrepare: string | undefined
  let submitting = 0
  let refreshes = 0
  let refreshesAtJump = 0

  /** Something that runs as a process and begins anew when it dies. */
  function live(name: string, fragile: boolean, life: (process: Process) => Promise<void>): void {
    const process: Process = { name, fragile, dead: false, onDeath: () => live(name, fragile, life) }
    life(process).catch((error) => {
      auditor.violation ??= error
    })
  }

  function service(process: Process, role: Role, clock: Clock) {
    const stores = {
      metadata: scheduled(schedule, process, 'metadata', auditor.metadata),
      state: scheduled(schedule, process, 'state', auditor.state),
      signers: auditor.signers.map((signer) => scheduledSigner(schedule, process, signer)),
    }
    const queue = {
      ring: (id: string) =>
        schedule.turn(
          process,
          `ring for ${id}`,
          async () => {
            // Lost, or doubled, or neither.
            bells += Math.floor(random() * 3)
          },
          { kind: 'write' },
        ),
    }
    return startProcess({ ...stores, ...mutant(stores, role) }, time, { limits, clock, queue })
  }

  const clocksJump = random() < 0.3
  function clockOf(process: () => Process, skew: number): Clock {
    let behind = 0
    const clock = virtualClock(time, random, () => {
      if (clocksJump && random() < 0.003) behind = random() * 3 * minute
      return skew - behind
    })
    const sleep = async (milliseconds: number) =>
      schedule.turn(process(), 'sleep', async () => {}, { from: time.now + milliseconds })
    return { ...clock, sleep }
  }

  /** Publishes; true if that was done, false if a store failed too often. */
  async function published(repository: ReturnType<typeof startProcess>): Promise<boolean> {
    try {
      const { unprepared } = await publish(repository, (commit) => {
        toPrepare = commit.unprepared ?? toPrepare
      })
      toPrepare = unprepared ?? toPrepare
      return true
    } catch (error) {
      const foreseen = isUnavailable(error) || (error instanceof RepositoryError && error.code === 'overtaken')
      if (!foreseen) throw error
      return false
    }
  }

  function startPublisher(name: string, skew: number): void {
    live(name, true, async (process) => {
      const repository = service(
        process,
        'publisher',
        clockOf(() => process, skew),
      )
      for (;;) {
        await schedule.turn(process, 'hears a bell', async () => void --bells, { isReady: () => bells > 0 })
        if (!(await published(repository))) bells++
      }
    })
  }

  function startPreparer(name: string): void {
    live(name, true, async (process) => {
      const repository = service(
        process,
        'publisher',
        clockOf(() => process, 0),
      )
      for (;;) {
        await schedule.turn(process, 'has long work', async () => {}, { isReady: () => toPrepare !== undefined })
        const task = toPrepare
        toPrepare = undefined
        if (task === undefined) continue
        const began = time.now
        try {
          await prepare(repository, task)
        } catch (error) {
          // What it was begun on may be gone by now.
          const isLate = error instanceof RepositoryError && time.now - began > retention / 2
          if (!isLate && !(error instanceof LostHold)) unlessUnavailable(error)
        }
        bells++
      }
    })
  }

  function startRefresher(): void {
    live('refresher', true, async (process) => {
      const repository = service(
        process,
        'refresher',
        clockOf(() => process, 0),
      )
      for (;;) {
        await schedule.turn(process, 'sleep', async () => {}, { from: time.now + minute })
        if (!(await published(repository)) || (await isLeased(auditor, time.now))) continue
        refreshes++
        // Less than half of the shortest life, and not before the refresher, whom others may keep waiting for as long
        // as their leases last, even if each of them fails, has seen to the last one.
        const mayJump = refreshes >= refreshesAtJump + 4 && schedule.rates !== calm && schedule.ghosts() === 0
        // Submitters send again for as long as an Idempotency-Key is remembered, and not for longer.
        if (mayJump && time.now < began + 6 * day && random() < 0.3) {
          time.now += 11 * hour
          refreshesAtJump = refreshes
          schedule.history.push('11 hours pass')
        }
      }
    })
  }

  function startCollector(): void {
    live('collector', true, async (process) => {
      const repository = service(
        process,
        'collector',
        clockOf(() => process, 0),
      )
      for (;;) {
        await schedule.turn(process, 'sleep', async () => {}, { from: time.now + random() * 10 * minute })
        await collect(repository, { records: true }).catch(unlessUnavailable)
      }
    })
  }

  function startSubmitter(name: string, planOf: (next: number) => Plan | undefined, skew: number): void {
    const isHolder = name.startsWith('holder')
    if (!isHolder) submitting++
    const ids: string[] = []
    accepted.push(ids)
    let next = 0
    let waited = 0
    let request: TaskRequest | undefined
    let running: Process | undefined
    // Its ids rise even if it dies: the machine's clock lives on.
    const clock = clockOf(() => running as Process, skew)
    live(name, true, async (process) => {
      running = process
      const repository = service(process, 'api', clock)
      for (let plan = planOf(next); plan !== undefined; plan = planOf(next)) {
        if (!isHolder && random() < 0.4)
          await schedule.turn(process, 'sleep', async () => {}, { from: time.now + random() * 90_000 })
        // Sent again, it is the same request.
        request ??= plan(auditor.peek())
        if (request === undefined) {
          if (++waited % mostWaited === 0) next++
          else await schedule.turn(process, 'sleep', async () => {}, { from: time.now + (isHolder ? 30_000 : 10_000) })
          continue
        }
        const asked = request
        await persist(() => upload(asked, repository.ports.state))
        const submission = { request, principal: name, idempotencyKey: String(next) }
        const { id } = await persist(() => submit(repository, submission))
        if (!ids.includes(id)) ids.push(id)
        assert.ok(ids.length <= next + 1, `two tasks for one Idempotency-Key of ${name}`)
        if (random() < 0.2) continue
        next++
        request = undefined
        const standing = await persist(() => readTask(repository, ids[Math.floor(random() * ids.length)] ?? id))
        assert.ok(standing, `an accepted task of ${name} is not known`)
      }
      if (!isHolder) submitting--
    })
  }

  /** As a client of the API does: again, until there is an answer. */
  async function persist<Result>(ask: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        unlessUnavailable(error)
      }
    }
  }

  const startClient = (name: string, keeps: boolean) =>
    live(name, false, (process) => liveAsClient({ schedule, time, auditor, random, retention }, process, keeps))

  const { submitters, holders } = makePlans(random)
  for (const [at, plans] of submitters.entries()) startSubmitter(`api ${at}`, (next) => plans[next], at * 50)
  // Those who hold keys see to it that nothing waits for long, in each other's way.
  for (const [at, plan] of holders.entries())
    startSubmitter(`holder ${at}`, () => (submitting > 0 ? plan : undefined), 20_000 * at)
  startPublisher('publisher 1', 0)
  startPublisher('publisher 2', random() < 0.3 ? 2 * lease : -3000)
  startPreparer('preparer 1')
  startPreparer('preparer 2')
  startRefresher()
  startCollector()
  startClient('client', true)
  startClient('new client', false)

  const failed = () => auditor.violation !== undefined || schedule.steps() > mostSteps
  await schedule.run(() => failed() || (submitting === 0 && refreshes > 3) || schedule.steps() > mostSteps / 4)
  schedule.rates = calm
  await schedule.run(() => failed() || schedule.ghosts() === 0)
  const last = refreshes + 6
  await schedule.run(() => failed() || refreshes === last)
  if (schedule.steps() > mostSteps) auditor.violation ??= new Error('It comes to no end.')
  await conclude()
  return {
    violation: auditor.violation,
    history: schedule.history,
    steps: schedule.steps(),
    commits: auditor.commits(),
  }

  async function conclude(): Promise<void> {
    if (auditor.violation !== undefined) return
    try {
      auditor.finish(accepted)
      await everythingIsExplained(auditor, auditor.signedElsewhere())
      assert.ok(auditor.poisoned() <= schedule.crashes() / 3, 'a task was left out without three crashes')
    } catch (error) {
      auditor.violation = error
    }
  }
}

const isUnavailable = (error: unknown) => error instanceof StoreError || error instanceof SignerError

function unlessUnavailable(error: unknown): void {
  if (!isUnavailable(error)) throw error
}
