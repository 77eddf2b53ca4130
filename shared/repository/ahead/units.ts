import type { Targets } from '../../tuf/metadata.ts'
import { readRole, readToCarry } from '../current.ts'
import { type Found, type Lent, type LongWork, nothingFound, type Unit } from '../long-work.ts'
import { eachInParallel, inParallel } from '../parallel.ts'
import type { Round } from '../preparation.ts'
import type { Current, Repository } from '../repository.ts'
import type { AcceptedTask } from '../task.ts'
import { signAhead } from './sign-ahead.ts'

/** One round of work ahead, for all threads that make its units: each plans the same units, and takes those that no other has. */
export interface Share {
  readonly task: AcceptedTask
  readonly round: Round
  /** Some of its files may be there. */
  readonly isResumed: boolean
  /** See `turnsIn`. */
  readonly turns: SharedArrayBuffer
  readonly lent?: Lent | undefined
}

/** What one thread has made of a round. */
export interface Made {
  /** Bytes of files that come near what a served client can read. */
  readonly nearCaps: Readonly<Record<string, number>>
  readonly found: Found
  /** The places of units that have added to what was found; a helper need not tell. */
  readonly telling?: readonly number[]
}

/** Makes units of a round in another thread, until none is left. Rejects with what kept it from that. */
export type Helper = (share: Share) => Promise<Made>

/** Which units are taken and how many roles are made, in memory that threads share. */
export function turnsIn(shared: SharedArrayBuffer) {
  const counts = new Int32Array(shared)
  const [taken, made] = [0, 1]
  return {
    /** Those that nobody has taken yet, and their places, until it is over. */
    *left(units: readonly Unit[], isOver: () => boolean) {
      while (!isOver()) {
        const place = Atomics.add(counts, taken, 1)
        const unit = units[place]
        if (unit === undefined) return
        yield [place, unit] as const
      }
    },
    /** How many of the first units are taken. */
    taken: (units: readonly Unit[]) => Math.min(Atomics.load(counts, taken), units.length),
    /** Counts roles that are made; returns the number of all of them. */
    count: (roles: number) => Atomics.add(counts, made, roles) + roles,
    /** From here on nobody begins another unit. */
    end: () => void Atomics.store(counts, taken, endOfUnits),
  }
}

/** More than any work has, and far from where the number would turn negative. */
const endOfUnits = 2 ** 30

/** `whole`: units that are made already. */
export function newTurns(whole: readonly Unit[] = []): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)
  new Int32Array(shared).set([whole.length, whole.flatMap(({ makes }) => makes).length])
  return shared
}

interface Making {
  /** Once it is, no other unit is begun; those that are under way are ended. */
  readonly isOver?: () => boolean
  /** Told how many roles are made in all. */
  readonly onMade?: (made: number) => Promise<void>
  /** The places of units that were made before, and are looked at once more at the end for what they show. */
  readonly again?: readonly number[]
}

/** Makes, signs and writes the roles of units, as long as one is left. */
export async function makeUnits(
  repository: Repository,
  at: Current,
  work: LongWork,
  { round, isResumed, turns: shared }: Share,
  { isOver = () => false, onMade, again = [] }: Making = {},
): Promise<Made> {
  const { preparedAtOnce } = repository.limits
  const turns = turnsIn(shared)
  const write = signAhead(repository, work.draft, at, round, isResumed)
  const nearCaps: Record<string, number> = {}
  const telling: number[] = []
  const found = () => work.found?.() ?? nothingFound
  try {
    await eachInParallel(turns.left(work.units, isOver), preparedAtOnce, async ([place, unit]) => {
      const contents = await readContents(repository, at, work, unit)
      const before = sizeOf(found())
      const roles = work.make(unit, contents)
      if (sizeOf(found()) > before) telling.push(place)
      for (const [role, content] of roles) {
        const near = await write(role, content)
        if (near !== undefined) nearCaps[role] = near
      }
      await onMade?.(turns.count(unit.makes.length))
    })
    const toSeeAgain = again.flatMap((place) => work.units[place] ?? [])
    await inParallel(toSeeAgain, preparedAtOnce, async (unit) => {
      if (!isOver()) work.make(unit, await readContents(repository, at, work, unit))
    })
  } catch (error) {
    turns.end()
    throw error
  }
  return { nearCaps, found: found(), telling }
}

const sizeOf = (found: Found) => Object.values(found).reduce((sum, { length }) => sum + length, 0)

async function readContents(
  repository: Repository,
  at: Current,
  { carries }: LongWork,
  { reads }: Unit,
): Promise<Map<string, Targets>> {
  const read = await inParallel(reads, repository.limits.preparedAtOnce, async (role) => {
    return [
      role,
      carries ? await readToCarry(repository, at, role) : (await readRole(repository, at, role)).signed,
    ] as const
  })
  return new Map(read)
}

/** What all of them have made. If one failed, what it failed with is thrown when none is at work any more. */
export async function allMade(makers: readonly Promise<Made>[]): Promise<Made> {
  const settled = await Promise.allSettled(makers)
  const failed = settled.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  const made = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  return {
    nearCaps: Object.assign({}, ...made.map(({ nearCaps }) => nearCaps)),
    telling: made.flatMap(({ telling = [] }) => telling),
    found: {
      held: made.flatMap(({ found }) => found.held),
      overtaken: made.flatMap(({ found }) => found.overtaken),
      odd: made.flatMap(({ found }) => found.odd),
      restored: made.flatMap(({ found }) => found.restored),
      removed: made.flatMap(({ found }) => found.removed),
    },
  }
}
