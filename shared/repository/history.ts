import { binOf, hashBins } from '../tuf/bins.ts'
import { type TargetFile, versionOf } from '../tuf/metadata.ts'
import { isSameTarget } from './artifact-rules.ts'
import type { Current } from './current.ts'
import { decodeDocument } from './documents.ts'
import { type Entry, findEntry, type Imported } from './journal.ts'
import type { ObjectStore } from './ports.ts'
import { type FinishedTask, isTaskId, taskName } from './task.ts'

/** What the journal tells of how a target came to be what it is, by a number of reads that no repository makes grow. */
export interface Origin {
  /** The commit that last changed it; absent where that is too many changes of its role ago to look for. */
  readonly commit?: number
  /**
   * Commits that imported files or took back many targets, any of which may have changed it last, the newest one first. Absent
   * where `commit` is there.
   */
  readonly imports?: readonly number[]
}

/** A target, and the role that clients find it in. */
interface Held {
  readonly path: string
  readonly target: TargetFile
  readonly role: string
  /** Of that role. */
  readonly version: number
}

/** Versions of a role that are looked through, and commits that took over work ahead. */
const most = 100

/**
 * Goes from version to version of the role, each made by a commit, back to the one that changed the target. A file that was
 * imported is not read for that: whether it held the target is told by what came before and after it.
 */
export async function originOf(state: ObjectStore, current: Current, held: Held): Promise<Origin> {
  const { path, target } = held
  const imports: number[] = []
  let mayBeTakenBack = false
  const oneOf = (): Origin => {
    const [only, ...others] = imports
    if (only === undefined) return {}
    return others.length > 0 ? { imports } : { commit: only }
  }
  const commitOf = commitsOf(state, current)
  let at: Pick<Held, 'role' | 'version'> = held
  for (let looked = 0; looked < most; looked++) {
    const made = await commitOf(at)
    if (made === undefined) break
    const change = made.changes.find((one) => one.path === path)
    if (change !== undefined) {
      // What an import has changed since is not what it was then; what was taken back is.
      if (!isSameTarget(change.after, target)) return oneOf()
      if (!mayBeTakenBack) return { commit: made.number }
      imports.push(made.number)
      return oneOf()
    }
    const { imported } = made
    if (imported !== undefined && !imported.except.includes(path)) {
      if (imported.addedByTaskId === undefined) imports.push(made.number)
      else if (isOfTask(target, imported)) return { commit: made.number }
    }
    if (made.listed !== undefined && !made.listed.except.includes(path)) {
      mayBeTakenBack = true
      imports.push(made.number)
    }
    const before = changesBins(made) ? binBefore(current, made, path) : versionBefore(made, at.role)
    // The role was new and held nothing, so it was imported. An entry without tasks may stand for one that was lost.
    if (before === undefined && made.tasks.length > 0 && !changesBins(made)) return oneOf()
    if (before === undefined) break
    at = before
  }
  const commit = await commitOfTask(state, held)
  if (commit !== undefined) return { commit }
  return imports.length > 0 ? { imports } : {}
}

/**
 * Finds the commit that brought out a version: the one of that number, or the one that took it over. To be asked for older and
 * older versions: the commits that took work over are gone through once, from the newest down, for all of them together.
 */
function commitsOf(state: ObjectStore, { entry }: Current) {
  let next = entry.prepared === undefined ? entry.ahead : entry.number
  let looked = 0
  return async ({ role, version }: Pick<Held, 'role' | 'version'>): Promise<Entry | undefined> => {
    const file = `${version}.${role}.json`
    // A version that was not given here (signed offline) is the number of some commit, or of none.
    const claim = await findEntry(state, version)
    if (claim?.creates.includes(file) !== true) return undefined
    if (claim.prepares === undefined) return claim
    for (; looked < most && next !== undefined && next > version; looked++) {
      const later: Entry | undefined = await findEntry(state, next)
      next = later?.ahead
      if (later?.creates.includes(file)) return later
    }
    return undefined
  }
}

function versionBefore({ supersedes }: Entry, role: string): Pick<Held, 'role' | 'version'> | undefined {
  const file = supersedes.find((name) => name.slice(name.indexOf('.') + 1) === `${role}.json`)
  return file === undefined ? undefined : { role, version: Number.parseInt(file, 10) }
}

const changesBins = ({ tasks }: Entry) => tasks.some(({ result }) => result.task === 'change_bins' && result.status)

/** Where the target was before a commit changed the number of hash bins. */
function binBefore(
  { settings, snapshot }: Current,
  made: Entry,
  path: string,
): Pick<Held, 'role' | 'version'> | undefined {
  const number = made.tasks[0]?.result.details['before']
  if (settings.bins === undefined || typeof number !== 'number') return undefined
  const { delegation, namePrefix } = settings.bins
  const role = binOf(hashBins(delegation, number, namePrefix), path)
  // Bins that are no more stay in the snapshot as they were last.
  const last = versionOf(snapshot.signed, role) ?? Number.POSITIVE_INFINITY
  return versionBefore(made, role) ?? (last < made.number ? { role, version: last } : undefined)
}

/** What the target itself says. */
async function commitOfTask(state: ObjectStore, { path, target }: Held): Promise<number | undefined> {
  const id = target.custom?.['added_by_task_id']
  if (typeof id !== 'string' || !isTaskId(id)) return undefined
  const stored = await state.read(taskName(id))
  const number = stored && decodeDocument<FinishedTask>(taskName(id), stored.bytes).commit
  const entry = number === undefined ? undefined : await findEntry(state, number)
  if (entry === undefined) return undefined
  const { changes, imported } = entry
  const isImported = imported !== undefined && isOfTask(target, imported) && !imported.except.includes(path)
  return isImported || changes.some((one) => one.path === path && isSameTarget(one.after, target)) ? number : undefined
}

const isOfTask = ({ custom }: TargetFile, { addedByTaskId }: Imported) =>
  addedByTaskId !== undefined && custom?.['added_by_task_id'] === addedByTaskId
