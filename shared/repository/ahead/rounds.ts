import { decodeSigned } from '../../tuf/signed.ts'
import { readCurrent } from '../current.ts'
import { schemaVersion, sha256 } from '../documents.ts'
import { type Draft, draftFrom } from '../draft.ts'
import { type Entry, encodeEntry, entryName, lastClaimed, readEntry } from '../journal.ts'
import type { LongWork, Planning } from '../long-work.ts'
import { operationFor } from '../operations/by-kind.ts'
import { inParallel } from '../parallel.ts'
import { createUnlessTaken } from '../ports.ts'
import {
  type HeldPreparation,
  type PreparationDocument,
  preparedVersions,
  type Round,
  type Whole,
} from '../preparation.ts'
import type { Current, Repository } from '../repository.ts'
import { isComplete } from '../signing.ts'
import { changedSince, type Later, outdated } from '../take-over.ts'
import type { AcceptedTask } from '../task.ts'
import { signAhead } from './sign-ahead.ts'
import { allMade, type Helper, makeUnits, newTurns, type Share, turnsIn } from './units.ts'

/**
 * The rounds of one preparation. The first makes every role; those after it make anew the roles that commits have changed
 * during the one before, until these are few enough for the commit itself. Each has a number of its own.
 */

/** With the first; what has changed since the last one is left to the commit, however much it is. */
const maximumRounds = 4
/** Roles made from one note of progress to the next. */
const notedEvery = 256

/** What is made is noted down, and whoever comes next goes on. */
export class OutOfTime extends Error {}

/** What the first round was begun on; nothing if there is none, or if it rests on something that has changed. */
export async function baseOfRound(
  repository: Repository,
  current: Current,
  { rounds: [first] }: PreparationDocument,
): Promise<Current | undefined> {
  const { metadata, state } = repository.ports
  if (first === undefined) return undefined
  // What it was begun on may be collected soon.
  const age = repository.ports.clock.now().getTime() - new Date(first.time).getTime()
  if (first.roles === undefined && age > repository.limits.retention / 2) return undefined
  if ((await state.read(entryName(first.number))) === undefined) return undefined
  if (first.base === current.entry.number) return current
  const stored = await metadata.read(`${first.snapshot}.snapshot.json`)
  const snapshot = stored && decodeSigned('snapshot', stored.bytes)
  const { roles, keys } = current.root.signed
  // By a key that does not count any more, it may have been; then the roles are too.
  if (snapshot === undefined || !isComplete(snapshot, [{ roleKeys: roles.snapshot, keys }])) return undefined
  return { ...current, ...(await readEntry(state, first.base)), snapshot }
}

/** What the operation plans to make, on the repository as it was visible `at` some commit. */
export function planned(
  repository: Repository,
  task: AcceptedTask,
  at: Current,
  later: Later,
  threads: Pick<Planning, 'lends' | 'lent'>,
): Promise<LongWork> {
  const { long } = operationFor(task.request)
  if (long === undefined) throw new Error(`Nothing of ${task.request.kind} is done ahead.`)
  const { id: taskId, principal } = task
  const { signers, clock } = repository.ports
  const context = { taskId, principal, signers, now: clock.now(), baseNumber: at.entry.number }
  return long.plan({ repository, at, later, draft: draftFrom(at), taskId, ...threads }, task.request, context)
}

interface FirstRound {
  readonly task: AcceptedTask
  readonly at: Current
  readonly work: LongWork
  readonly held: HeldPreparation
  readonly isOver: () => boolean
  readonly helper: Helper | undefined
}

/** Makes every role, or what is left of them. Throws OutOfTime when what was made is noted down, and the next one goes on behind it. */
export async function firstRound(
  repository: Repository,
  { task, at, work, held, isOver, helper }: FirstRound,
): Promise<void> {
  const { units } = work
  const roles = units.flatMap(({ makes }) => makes)
  const isResumed = held.document.rounds.length > 0
  if (!isResumed) {
    const round = await claimRound(repository, task, at, roles)
    await held.note({ rounds: [round], phase: 'preparing', done: 0, total: roles.length })
  }
  const [round] = held.document.rounds
  if (round === undefined) throw new Error('The round was claimed.')
  const order = sha256(roles.join('\n'))
  const before = held.document.whole?.order === order ? held.document.whole : nothingWhole
  const turns = newTurns(units.slice(0, before.units))
  let noted = 0
  let noting = Promise.resolve()
  const onMade = (done: number) => {
    if (Math.floor(done / notedEvery) > Math.floor(noted / notedEvery)) {
      noted = done
      noting = noting.then(() => held.note({ done, begun: 0 }))
    }
    return noting
  }
  const share: Share = { task, round, isResumed, turns, lent: helper && work.lend?.() }
  const own = makeUnits(repository, at, work, share, { isOver, onMade, again: before.telling })
  const { telling = [], found, ...made } = await allMade(helper === undefined ? [own] : [own, helper(share)])
  await noting
  const nearCaps = { ...before.nearCaps, ...made.nearCaps }
  const taken = turnsIn(turns).taken(units)
  if (taken < units.length || (before.telling.length > 0 && isOver())) {
    const whole = { units: taken, order, telling: [...before.telling, ...telling], nearCaps }
    await held.note({ whole, ...(taken > before.units && { begun: 0 }) })
    throw new OutOfTime('Out of time.')
  }
  const parkedBy = [...new Set(at.parked.changes.map((change) => change.task))]
  const known = { ...(await work.facts(round.number, found)), nearCaps, parkedBy }
  await held.note({ rounds: [{ ...round, roles }], done: roles.length, begun: 0, facts: known, whole: undefined })
}

const nothingWhole: Omit<Whole, 'order'> = { units: 0, telling: [], nearCaps: {} }

/** Makes anew what has changed meanwhile, until that is little; false if all of it has become of no use. */
export async function catchUp(
  repository: Repository,
  task: AcceptedTask,
  draft: Draft,
  held: HeldPreparation,
  inTime: () => void,
): Promise<boolean> {
  for (;;) {
    const { rounds, structure, abandoned } = held.document
    const last = rounds.at(-1)
    const current = await readCurrent(repository)
    if (last === undefined || current === undefined) return false
    const later: Later | undefined = await changedSince(repository, current, last.base, structure)
    if (later === undefined) return false
    const { leftToCommit, preparedAtOnce } = repository.limits
    if (rounds.length >= maximumRounds || later.size <= leftToCommit) return true
    const anew = await outdated(repository, current, draft, preparedVersions(held.document), later)
    if (anew.size <= leftToCommit) return true
    inTime()
    const round = await claimRound(repository, task, current, [...anew.keys()])
    // Until it is whole it is of no use to anybody but the collector.
    await held.note({ abandoned: [...abandoned, round.number] })
    const write = signAhead(repository, draft, current, round, false)
    await inParallel([...anew], preparedAtOnce, ([role, content]) => write(role, content))
    await held.note({ rounds: [...rounds, { ...round, roles: [...anew.keys()] }], abandoned })
  }
}

/** A number of its own for the files of these roles: no commit will have it, nor another round. */
async function claimRound(
  { ports: { state, clock } }: Repository,
  task: AcceptedTask,
  at: Current,
  roles: readonly string[],
): Promise<Round> {
  for (let number = at.entry.number; ; ) {
    number = (await lastClaimed(state, number)) + 1
    const time = clock.now().toISOString()
    const entry: Entry = {
      schema: schemaVersion,
      number,
      base: { number: at.entry.number, sha256: at.sha256 },
      nonce: clock.newId(),
      time,
      tasks: [],
      changes: [],
      creates: roles.map((role) => `${number}.${role}.json`),
      supersedes: [],
      state: at.entry.state,
      prepares: task.id,
    }
    if (await createUnlessTaken(state, entryName(number), encodeEntry(entry)))
      return { number, time, base: at.entry.number, snapshot: at.snapshot.signed.version }
  }
}
