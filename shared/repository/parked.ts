import type { TargetFile } from '../tuf/metadata.ts'
import type { TargetPath } from '../tuf/names.ts'
import { type Document, schemaVersion } from './documents.ts'

/** Changes that were accepted and wait until somebody publishes them; private state, versioned by commits. */
export interface Parked extends Document {
  /** At most one for each path, in the order in which they were accepted. */
  readonly changes: readonly ParkedChange[]
}

export interface ParkedChange {
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
  const isLeft = (change: ParkedChange) => !changed.has(change.path) || change.task > task
  return parked.changes.every(isLeft) ? parked : { ...parked, changes: parked.changes.filter(isLeft) }
}

export function withChanges(parked: Parked, changes: readonly ParkedChange[]): Parked {
  const replaced = new Set(changes.map((change) => change.path))
  return { ...parked, changes: [...withoutPaths(parked, replaced).changes, ...changes] }
}
