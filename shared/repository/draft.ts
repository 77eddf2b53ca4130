import { delegatedNames, rolesTrustedWith } from '../tuf/delegation.ts'
import type { Delegations, Root, TargetFile, Targets } from '../tuf/metadata.ts'
import { isTopLevel } from '../tuf/names.ts'
import type { Signed } from '../tuf/signed.ts'
import type { Current } from './current.ts'
import type { StateName, TargetChange } from './journal.ts'
import type { Parked } from './parked.ts'
import type { Rotation } from './rotation.ts'
import type { Settings } from './settings.ts'
import type { Signing } from './signing.ts'

/**
 * The next state of a repository while it is being made. Operations change it and nothing else; the commit signs what
 * changed and writes it down. It never changes what it was made from.
 */
export interface Draft {
  root: Signed<Root>
  settings: Settings
  parked: Parked
  signing: Signing
  rotation: Rotation
  /** The roles that this draft knows the content of: `targets`, and each delegated role that an operation asked for. */
  readonly roles: Map<string, Targets>
  /** Those of `roles` that are to be signed again, changed or not. */
  readonly toSign: Set<string>
  /** True where a new snapshot is asked for although no role below it is signed. */
  signSnapshot: boolean
  /** Private state that this draft decides anew. */
  readonly decides: Set<StateName>
  /** By path: old and new value, against what the draft was made from. */
  readonly changes: Map<string, TargetChange>
  /** The targets of roles in `roles` that are this draft's own to write to. */
  readonly copies: Map<string, Map<string, TargetFile>>
}

export function draftFrom(current: Current): Draft {
  return {
    root: current.root,
    settings: current.settings,
    parked: current.parked,
    signing: current.signing,
    rotation: current.rotation,
    roles: new Map([['targets', current.targets.signed]]),
    toSign: new Set(),
    signSnapshot: false,
    decides: new Set(),
    changes: new Map(),
    copies: new Map(),
  }
}

/** The roles below targets, in the order in which clients ask them. */
export function delegatedRoles(draft: Draft): string[] {
  const delegations = roleOf(draft, 'targets').delegations
  return delegations === undefined ? [] : delegatedNames(delegations)
}

/** The first role that is trusted with this path: the one that its target goes into. Nothing if there is none. */
export function roleFor(draft: Draft, path: string): string | undefined {
  const delegations = roleOf(draft, 'targets').delegations
  return delegations === undefined ? undefined : rolesTrustedWith(path, delegations)[0]?.name
}

/** The content of a role that was loaded before the operation was applied. */
export function roleOf(draft: Draft, role: string): Targets {
  const content = draft.roles.get(role)
  if (content === undefined) throw new Error(`Role ${role} was not loaded into the draft.`)
  return content
}

/** Adds, replaces or (without `after`) removes a target. */
export function setTarget(draft: Draft, role: string, path: string, after: TargetFile | undefined): void {
  const targets = copyOfTargets(draft, role)
  const earlier = draft.changes.get(path)
  const before = earlier === undefined ? targets.get(path) : earlier.before
  if (after === undefined) targets.delete(path)
  else targets.set(path, after)
  draft.changes.set(path, { role, path, ...(before && { before }), ...(after && { after }) })
  draft.toSign.add(role)
}

function copyOfTargets(draft: Draft, role: string): Map<string, TargetFile> {
  const known = draft.copies.get(role)
  if (known !== undefined) return known
  const content = roleOf(draft, role)
  const targets = new Map(content.targets)
  draft.roles.set(role, { ...content, targets })
  draft.copies.set(role, targets)
  return targets
}

export function setSettings(draft: Draft, settings: Settings): void {
  draft.settings = settings
  draft.decides.add('settings')
}

export function setParked(draft: Draft, parked: Parked): void {
  if (parked === draft.parked) return
  draft.parked = parked
  draft.decides.add('parked')
}

export function setSigning(draft: Draft, signing: Signing): void {
  if (Object.keys(signing.roles).length === 0 && Object.keys(draft.signing.roles).length === 0) return
  draft.signing = signing
  draft.decides.add('signing')
}

export function setRotation(draft: Draft, rotation: Rotation): void {
  draft.rotation = rotation
  draft.decides.add('rotation')
}

/** The next root. One commit brings out one root at most: throws NextCommit if this one has another already. */
export function setRoot(draft: Draft, root: Signed<Root>): void {
  if (draft.decides.has('root')) throw new NextCommit('A commit brings out one root at most.')
  draft.root = root
  draft.decides.add('root')
}

/** What an operation throws, before it has changed anything, if it can be done on top of this draft's commit only. */
export class NextCommit extends Error {
  override readonly name = 'NextCommit'
}

export function setDelegations(draft: Draft, delegations: Delegations): void {
  draft.roles.set('targets', { ...roleOf(draft, 'targets'), delegations })
  draft.toSign.add('targets')
}

/** Has roles signed again as they are: `snapshot` and `timestamp` too. */
export function signAgain(draft: Draft, role: string): void {
  if (role === 'snapshot') draft.signSnapshot = true
  else if (!isTopLevel(role) || role === 'targets') draft.toSign.add(role)
}
