import { isDeepStrictEqual } from 'node:util'
import type { FinalState, RequestOf, TaskKind, TaskRequest } from '../../shared/repository/task.ts'
import type { TargetFile } from '../../shared/tuf/metadata.ts'
import { isSignatureOf, type PendingRoot, readRoot } from './model-root.ts'
import { bulkFiles, type HeldRole, type RoleOfWorld, versionSigned } from './world.ts'

/**
 * What the tasks of a world come to, told in the plainest way: the yardstick for the service, with nothing of its code.
 * A kind of task that is missing here does not compile.
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
  readonly expiration: Map<string, number>
  root: { readonly version: number; readonly online: string }
  pending: PendingRoot | undefined
  /** Online keys change: the old ones sign, too, unless they are in the wrong hands. */
  rotating: 'in grace' | 'compromised' | undefined
  /** The custom roles that are delegated to. */
  readonly roles: Set<RoleOfWorld>
  /** What signs the hash bins inside `vault`. */
  keyInVault: string
  readonly waiting: Map<HeldRole, Waiting>
}

/** A change that waits for the signature of a holder: the task that asked for it, the commit that drafted it, the online key then. */
interface Waiting {
  readonly request: TaskRequest
  readonly taskId: string
  readonly commit: number
  readonly online: string
}

/** In which commit a task is done, and what was visible before. */
export interface Situation {
  readonly taskId: string
  readonly commit: number
  readonly base: number
  /** The newest version of a custom role, also if it was uploaded by a task before it in this commit. */
  readonly versionOf: (role: string) => number
  /** Of an import: what later tasks have changed already. */
  readonly later: ReadonlySet<string>
}

export function emptyModel(): Model {
  return {
    founded: false,
    targets: new Map(),
    history: new Map(),
    parked: new Map(),
    parkedBy: new Map(),
    bins: 0,
    expiration: new Map(),
    root: { version: 0, online: '' },
    pending: undefined,
    rotating: undefined,
    roles: new Set(),
    keyInVault: '',
    waiting: new Map(),
  }
}

/** Does a task in the model, or refuses it there; says how it has to end. */
export function perform(model: Model, request: TaskRequest, situation: Situation): FinalState {
  if (!model.founded && !['bootstrap', 'sign_metadata', 'delete_sign_metadata'].includes(request.kind)) return 'ERRORED'
  return effectOf(request)(model, request, situation) ? 'SUCCESS' : 'ERRORED'
}

type Effect<Request> = (model: Model, request: Request, situation: Situation) => boolean
const effectOf = ({ kind }: TaskRequest) => effects[kind] as Effect<TaskRequest>

const effects: { [Kind in TaskKind]: Effect<RequestOf<Kind>> } = {
  bootstrap(model, { root, expiration, delegations }) {
    if (model.founded || model.pending !== undefined) return false
    if ('number' in delegations) model.bins = delegations.number
    for (const [role, days] of Object.entries(expiration)) model.expiration.set(role, days)
    model.pending = { ...readRoot(root), compromised: false }
    adopt(model)
    return true
  },
  add_artifacts(model, request, situation) {
    const { artifacts, addTaskIdToCustom, publish } = request
    const custom = addTaskIdToCustom && { custom: { added_by_task_id: situation.taskId } }
    const changes = artifacts.map(({ path, info }): Change => [path, { ...info, ...custom }])
    return changeArtifacts(model, changes, { request, publish, situation })
  },
  remove_artifacts(model, request, situation) {
    const there = request.paths.filter((path) => model.targets.has(path) || model.parked.get(path) !== undefined)
    const changes = there.map((path): Change => [path, undefined])
    return changeArtifacts(model, changes, { request, publish: request.publish, situation })
  },
  publish_artifacts(model, request, situation) {
    return changeArtifacts(model, [...model.parked], { request, publish: true, situation })
  },
  import_artifacts(model, { bulk, addTaskIdToCustom }, { taskId, later }) {
    const custom = addTaskIdToCustom && { custom: { added_by_task_id: taskId } }
    const lines = Buffer.from(bulkFiles.get(bulk) ?? '')
      .toString()
      .trim()
      .split('\n')
    const changes = lines.map((line): Change => {
      const [path = '', length, , sha256 = ''] = line.split(';')
      return [path, { length: Number(length), hashes: { sha256 }, ...custom }]
    })
    if (model.roles.has('team') && changes.some(([path]) => belongsTo('team', path))) return false
    for (const [path, info] of changes) {
      if (later.has(path)) continue
      if ((model.parkedBy.get(path) ?? '') < taskId) model.parked.delete(path)
      model.targets.set(path, info as TargetFile)
    }
    return true
  },
  change_bins(model, { number }) {
    const differs = number !== model.bins
    model.bins = number
    return differs
  },
  update_settings(model, { expiration }) {
    for (const [role, days] of Object.entries(expiration)) model.expiration.set(role, days)
    return true
  },
  force_online_metadata_update: () => true,
  metadata_update(model, { root, compromised }) {
    const next = { ...readRoot(root), compromised }
    const changesKeys = next.online !== model.root.online
    if (model.pending !== undefined || next.version !== model.root.version + 1) return false
    if (model.rotating !== undefined && changesKeys) return false
    model.pending = next
    adopt(model)
    return true
  },
  sign_metadata(model, { role, signature }) {
    if (isHeld(role)) return signHeld(model, role, signature.sig)
    const { pending } = model
    if (pending === undefined || pending.signedBy.has(signature.keyid)) return false
    if (!isSignatureOf(pending, signature.sig)) return false
    model.pending = { ...pending, signedBy: new Set([...pending.signedBy, signature.keyid]) }
    adopt(model)
    return true
  },
  delete_sign_metadata(model, { role }) {
    if (isHeld(role)) return model.waiting.delete(role)
    if (model.pending === undefined) return false
    model.pending = undefined
    return true
  },
  metadata_delegation(model, request, { taskId, commit }) {
    if (request.action === 'renew') return renew(model, request, { taskId, commit })
    const names = request.action === 'delete' ? request.names : request.roles.map((role) => role.name)
    const name = names[0] as string as RoleOfWorld
    const known = model.roles.has(name)
    if (request.action === 'delete') {
      if (!known) return false
      removeTargetsOf(model, name)
      model.roles.delete(name)
      if (name !== 'shared') model.waiting.delete(name)
      return true
    }
    if (known !== (request.action === 'update') || isWaiting(model, name)) return false
    if (request.action === 'update') return true
    if (name === 'shared') {
      model.roles.add(name)
      return true
    }
    if (!canAdd(model, name, request.removeArtifacts)) return false
    return waitFor(model, name, request, { taskId, commit })
  },
  upload_delegated_metadata(model, { role, metadata }, { base, versionOf }) {
    const { signed } = metadata as unknown as { signed: { version: number; targets: Record<string, TargetFile> } }
    const name = role as string as RoleOfWorld
    if (!model.roles.has(name) || isWaiting(model, name)) return false
    if (signed.version <= versionOf(name) || signed.version > base) return false
    removeTargetsOf(model, name)
    for (const [path, info] of Object.entries(signed.targets)) model.targets.set(path, info)
    return true
  },
  revert(model, { commit }) {
    const then = model.history.get(commit)
    if (then === undefined) return false
    const paths = [...new Set([...then.keys(), ...model.targets.keys()])]
    const different = paths.filter((path) => !isDeepStrictEqual(then.get(path), model.targets.get(path)))
    if (model.roles.has('team') && different.some((path) => belongsTo('team', path))) return false
    for (const path of different) change(model, path, then.get(path), true)
    return true
  },
}

type Change = readonly [path: string, info: TargetFile | undefined]
const folders: Readonly<Record<RoleOfWorld, string>> = { shared: 'c/', team: 't/', vault: 'v/' }
const belongsTo = (role: RoleOfWorld, path: string) => path.startsWith(folders[role])
const isHeld = (role: string): role is HeldRole => role === 'team' || role === 'vault'
const isWaiting = (model: Model, role: string) => isHeld(role) && model.waiting.has(role)

function waitFor(
  model: Model,
  role: HeldRole,
  request: TaskRequest,
  { taskId, commit }: Pick<Situation, 'taskId' | 'commit'>,
): true {
  model.waiting.set(role, { request, taskId, commit, online: model.root.online })
  return true
}

/** Makes changes, parks them, or has them wait for the signature of `team`, which is to hold them alone. */
function changeArtifacts(
  model: Model,
  changes: readonly Change[],
  { request, publish, situation }: { request: TaskRequest; publish: boolean; situation: Situation },
): boolean {
  const forTeam = changes.filter(([path]) => model.roles.has('team') && belongsTo('team', path))
  if (forTeam.length > 0) {
    if (forTeam.length < changes.length || model.waiting.has('team') || !publish) return false
    return waitFor(model, 'team', request, situation)
  }
  for (const [path, info] of changes) {
    change(model, path, info, publish)
    if (!publish) model.parkedBy.set(path, situation.taskId)
  }
  return true
}

function change(model: Model, path: string, info: TargetFile | undefined, publish: boolean): void {
  model.parked.delete(path)
  if (!publish) model.parked.set(path, info)
  else if (info === undefined) model.targets.delete(path)
  else model.targets.set(path, info)
}

/** `team` is signed offline: no artifacts can move there. They can into the bins of `vault`. */
function canAdd(model: Model, role: HeldRole, removeArtifacts: boolean): boolean {
  if (role === 'vault') return !model.roles.has('vault')
  const parked = [...model.parked.keys()].some((path) => belongsTo('team', path))
  const published = [...model.targets.keys()].some((path) => belongsTo('team', path))
  return !parked && !model.roles.has('team') && (removeArtifacts || !published)
}

function removeTargetsOf(model: Model, role: RoleOfWorld): void {
  for (const path of [...model.targets.keys()]) if (belongsTo(role, path)) model.targets.delete(path)
}

/** Signed anew, as it is; or with the online key below it. */
function renew(
  model: Model,
  request: Extract<RequestOf<'metadata_delegation'>, { action: 'renew' }>,
  situation: Pick<Situation, 'taskId' | 'commit'>,
): boolean {
  const [name = 'vault'] = request.names as readonly string[]
  if (!isHeld(name) || !model.roles.has(name) || model.waiting.has(name)) return false
  if (request.names.length === 0 && model.keyInVault === model.root.online) return false
  return waitFor(model, name, request, situation)
}

/** Does what waited for this signature, as it would be done now. */
function signHeld(model: Model, role: HeldRole, sig: string): boolean {
  const waiting = model.waiting.get(role)
  if (waiting === undefined || versionSigned.get(sig) !== waiting.commit) return false
  const { request, online } = waiting
  if (request.kind === 'metadata_delegation' && request.action === 'renew') {
    if (request.names.length === 0) {
      if (online !== model.root.online || model.keyInVault === online) return false
      model.keyInVault = online
    }
  } else if (request.kind === 'metadata_delegation') {
    if (!canAdd(model, role, 'removeArtifacts' in request && request.removeArtifacts)) return false
    if (role === 'team') removeTargetsOf(model, 'team')
    else if (online !== model.root.online) return false
    else model.keyInVault = online
    model.roles.add(role)
  } else if (request.kind === 'add_artifacts') {
    const custom = request.addTaskIdToCustom && { custom: { added_by_task_id: waiting.taskId } }
    for (const { path, info } of request.artifacts) change(model, path, { ...info, ...custom }, true)
  } else if (request.kind === 'remove_artifacts') {
    for (const path of request.paths) change(model, path, undefined, true)
  }
  model.waiting.delete(role)
  return true
}

/** Both holders have signed: the root counts. */
function adopt(model: Model): void {
  const { pending, root } = model
  if (pending === undefined || pending.signedBy.size < 2) return
  if (model.founded && pending.online !== root.online) model.rotating = pending.compromised ? 'compromised' : 'in grace'
  model.root = { version: pending.version, online: pending.online }
  model.pending = undefined
  model.founded = true
}
