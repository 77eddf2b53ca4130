import type { RequestOf, TaskRequest } from '../../shared/repository/task.ts'
import type { Signature } from '../../shared/tuf/signed.ts'
import type { TestKey } from '../support/keys.ts'
import { belongsTo, change, type Model, removeTargetsOf, type Situation } from './model-state.ts'
import { contentSigned, type HeldRole, type Holders, holderKeys, keysOf, type RoleOfWorld } from './world.ts'

/** What a model does about roles that only their holders sign. */

type DelegationRequest = RequestOf<'metadata_delegation'>

export const isHeld = (role: string): role is HeldRole => role === 'targets' || role === 'team' || role === 'vault'
export const isWaiting = (model: Model, role: string) => isHeld(role) && model.waiting.has(role)

/** Makes nothing of a request but drafts, for the holders of these roles to sign; false if one of them has another one. */
export function waitFor(
  model: Model,
  names: readonly HeldRole[],
  request: TaskRequest,
  { draftOf }: Pick<Situation, 'draftOf'>,
  changes: Waiting['changes'] = new Map(),
): boolean {
  if (names.some((role) => model.waiting.has(role))) return false
  const signedBy: ReadonlySet<string> = new Set()
  const holders = (role: HeldRole) => holdersOf(model, role, request).map(({ keyid }) => keyid)
  const roles = new Map(names.map((role) => [role, { holders: holders(role), content: draftOf(role), signedBy }]))
  for (const role of names) model.waiting.set(role, { request, changes, online: model.root.online, roles })
  return true
}

function holdersOf(model: Model, role: HeldRole, request: TaskRequest): readonly TestKey[] {
  if (role === 'vault') return holderKeys.slice(0, 1)
  if (role === 'team') return keysOf(newTeamKeys(request) ?? model.teamKeys)
  const { targets } = (model.founded ? undefined : model.pending) ?? model.root
  return targets === 'online' ? [] : keysOf(targets)
}

/** Who is to sign `team` once this is done; nothing if it leaves that as it is. */
function newTeamKeys(request: TaskRequest): Holders | undefined {
  if (request.kind !== 'metadata_delegation' || !('roles' in request)) return undefined
  const team = request.roles.find(({ name }) => name === 'team')
  return team && (team.keyids.length === 2 ? 'of two holders' : 'of three holders')
}

/** Whether what clients see of `team` is not signed by enough of those who are to sign it then. */
function lacksSignatures(model: Model, request: TaskRequest): boolean {
  const holders = newTeamKeys(request)
  const signedBy = model.signedBy.get('team')
  return holders !== undefined && keysOf(holders).filter(({ keyid }) => signedBy?.has(keyid)).length < 2
}

/** Has changes wait for the holders of `team`, with those that nobody has signed yet. */
export function waitForTeam(
  model: Model,
  changes: Waiting['changes'],
  request: TaskRequest,
  situation: Situation,
): boolean {
  const waiting = model.waiting.get('team')
  const isOpen = waiting === undefined || (waiting.changes.size > 0 && waiting.roles.get('team')?.signedBy.size === 0)
  if (!isOpen) return false
  stopWaiting(model, 'team')
  const all = new Map([...(waiting?.changes ?? []), ...changes])
  // What is taken back before it was signed is as if it had not been asked for.
  const isNothing = [...all].every(([path, info]) => info === undefined && !model.targets.has(path))
  if (isNothing) for (const path of all.keys()) model.parked.delete(path)
  return isNothing || waitFor(model, ['team'], request, situation, all)
}

/** Nothing waits for this role's holders any more, nor for those who were to sign with them. */
export function stopWaiting(model: Model, role: HeldRole): boolean {
  const waiting = model.waiting.get(role)
  for (const other of waiting?.roles.keys() ?? []) model.waiting.delete(other)
  return waiting !== undefined
}

export function changeDelegations(model: Model, request: DelegationRequest, situation: Situation): boolean {
  if (request.action === 'renew') return renew(model, request, situation)
  const name = nameIn(request)
  if (request.action !== 'delete' && isWaiting(model, name)) return false
  if (!canChange(model, request)) return false
  const isToSign = isHeld(name) && (request.action === 'add' || lacksSignatures(model, request))
  const waits: HeldRole[] = [
    ...(model.root.targets === 'online' ? [] : (['targets'] as const)),
    ...(isToSign ? [name] : []),
  ]
  if (waits.length > 0) return waitFor(model, waits, request, situation)
  applyChange(model, request)
  return true
}

const nameIn = (request: Exclude<DelegationRequest, { action: 'renew' }>) =>
  (request.action === 'delete' ? request.names : request.roles.map(({ name }) => name))[0] as string as RoleOfWorld

function canChange(model: Model, request: Exclude<DelegationRequest, { action: 'renew' }>): boolean {
  const name = nameIn(request)
  if (model.roles.has(name) !== (request.action !== 'add')) return false
  if (request.action !== 'add' || name !== 'team') return true
  // It is signed offline: no artifacts can move there. They can into the bins of `vault`, and into `shared`.
  const parked = [...model.parked.keys()].some((path) => belongsTo('team', path))
  const published = [...model.targets.keys()].some((path) => belongsTo('team', path))
  return !parked && (request.removeArtifacts || !published)
}

function applyChange(model: Model, request: Exclude<DelegationRequest, { action: 'renew' }>): void {
  const name = nameIn(request)
  model.teamKeys = newTeamKeys(request) ?? model.teamKeys
  if (request.action === 'update') return
  if (request.action === 'delete') {
    removeTargetsOf(model, name)
    model.roles.delete(name)
    if (isHeld(name)) stopWaiting(model, name)
    return
  }
  if (name === 'team') removeTargetsOf(model, name)
  if (name === 'vault') model.keyBelow.set('vault', model.root.online)
  model.roles.add(name)
  model.hasRoleBetween = model.areBinsSuccinct
}

/** Signed anew, as it is; or with the online key below it. */
function renew(model: Model, request: Extract<DelegationRequest, { action: 'renew' }>, situation: Situation): boolean {
  const [name] = request.names
  if (name === undefined) {
    const old = withOldKeys(model)
    return old.length > 0 && waitFor(model, old, request, situation)
  }
  const exists = name === 'targets' ? model.root.targets !== 'online' : model.roles.has(name as RoleOfWorld)
  return isHeld(name) && exists && waitFor(model, [name], request, situation)
}

/** Held roles that delegate to another online key than the one that counts now. */
function withOldKeys(model: Model): ('targets' | 'vault')[] {
  return (['targets', 'vault'] as const).filter((role) => {
    const exists = role === 'targets' ? model.root.targets !== 'online' : model.roles.has('vault')
    return exists && model.keyBelow.get(role) !== model.root.online
  })
}

/** One signature more; the last that was missing does what waited, as it would be done now. */
export function signHeld(model: Model, role: HeldRole, { keyid, sig }: Signature): boolean {
  const waiting = model.waiting.get(role)
  const draft = waiting?.roles.get(role)
  if (waiting === undefined || draft === undefined) return false
  const { holders, signedBy, content } = draft
  if (!holders.includes(keyid) || signedBy.has(keyid) || contentSigned.get(sig) !== content) return false
  const roles = new Map(waiting.roles).set(role, { ...draft, signedBy: new Set([...signedBy, keyid]) })
  const next = { ...waiting, roles }
  const isComplete = [...roles].every(([name, { signedBy }]) => signedBy.size >= thresholdOf(name))
  if (!isComplete || !model.founded) {
    for (const name of roles.keys()) model.waiting.set(name, next)
    return true
  }
  if (!isStillWanted(model, next)) return false
  stopWaiting(model, role)
  finish(model, next)
  for (const [name, { signedBy: all }] of roles) model.signedBy.set(name, all)
  return true
}

export const thresholdOf = (role: HeldRole) => (role === 'vault' ? 1 : 2)

/** What was drafted for an online key is of no use once that has changed. */
function isStillWanted(model: Model, { request, online, roles }: Waiting): boolean {
  if (request.kind !== 'metadata_delegation') return true
  if (request.action === 'renew') return request.names.length > 0 || online === model.root.online
  if (!canChange(model, request)) return false
  if (request.action === 'update' && !roles.has(nameIn(request) as HeldRole) && isWaiting(model, nameIn(request)))
    return false
  // Nobody has signed it for its next holders.
  if (request.action === 'update' && !roles.has('team') && lacksSignatures(model, request)) return false
  return !(request.action === 'add' && nameIn(request) === 'vault') || online === model.root.online
}

type Waiting = NonNullable<ReturnType<Model['waiting']['get']>>

function finish(model: Model, { request, changes, online, roles }: Waiting): void {
  if (request.kind === 'metadata_delegation' && request.action === 'renew') {
    if (request.names.length > 0) return
    for (const name of roles.keys()) if (name !== 'team') model.keyBelow.set(name, online)
  } else if (request.kind === 'metadata_delegation') {
    applyChange(model, request)
  } else {
    for (const [path, info] of changes) change(model, path, info, true)
  }
}
