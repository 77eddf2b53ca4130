import { readCurrent } from '../current.ts'
import { decodeDocument } from '../documents.ts'
import { isNoTasksFault, Refusal, RepositoryError } from '../errors.ts'
import { type HeldPreparation, holdPreparation, LostHold, structureOf } from '../preparation.ts'
import type { Current, Repository } from '../repository.ts'
import { changedAfter, stillGood } from '../take-over.ts'
import { type AcceptedTask, inboxName, taskName } from '../task.ts'
import { baseOfRound, catchUp, firstRound, OutOfTime, planned } from './rounds.ts'
import type { Helper } from './units.ts'

/**
 * Work on so many roles that short commits must not wait for it is done ahead: their metadata is signed and written
 * under a number that a journal entry claims, which no commit has, so that no client sees it. The commit takes over those files,
 * and makes anew only the roles that others have changed meanwhile. Whoever goes on after a crash finds what is there already.
 */

export type Prepared =
  /** The next commit may take it over. */
  | 'ready'
  /** The task is finished. */
  | 'gone'
  /** Another preparer is at it. */
  | 'busy'
  /** Whoever comes next goes on. */
  | 'out of time'

/** How many begin in a row and die, or fail, before the task counts as one that cannot be done. */
const maximumBegun = 5

export interface PrepareOptions {
  /** No more is begun after this, by the repository's clock. */
  readonly until?: Date
  /** Shares most of the work. */
  readonly helper?: Helper | undefined
}

/** Throws StoreError, SignerError or RepositoryError; what is made already stays for the next one. */
export async function prepare(repository: Repository, taskId: string, options: PrepareOptions = {}): Promise<Prepared> {
  const stored = await repository.ports.state.read(inboxName(taskId))
  if (stored === undefined) return 'gone'
  const task = decodeDocument<AcceptedTask>(inboxName(taskId), stored.bytes)
  const held = await holdPreparation(repository, taskId)
  if (held === 'busy' || held === 'gone') return held
  try {
    const end = await prepareOrSayWhy(repository, task, held, options)
    await held.release()
    return end
  } catch (error) {
    if (error instanceof LostHold) return 'busy'
    // What went wrong first is what has to be told.
    await held.release().catch(() => undefined)
    throw error
  }
}

async function prepareOrSayWhy(
  repository: Repository,
  task: AcceptedTask,
  held: HeldPreparation,
  options: PrepareOptions,
): Promise<Prepared> {
  try {
    if (held.document.begun <= maximumBegun) return await prepareHeld(repository, task, held, options)
    await held.note({ phase: 'ready', broken: true })
    return 'ready'
  } catch (error) {
    if (error instanceof OutOfTime) return 'out of time'
    if (error instanceof Refusal) {
      await held.note({ phase: 'ready', refusal: { message: error.message, details: error.details } })
      return 'ready'
    }
    // A store or a key may fail for long, and is no reason to give the task up. All else is tried only so often.
    if (isNoTasksFault(error)) await held.note({ begun: 0 }).catch(() => undefined)
    throw error
  }
}

async function prepareHeld(
  repository: Repository,
  task: AcceptedTask,
  held: HeldPreparation,
  { until, helper }: PrepareOptions,
): Promise<'ready' | 'gone'> {
  const isOver = () => until !== undefined && repository.ports.clock.now() > until
  const inTime = () => {
    if (isOver()) throw new OutOfTime('Out of time.')
  }
  for (;;) {
    const current = await readCurrent(repository)
    if (current === undefined) throw new RepositoryError('corrupt', 'There is no timestamp.json to build on.')
    if (await isDecided(repository, current, task.id)) return 'gone'
    const known = await stillGood(repository, current, held.document, task)
    const base = known && (await baseOfRound(repository, current, held.document))
    const at = base ?? (await beginAnew(repository, current, held))
    // Who goes on with a round makes what whoever began it would have made.
    const seen = held.document.rounds[0]?.base ?? at.entry.number
    const later = await changedAfter(repository, seen, held.document.since, task.id)
    const work = await planned(repository, task, at, later, { lends: helper !== undefined })
    inTime()
    if (held.document.rounds[0]?.roles === undefined)
      await firstRound(repository, { task, at, work, held, isOver, helper })
    if (await catchUp(repository, task, work.draft, held, inTime)) {
      await held.note({ phase: 'ready' })
      return 'ready'
    }
  }
}

/** A publisher that had not seen it yet may ask for it once more, and nobody would ever take over what is begun then. */
async function isDecided({ ports }: Repository, { entry }: Current, id: string): Promise<boolean> {
  return entry.tasks.some((task) => task.id === id) || (await ports.state.read(taskName(id))) !== undefined
}

async function beginAnew({ ports }: Repository, current: Current, held: HeldPreparation): Promise<Current> {
  const { rounds, abandoned } = held.document
  await held.note({
    ...{ structure: structureOf(current, ports.signers), phase: 'reading', done: 0, total: 0, rounds: [] },
    ...{ facts: undefined, refusal: undefined, whole: undefined },
    abandoned: [...abandoned, ...rounds.map(({ number }) => number)],
  })
  return current
}
