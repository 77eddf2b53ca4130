import { isTopLevel } from '../tuf/names.ts'
import type { Current } from './current.ts'
import { type Batch, BrokenTask, contextOf, decide, loadRoles, Unfit } from './decide.ts'
import { type Draft, draftFrom, provide, setRotation, signAgain, treeOfDraft } from './draft.ts'
import { type Refusal, RepositoryError } from './errors.ts'
import type { WaitingTask } from './inbox.ts'
import { isKnown, operationFor } from './operations/by-kind.ts'
import type { Signer } from './ports.ts'
import type { Repository } from './repository.ts'
import { endedRotation } from './rotation.ts'
import { type DecidedTask, inboxName } from './task.ts'
import { canSign, signersOf } from './tree.ts'

/** The next state, and what was thrown by the operations that broke, by task. */
export interface Evaluation extends Decided {
  readonly draft: Draft
  readonly broken: ReadonlyMap<string, unknown>
}

/** How the tasks ended that this commit decides. */
interface Decided {
  readonly decided: readonly DecidedTask[]
  /** The first of those that wait until their roles are signed ahead. */
  readonly unprepared?: string
}

/** What is to be done without anybody asking for it. */
export interface Upkeep {
  /** Roles that are half spent and signed again as they are. */
  readonly due: readonly string[]
  /** The old online keys have signed long enough. */
  readonly endRotation: boolean
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
  await loadRoles(repository, current, prepared, [...upkeep.due.filter((role) => !isTopLevel(role)), ...needed])
  const broken = new Map<string, unknown>()
  const unfit = new Map<string, Refusal>()
  for (;;) {
    const draft = draftFrom(current)
    for (const [role, published] of prepared.published) provide(draft, role, published)
    for (const role of upkeep.due) signAgain(draft, role)
    if (upkeep.endRotation) endRotation(draft, repository.ports.signers)
    try {
      return { draft, broken, ...(await decideAll(repository, current, draft, tasks, { now, broken, unfit })) }
    } catch (error) {
      if (error instanceof Unfit) unfit.set(error.taskId, error.refusal)
      else if (error instanceof BrokenTask) broken.set(error.taskId, error.cause)
      else throw error
    }
  }
}

/** One after the other, up to one that others wait behind. */
async function decideAll(
  repository: Repository,
  current: Current,
  draft: Draft,
  tasks: readonly WaitingTask[],
  batch: Omit<Batch, 'targetsWait'>,
): Promise<Decided> {
  const decided: DecidedTask[] = []
  let unprepared: string | undefined
  let rootWaits = false
  let targetsWait = false
  for (const task of tasks) {
    if (rootWaits && isNextRoot(task)) continue
    const next = await decide(repository, current, draft, task, { ...batch, targetsWait })
    // It and those behind it wait for the commit after this one.
    if (next === 'next commit') break
    if (next === 'unprepared') {
      unprepared ??= task.id
      rootWaits ||= bringsRoot(task)
      targetsWait ||= changesTargets(task)
    } else decided.push(next)
    if (draft.prepared !== undefined) break
  }
  return { decided, ...(unprepared !== undefined && { unprepared }) }
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
      'newer',
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

const bringsRoot = (task: WaitingTask) =>
  !('poisoned' in task) &&
  (task.request.kind === 'metadata_update' || (task.request.kind === 'sign_metadata' && task.request.role === 'root'))

const changesTargets = (task: WaitingTask) =>
  !('poisoned' in task) && (task.request.kind === 'import_artifacts' || task.request.kind === 'revert')

/** Of two next roots the one that came first counts. But where a key is in the wrong hands, nothing is waited for. */
const isNextRoot = (task: WaitingTask) =>
  !('poisoned' in task) && task.request.kind === 'metadata_update' && !task.request.compromised
