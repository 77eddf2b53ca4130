import type { TargetFile } from '../tuf/metadata.ts'
import type { TargetPath } from '../tuf/names.ts'
import { type Document, schemaVersion } from './documents.ts'

/** Changes that were accepted and wait until somebody publishes them; private state, versioned by commits. */
export interface Parked extends Document {
  /** At most one for each path, in the order in which they were accepted. */
  readonly changes: readonly AskedChange[]
}

/** A change of one artifact that was accepted and is not visible: it is parked, or waits for signatures. */
export interface AskedChange {
  readonly path: TargetPath
  /** Absent: the target is to be removed. */
  readonly info?: TargetFile
  /** The task that asked for it, and for whom. */
  readonly task: string
  readonly principal: string
}

export const nothingParked: Parked = { schema: schemaVersion, changes: [] }

/** The later of two changes of one path wins, parked or not. */
export function withoutPaths(parked: Parked, paths: ReadonlySet<string>): Parked {
  if (!parked.changes.some((change) => paths.has(change.path))) return parked
  return { ...parked, changes: parked.changes.filter((change) => !paths.has(change.path)) }
}

/** Without what tasks before this one have parked for paths that it has changed. */
export function withoutOvertaken(parked: Parked, paths: readonly string[], task: string): Parked {
  const changed = new Set(paths)
  const isLeft = (change: AskedChange) => !changed.has(change.path) || change.task > task
  return parked.changes.every(isLeft) ? parked : { ...parked, changes: parked.changes.filter(isLeft) }
}

/** The paths for which tasks before this one have parked something. */
export function pathsParkedBefore({ changes }: Parked, task: string): Set<string> {
  return new Set(changes.filter((change) => change.task < task).map(({ path }) => path))
}

/** At most one for each path: the later one wins. */
export function withChanges(earlier: readonly AskedChange[], changes: readonly AskedChange[]): readonly AskedChange[] {
  const replaced = new Set(changes.map(({ path }) => path))
  return [...earlier.filter(({ path }) => !replaced.has(path)), ...changes]
}
