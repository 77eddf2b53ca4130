import { type ObjectStore, type Signer, SignerError, StoreError } from '../../shared/repository/ports.ts'
import type { VirtualTime } from './world.ts'

/** How often, per operation, what may go wrong does. */
export interface Rates {
  /** It fails and has not taken effect. */
  readonly refused: number
  /** It takes effect, and the answer is lost. */
  readonly lost: number
  /** It fails, and takes effect some time later, maybe when its object is long consumed. */
  readonly late: number
  /** It takes longer than a lease lasts. */
  readonly hangs: number
  /** The process dies, before or after it took effect. */
  readonly dies: number
  /** Time passes, for everybody. */
  readonly leaps: number
}

export const calm: Rates = { refused: 0, lost: 0, late: 0, hangs: 0, dies: 0, leaps: 0 }

export interface Process {
  readonly name: string
  /** What may go wrong with its operations. */
  readonly fragile: boolean
  dead: boolean
  /** Called once it has died. */
  readonly onDeath: () => void
}

interface Waiting {
  readonly process: Process
  readonly what: string
  readonly kind: 'read' | 'write' | 'wait'
  readonly effect: () => Promise<unknown>
  readonly answer: PromiseWithResolvers<unknown>
  readonly isReady: () => boolean
  from: number
}

export interface TurnOptions {
  /** A read cannot come late; waiting fails only by death. */
  readonly kind?: Waiting['kind']
  /** Not before this time. */
  readonly from?: number
  readonly isReady?: () => boolean
}

export interface Scheduler {
  /** The operation, once it is its turn. */
  turn<Result>(process: Process, what: string, effect: () => Promise<Result>, options?: TurnOptions): Promise<Result>
  /** Lets operations proceed, one at a time, until `isOver` or nothing is left that could. */
  run(isOver: () => boolean): Promise<void>
  rates: Rates
  readonly history: string[]
  /** Deaths and hangs of processes so far, and leaps of time over the end of a lease. */
  crashes(): number
  /** Operations that failed and have not taken effect yet. */
  ghosts(): number
  steps(): number
}

/** Decides, by the seed alone, whose operation proceeds next and what goes wrong with it. */
export function scheduler(random: () => number, time: VirtualTime, lease: number): Scheduler {
  let waiting: Waiting[] = []
  let ghosts = 0
  let crashes = 0
  let steps = 0
  const history: string[] = []
  const note = (text: string) => history.push(`${((time.now % 86_400_000) / 1000).toFixed(3).padStart(9)} ${text}`)

  /** Some processes are slow for a while, so that the others get far between two of their steps. */
  const paces = new Map<string, number>()
  const paceOf = (name: string) => {
    const pace = random() < 0.02 ? undefined : paces.get(name)
    if (pace !== undefined) return pace
    const next = random() < 0.2 ? 0.01 : 1
    paces.set(name, next)
    return next
  }

  function pick(ready: readonly Waiting[]): Waiting | undefined {
    const paced = ready.map((one) => ({ one, pace: paceOf(one.process.name) }))
    let at = random() * paced.reduce((sum, { pace }) => sum + pace, 0)
    for (const { one, pace } of paced) {
      at -= pace
      if (at < 0) return one
    }
    return ready.at(-1)
  }

  /** Around the commit point there is most to break. */
  const isTender = (what: string) => /timestamp\.json|tasks\/|metadata create \d+\.root/.test(what)

  function pickFault({ process, kind, what }: Waiting): keyof Rates | undefined {
    if (!process.fragile) return undefined
    let at = random()
    for (const fault of ['refused', 'lost', 'late', 'hangs', 'dies'] as const) {
      at -= self.rates[fault] * (isTender(what) ? 4 : 1)
      if (at >= 0) continue
      if (kind === 'wait') return fault === 'dies' ? fault : undefined
      return kind === 'read' && (fault === 'lost' || fault === 'late') ? 'refused' : fault
    }
    return undefined
  }

  async function proceed(chosen: Waiting): Promise<void> {
    const fault = pickFault(chosen)
    const { process, what, effect, answer } = chosen
    if (fault === 'hangs') {
      crashes++
      chosen.from = time.now + lease * (1 + random())
      note(`${process.name} ${what}: hangs`)
      return
    }
    waiting = waiting.filter((other) => other !== chosen)
    if (fault === 'dies') return die(chosen)
    if (chosen.kind === 'write' || fault !== undefined) note(`${process.name} ${what}${fault ? `: ${fault}` : ''}`)
    if (fault === 'late') haunt(chosen)
    const outcome = fault === undefined || fault === 'lost' ? await settled(effect()) : undefined
    if (fault !== undefined) answer.reject(new StoreError('unavailable', `${what}: ${fault}`))
    else if (outcome && 'value' in outcome) answer.resolve(outcome.value)
    else answer.reject(outcome?.reason)
  }

  async function die(chosen: Waiting): Promise<void> {
    const { process, what, effect, kind } = chosen
    const after = random() < 0.5
    if (after) await settled(effect())
    crashes++
    process.dead = true
    note(`${process.name} dies ${after ? 'after' : 'before'} ${what}`)
    const left = waiting.filter((other) => other.process === process)
    waiting = waiting.filter((other) => other.process !== process)
    for (const other of after || kind !== 'write' ? left : [chosen, ...left])
      if (other.kind === 'write' && random() < 0.3) haunt(other)
    process.onDeath()
  }

  /** The request is on its way, and nobody waits for the answer any more. */
  function haunt({ what, effect, process }: Waiting): void {
    ghosts++
    const ghost: Process = { name: `late ${process.name}`, fragile: false, dead: false, onDeath() {} }
    const arrives = async () => {
      ghosts--
      await settled(effect())
    }
    void self.turn(ghost, what, arrives, { kind: 'write', from: time.now + random() * 3 * lease })
  }

  const self: Scheduler = {
    rates: calm,
    history,
    turn<Result>(process: Process, what: string, effect: () => Promise<Result>, options: TurnOptions = {}) {
      const answer = Promise.withResolvers<Result>()
      const { kind = 'wait', from = 0, isReady = () => true } = options
      if (!process.dead) waiting.push({ process, what, kind, effect, answer, isReady, from } as Waiting)
      return answer.promise
    },
    async run(isOver) {
      for (;;) {
        // Whoever was answered goes on to what it asks next.
        await new Promise((resolve) => setImmediate(resolve))
        if (isOver()) return
        const ready = waiting.filter(({ isReady, from }) => from <= time.now && isReady())
        const chosen = pick(ready)
        if (chosen === undefined) {
          const next = Math.min(...waiting.filter(({ isReady }) => isReady()).map(({ from }) => from))
          if (!Number.isFinite(next)) return
          time.now = next
          continue
        }
        steps++
        time.now += 1 + Math.floor(random() * 20)
        if (random() < self.rates.leaps) {
          time.now += Math.floor(lease * (0.5 + random()))
          // Whose lease is over counts as dead.
          crashes++
          note('time passes')
        }
        await proceed(chosen)
      }
    },
    crashes: () => crashes,
    ghosts: () => ghosts,
    steps: () => steps,
  }
  return self
}

async function settled(promise: Promise<unknown>): Promise<{ value: unknown } | { reason: unknown }> {
  return promise.then(
    (value) => ({ value }),
    (reason) => ({ reason }),
  )
}

/** A store whose every operation waits for its turn. */
export function scheduled(scheduler: Scheduler, process: Process, which: string, store: ObjectStore): ObjectStore {
  const turn = <Result>(operation: string, kind: 'read' | 'write', effect: () => Promise<Result>) =>
    scheduler.turn(process, `${which} ${operation}`, effect, { kind })
  return {
    read: (name) => turn(`read ${name}`, 'read', () => store.read(name)),
    range: (name, start, end) => turn(`range ${name}`, 'read', () => store.range(name, start, end)),
    create: (name, bytes) => turn(`create ${name}`, 'write', () => store.create(name, bytes)),
    replace: (name, bytes, tag) => turn(`replace ${name}`, 'write', () => store.replace(name, bytes, tag)),
    delete: (name) => turn(`delete ${name}`, 'write', () => store.delete(name)),
    list: (prefix, options) => turn(`list ${prefix}`, 'read', () => store.list(prefix, options)),
  }
}

/** A signature that fails has changed nothing; one that comes late is no use. */
export function scheduledSigner(scheduler: Scheduler, process: Process, signer: Signer): Signer {
  return {
    ...signer,
    sign: (bytes) =>
      scheduler
        .turn(process, 'sign', () => signer.sign(bytes), { kind: 'read' })
        .catch((cause) => {
          throw cause instanceof StoreError ? new SignerError('unavailable', cause.message, { cause }) : cause
        }),
  }
}

/** A seed has some kinds of trouble and not others, for they hide each other. */
export function chooseRates(random: () => number): Rates {
  const rate = (most: number) => (random() < 0.5 ? 0 : random() * most)
  return {
    refused: rate(0.1),
    lost: rate(0.1),
    late: rate(0.1),
    hangs: rate(0.01),
    dies: rate(0.03),
    leaps: rate(0.01),
  }
}
