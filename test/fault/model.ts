import { isDeepStrictEqual } from 'node:util'
import type { FinalState, RequestOf, TaskKind, TaskRequest } from '../../shared/repository/task.ts'
import type { TargetFile } from '../../shared/tuf/metadata.ts'
import {
  changeDelegations,
  isHeld,
  isWaiting,
  signHeld,
  stopWaiting,
  thresholdOf,
  waitFor,
  waitForTeam,
} from './model-held.ts'
import { isSignatureOf, type PendingRoot, readRoot } from './model-root.ts'
import { belongsTo, change, type Model, removeTargetsOf, type Situation } from './model-state.ts'
import { bulkFiles, keysOf, type RoleOfWorld, rolesOfWorld } from './world.ts'

/** Does a task in the model, or refuses it there; says how it has to end. A kind of task that is missing here does not compile. */
export function perform(model: Model, request: TaskRequest, situation: Situation): FinalState {
  if (!model.founded && !['bootstrap', 'sign_metadata', 'delete_sign_metadata'].includes(request.kind)) return 'ERRORED'
  return effectOf(request)(model, request, situation) ? 'SUCCESS' : 'ERRORED'
}

type Effect<Request> = (model: Model, request: Request, situation: Situation) => boolean
const effectOf = ({ kind }: TaskRequest) => effects[kind] as Effect<TaskRequest>

const effects: { [Kind in TaskKind]: Effect<RequestOf<Kind>> } = {
  bootstrap(model, request, situation) {
    const { root, expiration, delegations } = request
    if (model.founded || model.pending !== undefined) return false
    if ('number' in delegations) model.bins = delegations.number
    model.areBinsSuccinct = 'number' in delegations && delegations.delegation === 'succinct_roles'
    for (const [role, days] of Object.entries(expiration)) model.expiration.set(role, days)
    model.pending = { ...readRoot(root), compromised: false }
    if (model.pending.targets !== 'online') waitFor(model, ['targets'], request, situation)
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
    const waiting = model.waiting.get('team')?.changes
    const there = request.paths.filter((path) =>
      [model.targets, model.parked, waiting].some((known) => known?.get(path) !== undefined),
    )
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
      if (later?.has(path)) continue
      if ((model.parkedBy.get(path) ?? '') < taskId) model.parked.delete(path)
      model.targets.set(path, info as TargetFile)
    }
    return true
  },
  change_bins(model, { number }) {
    // Targets that is signed offline cannot be changed, only the role in between.
    const differs = number !== model.bins && (model.root.targets === 'online' || model.hasRoleBetween)
    if (differs) model.bins = number
    return differs
  },
  update_settings(model, { expiration }) {
    for (const [role, days] of Object.entries(expiration)) model.expiration.set(role, days)
    return true
  },
  force_online_metadata_update: () => true,
  metadata_update(model, { root, compromised }) {
    const next = { ...readRoot(root), compromised }
    if (model.pending !== undefined || next.version !== model.root.version + 1) return false
    if (model.rotating !== undefined && changesKeys(model, next)) return false
    if (!keepsTargetsSigned(model, next)) return false
    model.pending = next
    adopt(model)
    return true
  },
  sign_metadata(model, { role, signature }) {
    if (isHeld(role)) {
      const done = signHeld(model, role, signature)
      if (!model.founded) adopt(model)
      return done
    }
    const { pending } = model
    if (pending === undefined || pending.signedBy.has(signature.keyid)) return false
    if (model.founded && !keepsTargetsSigned(model, pending)) return false
    if (!isSignatureOf(pending, signature.sig)) return false
    model.pending = { ...pending, signedBy: new Set([...pending.signedBy, signature.keyid]) }
    adopt(model)
    return true
  },
  delete_sign_metadata(model, { role }) {
    if (isHeld(role)) return model.founded && stopWaiting(model, role)
    if (model.pending === undefined) return false
    model.pending = undefined
    if (!model.founded) stopWaiting(model, 'targets')
    return true
  },
  metadata_delegation: changeDelegations,
  upload_delegated_metadata(model, { role, metadata }, { base, versionOf }) {
    const { signed, signatures } = metadata as unknown as Uploaded
    const name = role as string as RoleOfWorld
    const { threshold } = rolesOfWorld[name]
    const keyids = name === 'team' ? keysOf(model.teamKeys).map(({ keyid }) => keyid) : rolesOfWorld[name].keyids
    if (signatures.filter(({ keyid }) => keyids.includes(keyid)).length < threshold) return false
    if (!model.roles.has(name) || isWaiting(model, name)) return false
    if (signed.version <= versionOf(name) || signed.version > base) return false
    removeTargetsOf(model, name)
    for (const [path, info] of Object.entries(signed.targets)) model.targets.set(path, info)
    if (isHeld(name)) model.signedBy.set(name, new Set(signatures.map(({ keyid }) => keyid)))
    return true
  },
  revert(model, { commit }, { taskId, later }) {
    const then = model.history.get(commit)
    if (then === undefined) return false
    const paths = [...new Set([...then.keys(), ...model.targets.keys()])].filter((path) => !later?.has(path))
    const different = paths.filter((path) => !isDeepStrictEqual(then.get(path), model.targets.get(path)))
    if (model.roles.has('team') && different.some((path) => belongsTo('team', path))) return false
    for (const path of different) {
      const parked = model.parked.get(path)
      const staysParked = later !== undefined && model.parked.has(path) && (model.parkedBy.get(path) ?? '') > taskId
      change(model, path, then.get(path), true)
      if (staysParked) model.parked.set(path, parked)
    }
    return true
  },
}

interface Uploaded {
  readonly signed: { readonly version: number; readonly targets: Record<string, TargetFile> }
  readonly signatures: readonly { readonly keyid: string }[]
}

type Change = readonly [path: string, info: TargetFile | undefined]

/** Makes changes, parks them, or has them wait for the signature of `team`, which is to hold them alone. */
function changeArtifacts(
  model: Model,
  changes: readonly Change[],
  { request, publish, situation }: { request: TaskRequest; publish: boolean; situation: Situation },
): boolean {
  const forTeam = changes.filter(([path]) => model.roles.has('team') && belongsTo('team', path))
  if (forTeam.length > 0) {
    if (forTeam.length < changes.length || !publish) return false
    return waitForTeam(model, new Map(changes), request, situation)
  }
  for (const [path, info] of changes) {
    change(model, path, info, publish)
    if (!publish) model.parkedBy.set(path, situation.taskId)
  }
  return true
}

const changesKeys = ({ root }: Model, next: PendingRoot) => next.online !== root.online || next.targets !== root.targets

/** Nobody here can sign targets for other holders: the signatures that it has must do. */
function keepsTargetsSigned({ root, waiting, signedBy }: Model, next: PendingRoot): boolean {
  if (next.targets === root.targets) return true
  // Holders whose keys are lost or stolen need not sign any more.
  if (next.targets === 'online') return next.compromised
  if (waiting.has('targets')) return false
  return keysOf(next.targets).filter(({ keyid }) => signedBy.get('targets')?.has(keyid)).length >= 2
}

/** Both holders of the root have signed, and of the first targets enough: the root counts. */
function adopt(model: Model): void {
  const { pending } = model
  if (pending === undefined || pending.signedBy.size < 2) return
  if (!model.founded && pending.targets !== 'online') {
    const signedBy = model.waiting.get('targets')?.roles.get('targets')?.signedBy ?? new Set()
    if (signedBy.size < thresholdOf('targets')) return
    model.signedBy.set('targets', signedBy)
    model.keyBelow.set('targets', pending.online)
    stopWaiting(model, 'targets')
  }
  if (model.founded && pending.targets !== model.root.targets) stopWaiting(model, 'targets')
  if (model.founded && changesKeys(model, pending)) model.rotating = pending.compromised ? 'compromised' : 'in grace'
  model.root = { version: pending.version, online: pending.online, targets: pending.targets }
  model.pending = undefined
  model.founded = true
}
