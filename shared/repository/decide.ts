import { type Current, readRole } from './current.ts'
import { type Draft, NextCommit, provide } from './draft.ts'
import { isNoTasksFault, Refusal } from './errors.ts'
import { lookAtFile } from './file-in-place.ts'
import type { WaitingTask } from './inbox.ts'
import { operationFor } from './operations/by-kind.ts'
import type { Operation, OperationContext, Outcome } from './operations/operation.ts'
import { failed, poisoned, refused, succeeded } from './outcomes.ts'
import { inParallel } from './parallel.ts'
import { type Past, readShortPast } from './past.ts'
import { askToPrepare, readPreparation, structureOf } from './preparation.ts'
import type { Repository } from './repository.ts'
import { checkRoleSizes } from './size-caps.ts'
import { endPreparation, stillGood, takeOver } from './take-over.ts'
import type { AcceptedTask, DecidedTask, TaskKind } from './task.ts'

/** A task that cannot be done, as shows only once its operation is through: the draft holds what it has done already. */
export class Unfit extends Error {
  readonly taskId: string
  readonly refusal: Refusal
  constructor(taskId: string, refusal: Refusal) {
    super(`Task ${taskId} does not fit.`, { cause: refusal })
    this.taskId = taskId
    this.refusal = refusal
  }
}

/** An operation broke, maybe half done, so the draft that it worked on is of no use any more. */
export class BrokenTask extends Error {
  readonly taskId: string
  constructor(taskId: string, cause: unknown) {
    super(`Task ${taskId} broke.`, { cause })
    this.taskId = taskId
  }
}

/** What is known of the batch that a task is decided with. */
export interface Batch {
  /** When the cycle began. */
  readonly now: Date
  /** Tasks whose operation broke, or that did not fit, when the batch was gone through before. */
  readonly broken: ReadonlyMap<string, unknown>
  readonly unfit: ReadonlyMap<string, Refusal>
  /** An earlier task that changes targets is being signed ahead, so this draft does not have its changes. */
  readonly targetsWait: boolean
}

/**
 * Applies one task to the draft. 'next commit': it can be done on top of this draft's commit only. 'unprepared': its roles
 * are signed ahead first. Throws Unfit or BrokenTask, and then the draft is of no use any more; and StoreError, SignerError or
 * RepositoryError, for which no task is to blame.
 */
export async function decide(
  repository: Repository,
  current: Current,
  draft: Draft,
  task: WaitingTask,
  { now, broken, unfit, targetsWait }: Batch,
): Promise<DecidedTask | 'next commit' | 'unprepared'> {
  const known = unfit.get(task.id)
  if ('poisoned' in task || broken.has(task.id) || known !== undefined) await leavePrepared(repository, draft, task.id)
  if ('poisoned' in task) return poisoned(task, now)
  if (broken.has(task.id)) return failed(task, now)
  const { request, id: taskId } = task
  if (request.kind === 'bootstrap') {
    return refused(
      task,
      now,
      'Bootstrap Failed',
      new Refusal(`System already has a Metadata. State: ${current.entry.number}`),
    )
  }
  const operation = operationFor(request)
  if (known !== undefined) return refused(task, now, operation.refusedMessage, known)
  const context = contextOf(repository, current, task, now)
  try {
    // A revert has to undo what waits, too. So it is signed ahead itself, which leaves alone what later tasks change until then.
    const past = targetsWait ? undefined : await pastFor(repository, current, task, operation)
    const knowing = { ...context, ...(past && { past }) }
    const { long } = operation
    if (long !== undefined) {
      const isLong = long.is === undefined || long.is(draft, request, repository.limits.aheadFrom, knowing)
      if (isLong) return await decidePrepared(repository, current, draft, task, context)
      await leavePrepared(repository, draft, taskId)
    }
    await loadRoles(repository, current, draft, operation.needs(draft, request, knowing))
    const file = operation.file?.(request)
    const there = file === undefined ? {} : await lookAtFile(repository, file)
    const outcome = operation.apply(draft, request, { ...knowing, ...there })
    return succeeded(task, now, withSizeWarnings(outcome, draft, taskId))
  } catch (error) {
    if (error instanceof NextCommit) return 'next commit'
    if (error instanceof Refusal) return refused(task, now, operation.refusedMessage, error)
    if (error instanceof Unfit || isNoTasksFault(error)) throw error
    throw new BrokenTask(taskId, error)
  }
}

/** What has changed since the commit that a request names; nothing if that is too much to be undone within one cycle. */
async function pastFor(
  repository: Repository,
  current: Current,
  { id, request }: AcceptedTask,
  { past }: Operation<TaskKind>,
): Promise<Past | undefined> {
  if (past === undefined) return undefined
  // It was too much before, and is not read again in each cycle until it is prepared.
  if ((await readPreparation(repository.ports.state, id)) !== undefined) return undefined
  return readShortPast(repository, current, past(request), repository.limits.aheadFrom)
}

/** What was signed ahead for a task that is decided without it goes with this commit. */
async function leavePrepared({ ports }: Repository, draft: Draft, taskId: string): Promise<void> {
  const { document } = (await readPreparation(ports.state, taskId)) ?? {}
  if (document !== undefined) endPreparation(draft, taskId, document)
}

export function contextOf(
  { ports: { signers } }: Repository,
  { entry }: Current,
  { id, principal }: AcceptedTask,
  now: Date,
): OperationContext {
  return { taskId: id, principal, now, baseNumber: entry.number, signers }
}

/** A task whose roles are signed ahead has a commit of its own, once they are. */
async function decidePrepared(
  repository: Repository,
  current: Current,
  draft: Draft,
  task: AcceptedTask,
  context: OperationContext,
): Promise<DecidedTask | 'next commit' | 'unprepared'> {
  const { state } = repository.ports
  const { document } = (await readPreparation(state, task.id)) ?? {}
  // What earlier tasks do is a commit before it, so that commits are made of earlier tasks or of later ones.
  if ((document === undefined || document.phase === 'ready') && isTouched(draft)) return 'next commit'
  if (document === undefined) await askToPrepare(state, task.id, current.entry.number)
  if (document?.phase !== 'ready') return 'unprepared'
  if (document.broken === true) {
    endPreparation(draft, task.id, document)
    return failed(task, context.now)
  }
  const operation = operationFor(task.request)
  if (document.refusal !== undefined) {
    // It may be possible by now.
    if (structureOf(current, context.signers) !== document.structure) return 'unprepared'
    const { message, details } = document.refusal
    endPreparation(draft, task.id, document)
    return refused(task, context.now, operation.refusedMessage, new Refusal(message, details))
  }
  const later = await stillGood(repository, current, document, task)
  if (later === undefined || document.facts === undefined) return 'unprepared'
  // Also if it is refused: then nothing is taken over, and all of it is collected.
  endPreparation(draft, task.id, document)
  const outcome = operation.apply(draft, task.request, { ...context, prepared: document.facts })
  await takeOver(repository, current, draft, document, later)
  return succeeded(task, context.now, withSizeWarnings(outcome, draft, task.id))
}

const isTouched = ({ toSign, signed, signSnapshot, decides, prepared }: Draft) =>
  toSign.size > 0 || signed.size > 0 || signSnapshot || decides.size > 0 || prepared !== undefined

/** Throws Unfit: the draft holds what the task has done already. */
function withSizeWarnings(outcome: Outcome, draft: Draft, taskId: string): Outcome {
  try {
    const warnings = checkRoleSizes(draft)
    return warnings.length === 0 ? outcome : { ...outcome, warnings: [...(outcome.warnings ?? []), ...warnings] }
  } catch (error) {
    throw error instanceof Refusal ? new Unfit(taskId, error) : error
  }
}

/** Reads roles, and has the draft know them. Those that it knows already are left as they are. */
export async function loadRoles(repository: Repository, current: Current, into: Draft, roles: Iterable<string>) {
  const missing = [...new Set(roles)].filter((role) => !into.roles.has(role))
  await inParallel(missing, repository.limits.parallel, async (role) => {
    provide(into, role, await readRole(repository, current, role))
  })
}
