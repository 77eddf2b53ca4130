import { type Current, readRole } from './current.ts'
import { type Draft, draftFrom, NextCommit, provide, setRotation, signAgain, treeOfDraft } from './draft.ts'
import { isNoTasksFault, Refusal, RepositoryError } from './errors.ts'
import { lookAtFile } from './file-in-place.ts'
import { checkRoleSizes } from './fit.ts'
import type { WaitingTask } from './inbox.ts'
import { isKnown, operationFor } from './operations/index.ts'
import type { OperationContext, Outcome } from './operations/operation.ts'
import { failed, poisoned, refused, succeeded } from './outcomes.ts'
import { inParallel } from './parallel.ts'
import { type Past, readShortPast } from './past.ts'
import type { Signer } from './ports.ts'
import { askToPrepare, readPreparation, structureOf } from './preparation.ts'
import type { Limits, Repository } from './repository.ts'
import { endedRotation } from './rotation.ts'
import { endPreparation, stillGood, takeOver } from './take-over.ts'
import { type AcceptedTask, type DecidedTask, inboxName, type TaskRequest } from './task.ts'
import { canSign, signersOf } from './tree.ts'

/** The next state, how each task ended, and what was thrown by the operations that broke. */
export interface Evaluation {
  readonly draft: Draft
  readonly decided: readonly DecidedTask[]
  readonly broken: ReadonlyMap<string, unknown>
  /** A task that waits until its roles are signed ahead, the first of them. */
  readonly unprepared?: string
}

/** What is to be done without anybody asking for it. */
export interface Upkeep {
  /** Roles that are half spent and signed again as they are. */
  readonly due: readonly string[]
  /** The old online keys have signed long enough. */
  readonly endRotation: boolean
}

/** A task that cannot be done, as its draft shows only once the operation is through. */
class Unfit extends Error {
  readonly taskId: string
  readonly refusal: Refusal
  constructor(taskId: string, refusal: Refusal) {
    super(`Task ${taskId} does not fit.`, { cause: refusal })
    this.taskId = taskId
    this.refusal = refusal
  }
}

/** An operation broke, maybe with half of its work done, so the draft it worked on is of no use any more. */
class BrokenTask extends Error {
  readonly taskId: string
  constructor(taskId: string, cause: unknown) {
    super(`Task ${taskId} broke.`, { cause })
    this.taskId = taskId
  }
}

/**
 * Makes the next state: the upkeep done, and the tasks applied one after the other in the order of
 * acceptance. Each ends as SUCCESS; as ERRORED if its operation refuses it, with nothing changed; or as FAILURE if it was
 * poisoned or its operation broke, and then the others are applied as if it had not been there. Throws RepositoryError if
 * there is nothing to do but what only a later version of this service can.
 */
export async function evaluate(
  repository: Repository,
  current: Current,
  upkeep: Upkeep,
  waiting: readonly WaitingTask[],
  now: Date,
): Promise<Evaluation> {
  const tasks = understood(waiting, upkeep)
  const prepared = draftFrom(current)
  const needed = rolesNeeded(repository, current, prepared, tasks, now)
  await load(repository, current, prepared, [...upkeep.due.filter(isDelegated), ...needed])
  const broken = new Map<string, unknown>()
  const unfit = new Map<string, Refusal>()
  for (;;) {
    const draft = draftFrom(current)
    for (const [role, published] of prepared.published) provide(draft, role, published)
    for (const role of upkeep.due) signAgain(draft, role)
    if (upkeep.endRotation) endRotation(draft, repository.ports.signers)
    try {
      const decided: DecidedTask[] = []
      let unprepared: string | undefined
      let rootWaits = false
      let targetsWait = false
      for (const task of tasks) {
        if (rootWaits && isNextRoot(task)) continue
        const next = await decide(repository, current, draft, task, { broken, unfit, now, targetsWait })
        // It and those behind it wait for the commit after this one.
        if (next === 'next commit') break
        if (next === 'unprepared') {
          unprepared ??= task.id
          rootWaits ||= bringsRoot(task)
          targetsWait ||= changesTargets(task)
        } else decided.push(next)
        if (draft.prepared !== undefined) break
      }
      return { draft, decided, broken, ...(unprepared !== undefined && { unprepared }) }
    } catch (error) {
      if (error instanceof Unfit) unfit.set(error.taskId, error.refusal)
      else if (error instanceof BrokenTask) broken.set(error.taskId, error.cause)
      else throw error
    }
  }
}

/**
 * The tasks up to one of a kind that this version does not know. A later one has accepted it, and does it once it runs here:
 * that one waits, and so do those behind it, for they may rest on it.
 */
function understood(waiting: readonly WaitingTask[], upkeep: Upkeep): readonly WaitingTask[] {
  const at = waiting.findIndex((task) => !('poisoned' in task || isKnown(task.request)))
  const strange = waiting[at]
  if (strange === undefined || 'poisoned' in strange) return waiting
  if (at === 0 && upkeep.due.length === 0 && !upkeep.endRotation)
    throw new RepositoryError(
      'corrupt',
      `${inboxName(strange.id)} asks for ${JSON.stringify(strange.request.kind)}, which this version does not know. It and what came after it wait. Upgrade.`,
    )
  return waiting.slice(0, at)
}

/** From here on the new keys sign alone. */
function endRotation(draft: Draft, signers: readonly Signer[]): void {
  setRotation(draft, endedRotation(draft.rotation))
  signAgain(draft, 'snapshot')
  if (canSign(signersOf(treeOfDraft(draft), 'targets'), signers)) signAgain(draft, 'targets')
}

const isDelegated = (role: string) => role !== 'timestamp' && role !== 'snapshot' && role !== 'targets'

async function load(repository: Repository, current: Current, into: Draft, roles: Iterable<string>) {
  const missing = [...new Set(roles)].filter((role) => !into.roles.has(role))
  await inParallel(missing, repository.limits.parallel, async (role) => {
    provide(into, role, await readRole(repository, current, role))
  })
}

/**
 * What the tasks are likely to need, to read it all at once. What an earlier task adds to it is read when it is needed, and so is
 * that of a task which may be long: whether it is takes time to find out.
 */
function rolesNeeded(
  repository: Repository,
  current: Current,
  draft: Draft,
  tasks: readonly WaitingTask[],
  now: Date,
): string[] {
  return tasks.flatMap((task) => {
    if ('poisoned' in task || task.request.kind === 'bootstrap') return []
    const { long, needs } = operationFor(task.request)
    try {
      return long === undefined ? [...needs(draft, task.request, contextOf(repository, current, task, now))] : []
    } catch {
      return []
    }
  })
}

/** What is known of a batch's tasks from going through them before. */
interface Known {
  readonly broken: ReadonlyMap<string, unknown>
  readonly unfit: ReadonlyMap<string, Refusal>
  readonly now: Date
  /** What an earlier one does to targets is seen after this one. */
  readonly targetsWait: boolean
}

async function decide(
  repository: Repository,
  current: Current,
  draft: Draft,
  task: WaitingTask,
  { broken, unfit, now, targetsWait }: Known,
): Promise<DecidedTask | 'next commit' | 'unprepared'> {
  if ('poisoned' in task) {
    await leavePrepared(repository, draft, task.id)
    return poisoned(task, now)
  }
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
  const found = unfit.get(taskId)
  if (found !== undefined) return refused(task, now, operation.refusedMessage, found)
  const context = contextOf(repository, current, task, now)
  try {
    // To be undone, too: so it is done once that is there, and by then later ones may have come to be left as they are.
    const past = targetsWait ? undefined : await pastFor(repository, current, task)
    const knowing = { ...context, ...(past && { past }) }
    if (isLong(draft, request, repository.limits, knowing))
      return await decidePrepared(repository, current, draft, task, context)
    if (operation.long !== undefined) await leavePrepared(repository, draft, taskId)
    await load(repository, current, draft, operation.needs(draft, request, knowing))
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
): Promise<Past | undefined> {
  const { past } = request.kind === 'bootstrap' ? {} : operationFor(request)
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

function contextOf(
  { ports: { signers } }: Repository,
  { entry }: Current,
  { id, principal }: AcceptedTask,
  now: Date,
): OperationContext {
  return { taskId: id, principal, now, baseNumber: entry.number, signers }
}

function isLong(draft: Draft, request: TaskRequest, { aheadFrom }: Limits, context: OperationContext): boolean {
  if (request.kind === 'bootstrap') return false
  const { long } = operationFor(request)
  return long !== undefined && (long.is === undefined || long.is(draft, request, aheadFrom, context))
}

const bringsRoot = (task: WaitingTask) =>
  !('poisoned' in task) &&
  (task.request.kind === 'metadata_update' || (task.request.kind === 'sign_metadata' && task.request.role === 'root'))

const changesTargets = (task: WaitingTask) =>
  !('poisoned' in task) && (task.request.kind === 'import_artifacts' || task.request.kind === 'revert')

/** Of two next roots the one that came first counts. But where a key is in the wrong hands, nothing is waited for. */
const isNextRoot = (task: WaitingTask) =>
  !('poisoned' in task) && task.request.kind === 'metadata_update' && !task.request.compromised

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
  const outcome = operation.apply(draft, task.request, { ...context, prepared: document.facts })
  await takeOver(repository, current, draft, document, later)
  endPreparation(draft, task.id, document)
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
