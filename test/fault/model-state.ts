import type { TaskRequest } from '../../shared/repository/task.ts'
import type { TargetFile } from '../../shared/tuf/metadata.ts'
import type { PendingRoot } from './model-root.ts'
import type { HeldRole, Holders, RoleOfWorld, TargetsKeys } from './world.ts'

/**
 * What the tasks of a world come to, told in the plainest way: the yardstick for the service, with nothing of its code.
 */
export interface Model {
  founded: boolean
  readonly targets: Map<string, TargetFile>
  /** The targets as each commit left them. */
  readonly history: Map<number, ReadonlyMap<string, TargetFile>>
  /** In the order in which they were parked; nothing where the target is to go. */
  readonly parked: Map<string, TargetFile | undefined>
  /** The task that parked each of them. */
  readonly parkedBy: Map<string, string>
  bins: number
  /** How targets delegates to them; succinct bins cannot stand beside other roles. */
  areBinsSuccinct: boolean
  readonly expiration: Map<string, number>
  root: { readonly version: number; readonly online: string; readonly targets: TargetsKeys }
  pending: PendingRoot | undefined
  /** Online keys change: the old ones sign, too, unless they are in the wrong hands. */
  rotating: 'in grace' | 'compromised' | undefined
  /** The custom roles that are delegated to. */
  readonly roles: Set<RoleOfWorld>
  /** There has been a custom role: hash bins hang below a role in between, which the service signs. */
  hasRoleBetween: boolean
  /** The online key that signs what a held role delegates to. */
  readonly keyBelow: Map<'targets' | 'vault', string>
  /** Who signs `team`. */
  teamKeys: Holders
  /** The holders who have signed what clients see of a role. */
  readonly signedBy: Map<HeldRole, ReadonlySet<string>>
  readonly waiting: Map<HeldRole, Waiting>
}

/** A change that waits for the signatures of holders. */
export interface Waiting {
  readonly request: TaskRequest
  /** Of artifacts: what the tasks before it asked for, which had not been signed by anybody, and it. */
  readonly changes: ReadonlyMap<string, TargetFile | undefined>
  /** The online key then. */
  readonly online: string
  /** Each role that waits with it: what there is to sign, and who has. */
  readonly roles: ReadonlyMap<HeldRole, Draft>
}

interface Draft {
  readonly holders: readonly string[]
  /** The hash of what is to be signed. */
  readonly content: string | undefined
  readonly signedBy: ReadonlySet<string>
}

/** In which commit a task is done, and what was visible before. */
export interface Situation {
  readonly taskId: string
  readonly base: number
  /** The newest version of a custom role, also if it was uploaded by a task before it in this commit. */
  readonly versionOf: (role: string) => number
  /** What later tasks have changed already; nothing where it was not done ahead. */
  readonly later: ReadonlySet<string> | undefined
  /** The hash of what waits of a role after this commit. */
  readonly draftOf: (role: HeldRole) => string | undefined
}

export function emptyModel(): Model {
  return {
    founded: false,
    targets: new Map(),
    history: new Map(),
    parked: new Map(),
    parkedBy: new Map(),
    bins: 0,
    areBinsSuccinct: false,
    expiration: new Map(),
    root: { version: 0, online: '', targets: 'online' },
    pending: undefined,
    rotating: undefined,
    roles: new Set(),
    hasRoleBetween: false,
    keyBelow: new Map(),
    teamKeys: 'of three holders',
    signedBy: new Map(),
    waiting: new Map(),
  }
}

const folders: Readonly<Record<RoleOfWorld, string>> = { shared: 'c/', team: 't/', vault: 'v/' }
export const belongsTo = (role: RoleOfWorld, path: string) => path.startsWith(folders[role])

export function removeTargetsOf(model: Model, role: RoleOfWorld): void {
  for (const path of [...model.targets.keys()]) if (belongsTo(role, path)) model.targets.delete(path)
}

/** Published, or parked. */
export function change(model: Model, path: string, info: TargetFile | undefined, publish: boolean): void {
  model.parked.delete(path)
  if (!publish) model.parked.set(path, info)
  else if (info === undefined) model.targets.delete(path)
  else model.targets.set(path, info)
}
