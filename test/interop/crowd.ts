/** TUF clients that refresh again and again without a pause, and remember everything that goes wrong. */

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type RunningClient, startClient, type TufClient } from './clients.ts'
import type { Versions } from './protocol.ts'
import type { Random } from './scenario.ts'

/** What each client does in turn: begin anew, go on from what it knew, go on from what one knew in some earlier step. */
type Manner = 'fresh' | 'kept' | 'earlier'
const manners: readonly Manner[] = ['kept', 'earlier', 'fresh', 'earlier']

export interface Failure {
  readonly client: string
  readonly manner: string
  readonly step: string
  readonly error: string
}

export interface CrowdOptions {
  readonly directory: string
  readonly root: string
  /** One client each on each of these ways to the service. */
  readonly lines: readonly URL[]
  readonly clients: readonly TufClient[]
  /** All of them have to be found and verified, each time. */
  readonly targets: readonly string[]
  readonly random: Random
}

export interface Crowd {
  /** What went wrong since it was last asked for. */
  failures(): Failure[]
  /** Says what happens now: from now on clients begin with what others knew in the steps before, too. */
  step(name: string): void
  /** Resolves when every client has begun and ended so many refreshes since it was asked for. */
  rounds(number: number): Promise<void>
  readonly figures: { refreshes: number; longest: number; states: number }
  stop(): Promise<void>
}

export function gather({ directory, root, lines, clients, targets, random }: CrowdOptions): Crowd {
  const figures = { refreshes: 0, longest: 0, states: 0 }
  const earlier = new Map<TufClient, { step: string; state: string }[]>()
  /** The newest that any client has been told: nobody who begins later may be told anything older. */
  const newest: Versions = { root: 0, timestamp: 0, snapshot: 0 }
  let failures: Failure[] = []
  let step = 'at first'
  let ended = false
  const done: number[] = []

  async function refresh(client: RunningClient, line: URL, state: string, manner: string): Promise<boolean> {
    const begun = { step, newest: { ...newest }, time: performance.now() }
    const fail = (error: string) => {
      failures.push({ client: client.name, manner, step: begun.step, error })
      return false
    }
    const metadataUrl = new URL('metadata/', line).href
    const targetsUrl = new URL('artifacts/', line).href
    const answer = await client.ask({ metadataUrl, targetsUrl, root, state, targets })
    figures.refreshes++
    figures.longest = Math.max(figures.longest, performance.now() - begun.time)
    if (!answer.ok) return fail(answer.error)
    for (const role of ['root', 'timestamp', 'snapshot'] as const) {
      const version = answer.versions[role]
      if (version < begun.newest[role]) return fail(`${role} went back from ${begun.newest[role]} to ${version}`)
      newest[role] = Math.max(newest[role], version)
    }
    const lost = answer.targets.find(({ outcome }) => outcome !== 'verified')
    return lost === undefined || fail(JSON.stringify(lost))
  }

  async function live(client: TufClient, line: URL, lane: number): Promise<void> {
    const running = startClient(client)
    const kept = join(directory, `kept-${lane}`)
    mkdirSync(kept, { mode: 0o700 })
    const known = earlier.get(client) ?? []
    earlier.set(client, known)
    for (let round = 0; !ended; round++) {
      const manner = manners[round % manners.length] ?? 'fresh'
      const one = known[Math.floor(random() * known.length)]
      const state = manner === 'kept' ? kept : mkdtempSync(join(directory, `${manner}-`))
      if (manner === 'earlier' && one !== undefined) cpSync(one.state, state, { recursive: true })
      const now = step
      const good = await refresh(running, line, state, manner === 'earlier' ? `as of: ${one?.step}` : manner)
      const isNew = manner === 'fresh' && good && now === step && !known.some((other) => other.step === now)
      if (isNew) {
        known.push({ step: now, state })
        figures.states++
      } else if (manner !== 'kept') rmSync(state, { recursive: true })
      done[lane] = (done[lane] ?? 0) + 1
    }
    running.stop()
  }

  const lanes = clients.flatMap((client) => lines.map((line) => ({ client, line })))
  const lives = lanes.map(({ client, line }, lane) => live(client, line, lane))
  // Whoever waits for a round hears of it.
  const broken = Promise.all(lives).then(() => undefined)

  return {
    figures,
    failures() {
      const found = failures
      failures = []
      return found
    },
    step(name) {
      step = name
    },
    async rounds(number) {
      const goals = lanes.map((_, lane) => (done[lane] ?? 0) + number + 1)
      while (goals.some((goal, lane) => (done[lane] ?? 0) < goal)) {
        await Promise.race([new Promise((resolve) => setTimeout(resolve, 20)), broken])
      }
    },
    async stop() {
      ended = true
      await broken
    },
  }
}
