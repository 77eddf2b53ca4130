import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { FinalState, RequestOf, TaskKind, TaskRequest } from '../../shared/repository/task.ts'
import type { Json, JsonObject } from '../../shared/tuf/json.ts'
import type { TargetFile } from '../../shared/tuf/metadata.ts'
import { make, onlineKeys, type RoleOfWorld, versionSigned } from './world.ts'

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
  readonly expiration: Map<string, number>
  root: { readonly version: number; readonly online: string }
  pending: PendingRoot | undefined
  /** Old online keys sign, too. */
  rotating: boolean
  /** The custom roles that are delegated to. */
  readonly roles: Set<RoleOfWorld>
  /** What waits for the signature of `team`, asked for by this task and drafted by this commit. */
  waiting: { readonly request: TaskRequest; readonly taskId: string; readonly commit: number } | undefined
}

/** In which commit a task is done, and what was visible before. */
export interface Situation {
  readonly taskId: string
  readonly commit: number
  readonly base: number
  /** The newest version of a custom role, also if it was uploaded by a task before it in this commit. */
  readonly versionOf: (role: string) => number
}

interface PendingRoot {
  readonly version: number
  readonly online: string
  readonly signedBy: ReadonlySet<string>
}

export function emptyModel(): Model {
  return {
    founded: false,
    targets: new Map(),
    history: new Map(),
    parked: new Map(),
    expiration: new Map(),
    root: { version: 0, online: '' },
    pending: undefined,
    rotating: false,
    roles: new Set(),
    waiting: undefined,
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
  bootstrap(model, { root, expiration }) {
    if (model.founded || model.pending !== undefined) return false
    for (const [role, days] of Object.entries(expiration)) model.expiration.set(role, days)
    model.pending = readRoot(root)
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
  update_settings(model, { expiration }) {
    for (const [role, days] of Object.entries(expiration)) model.expiration.set(role, days)
    return true
  },
  force_online_metadata_update: () => true,
  metadata_update(model, { root }) {
    const next = readRoot(root)
    const changesKeys = next.online !== model.root.online
    if (model.pending !== undefined || next.version !== model.root.version + 1) return false
    if (model.rotating && changesKeys) return false
    model.pending = next
    adopt(model)
    return true
  },
  sign_metadata(model, { role, signature }) {
    if (role === 'team') return signTeam(model, signature.sig)
    const { pending } = model
    if (pending === undefined || pending.signedBy.has(signature.keyid)) return false
    if (!isSignatureOf(pending, signature.sig)) return false
    model.pending = { ...pending, signedBy: new Set([...pending.signedBy, signature.keyid]) }
    adopt(model)
    return true
  },
  delete_sign_metadata(model, { role }) {
    if (role === 'team') {
      const waited = model.waiting !== undefined
      model.waiting = undefined
      return waited
    }
    if (model.pending === undefined) return false
    model.pending = undefined
    return true
  },
  metadata_delegation(model, request, { taskId, commit }) {
    if (request.action === 'renew') return false
    const names = request.action === 'delete' ? request.names : request.roles.map((role) => role.name)
    const name = names[0] as string as RoleOfWorld
    const known = model.roles.has(name)
    if (request.action === 'delete') {
      if (!known) return false
      removeTargetsOf(model, name)
      model.roles.delete(name)
      if (name === 'team') model.waiting = undefined
      return true
    }
    if (known !== (request.action === 'update') || (name === 'team' && model.waiting !== undefined)) return false
    if (request.action === 'update') return true
    if (name === 'shared') {
      model.roles.add(name)
      return true
    }
    if (!canAddTeam(model, request.removeArtifacts)) return false
    model.waiting = { request, taskId, commit }
    return true
  },
  upload_delegated_metadata(model, { role, metadata }, { base, versionOf }) {
    const { signed } = metadata as unknown as { signed: { version: number; targets: Record<string, TargetFile> } }
    const name = role as string as RoleOfWorld
    if (!model.roles.has(name) || (name === 'team' && model.waiting !== undefined)) return false
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
const belongsTo = (role: RoleOfWorld, path: string) => path.startsWith(role === 'team' ? 't/' : 'c/')

/** Makes changes, parks them, or has them wait for the signature of `team`, which is to hold them alone. */
function changeArtifacts(
  model: Model,
  changes: readonly Change[],
  { request, publish, situation }: { request: TaskRequest; publish: boolean; situation: Situation },
): boolean {
  const forTeam = changes.filter(([path]) => model.roles.has('team') && belongsTo('team', path))
  if (forTeam.length > 0) {
    if (forTeam.length < changes.length || model.waiting !== undefined || !publish) return false
    model.waiting = { request, taskId: situation.taskId, commit: situation.commit }
    return true
  }
  for (const [path, info] of changes) change(model, path, info, publish)
  return true
}

function change(model: Model, path: string, info: TargetFile | undefined, publish: boolean): void {
  model.parked.delete(path)
  if (!publish) model.parked.set(path, info)
  else if (info === undefined) model.targets.delete(path)
  else model.targets.set(path, info)
}

/** `team` is signed offline: no artifacts can move there. */
function canAddTeam(model: Model, removeArtifacts: boolean): boolean {
  const parked = [...model.parked.keys()].some((path) => belongsTo('team', path))
  const published = [...model.targets.keys()].some((path) => belongsTo('team', path))
  return !parked && !model.roles.has('team') && (removeArtifacts || !published)
}

function removeTargetsOf(model: Model, role: RoleOfWorld): void {
  for (const path of [...model.targets.keys()]) if (belongsTo(role, path)) model.targets.delete(path)
}

/** Does what waited for this signature, as it would be done now. */
function signTeam(model: Model, sig: string): boolean {
  const { waiting } = model
  if (waiting === undefined || versionSigned.get(sig) !== waiting.commit) return false
  const { request } = waiting
  if (request.kind === 'metadata_delegation') {
    if (!canAddTeam(model, 'removeArtifacts' in request && request.removeArtifacts)) return false
    removeTargetsOf(model, 'team')
    model.roles.add('team')
  } else if (request.kind === 'add_artifacts') {
    const custom = request.addTaskIdToCustom && { custom: { added_by_task_id: waiting.taskId } }
    for (const { path, info } of request.artifacts) change(model, path, { ...info, ...custom }, true)
  } else if (request.kind === 'remove_artifacts') {
    for (const path of request.paths) change(model, path, undefined, true)
  }
  model.waiting = undefined
  return true
}

/** Both holders have signed: the root counts. */
function adopt(model: Model): void {
  const { pending, root } = model
  if (pending === undefined || pending.signedBy.size < 2) return
  model.rotating ||= model.founded && pending.online !== root.online
  model.root = { version: pending.version, online: pending.online }
  model.pending = undefined
  model.founded = true
}

/** A signature is for one root; somebody may have made it for another one. */
function isSignatureOf({ version, online }: PendingRoot, sig: string): boolean {
  const index = onlineKeys.findIndex(({ keyid }) => keyid === online) === 0 ? 0 : 1
  return ([0, 1] as const).some((by) => make.signature(by, { version, online: index }).signature.sig === sig)
}

function readRoot(json: Json): PendingRoot {
  const { signed, signatures } = json as { signed: JsonObject; signatures: { keyid: string }[] }
  const online = onlineKeys.find(({ keyid }) =>
    JSON.stringify((signed['roles'] as JsonObject)['targets']).includes(keyid),
  )
  assert.ok(online, 'a root of this world names one of its online keys')
  return {
    version: signed['version'] as number,
    online: online.keyid,
    signedBy: new Set(signatures.map(({ keyid }) => keyid)),
  }
}
