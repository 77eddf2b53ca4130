import { isHiddenFromSome, rolesTrustedWith } from '../tuf/delegation.ts'
import { EditedMap } from '../tuf/edited-map.ts'
import type { Delegations, MetaFile, Root, TargetFile, Targets } from '../tuf/metadata.ts'
import { isTopLevel } from '../tuf/names.ts'
import type { Signed } from '../tuf/signed.ts'
import { isSameTarget } from './artifact-rules.ts'
import type { Current } from './current.ts'
import type { Entry, Imported, Listed, StateName, TargetChange } from './journal.ts'
import type { Parked } from './parked.ts'
import { copyOfSizes, noSizes, type RoleSizes, resizeAsWhole, resizeByTarget } from './role-sizes.ts'
import type { Rotation } from './rotation.ts'
import type { Settings } from './settings.ts'
import type { Signing } from './signing.ts'
import { rolesBelow, type Tree, treeOf } from './tree.ts'

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
  /** What the snapshot that this draft was made from names: no role ever leaves it (specification, section 5.5.5). */
  readonly inSnapshot: ReadonlyMap<string, MetaFile>
  /** What clients see now of the roles that were loaded. */
  readonly published: Map<string, Signed<Targets>>
  /** The roles that this draft knows the content of: those that delegate, and each other one that an operation asked for. */
  readonly roles: Map<string, Targets>
  /** Those of `roles` that are to be signed again, changed or not. */
  readonly toSign: Set<string>
  /** Roles that were signed elsewhere: their files are written as they are, under the versions that they have. */
  readonly signed: Map<string, Signed<Targets>>
  /** Roles that were signed ahead of the commit, by the number under which their files lie there. */
  readonly takenOver: Map<string, number>
  /** See `Entry`. */
  prepared?: NonNullable<Entry['prepared']>
  imported?: Imported
  listed?: Listed
  /** Roles whose metadata begins to wait for signatures; its version will be the number of this draft's commit. */
  readonly waiting: Set<string>
  /** True where a new snapshot is asked for although no role below it is signed. */
  signSnapshot: boolean
  /** Private state that this draft decides anew. */
  readonly decides: Set<StateName>
  /** By path: old and new value, against what the draft was made from. */
  readonly changes: Map<string, TargetChange>
  /** The targets of roles in `roles` that are this draft's own to write to. */
  readonly copies: Map<string, EditedMap<TargetFile>>
  readonly sizes: RoleSizes
}

export function draftFrom({ root, settings, parked, signing, rotation, snapshot, delegators }: Current): Draft {
  const inSnapshot = snapshot.signed.meta
  const draft = newDraft({ root, settings, parked, signing, rotation, inSnapshot })
  for (const [role, published] of delegators) provide(draft, role, published)
  return draft
}

/** A draft that knows no role yet, and has decided nothing. */
export function newDraft(
  from: Pick<Draft, 'root' | 'settings' | 'parked' | 'signing' | 'rotation' | 'inSnapshot'>,
): Draft {
  return {
    ...from,
    published: new Map(),
    roles: new Map(),
    toSign: new Set(),
    signed: new Map(),
    takenOver: new Map(),
    waiting: new Set(),
    signSnapshot: false,
    decides: new Set(),
    changes: new Map(),
    copies: new Map(),
    sizes: noSizes(),
  }
}

/** A role that was read is known to the draft as it is published, unless the draft has changed it already. */
export function provide(draft: Draft, role: string, published: Signed<Targets>): void {
  draft.published.set(role, published)
  if (!draft.roles.has(role)) draft.roles.set(role, published.signed)
}

/**
 * A copy to work on, whose changes count only once it is adopted: an operation that may still refuse, half done, leaves
 * nothing behind.
 */
export function trialOf(draft: Draft): Draft {
  return {
    ...draft,
    published: new Map(draft.published),
    roles: new Map(draft.roles),
    toSign: new Set(draft.toSign),
    signed: new Map(draft.signed),
    takenOver: new Map(draft.takenOver),
    waiting: new Set(draft.waiting),
    decides: new Set(draft.decides),
    changes: new Map(draft.changes),
    copies: new Map(),
    sizes: copyOfSizes(draft.sizes),
  }
}

export function adoptTrial(draft: Draft, trial: Draft): void {
  Object.assign(draft, trial)
}

export function treeOfDraft(draft: Draft): Tree {
  return treeOf(draft.root.signed, draft.settings, (role) => draft.roles.get(role))
}

/** The roles below targets, in the order in which clients ask them. */
export function delegatedRoles(draft: Draft): string[] {
  return rolesBelow(treeOfDraft(draft))
}

/**
 * The first role that is trusted with this path, by every client: the one that its target goes into. Where a role delegates
 * itself, one of those below it. Nothing if there is none.
 */
export function roleFor(draft: Draft, path: string, from = 'targets'): string | undefined {
  const { delegations } = roleOf(draft, from)
  const [role] = delegations === undefined ? [] : rolesTrustedWith(path, delegations)
  if (role === undefined || isHiddenFromSome(path, role)) return undefined
  return draft.roles.get(role.name)?.delegations === undefined ? role.name : roleFor(draft, path, role.name)
}

/** The content of a role that was loaded before the operation was applied. */
export function roleOf(draft: Draft, role: string): Targets {
  const content = draft.roles.get(role)
  if (content === undefined) throw new Error(`Role ${role} was not loaded into the draft.`)
  return content
}

/** Has this role signed by the commit; what was signed elsewhere of it is only a part of what it says then. */
export function sign(draft: Draft, role: string): void {
  draft.signed.delete(role)
  draft.toSign.add(role)
}

/** Has the commit write this role as it was signed elsewhere, whatever the draft said of it. */
export function setSignedElsewhere(draft: Draft, role: string, metadata: Signed<Targets>): void {
  draft.toSign.delete(role)
  draft.signed.set(role, metadata)
  draft.roles.set(role, metadata.signed)
  draft.copies.delete(role)
}

/** Adds, replaces or (without `after`) removes a target. */
export function setTarget(draft: Draft, role: string, path: string, after: TargetFile | undefined): void {
  const targets = copyOfTargets(draft, role)
  const before = targets.get(path)
  noteChange(draft, role, path, before, after)
  resizeByTarget(draft.sizes, role, draft.published.get(role)?.bytes.length, path, { before, after })
  if (after === undefined) targets.delete(path)
  else targets.set(path, after)
  sign(draft, role)
}

/** Notes how the targets of a role change that come, or go, as a whole. */
export function noteChanges(draft: Draft, role: string, next: Targets['targets']): void {
  const old = roleOf(draft, role).targets
  for (const path of new Set([...old.keys(), ...next.keys()])) {
    const [before, after] = [old.get(path), next.get(path)]
    if (!isSameTarget(before, after)) noteChange(draft, role, path, before, after)
  }
}

/** `before` is what the draft said, which may be a change already; what came and went within the draft is none. */
function noteChange(draft: Draft, role: string, path: string, before: TargetFile | undefined, after?: TargetFile) {
  const earlier = draft.changes.get(path)
  const first = earlier === undefined ? before : earlier.before
  if (first === undefined && after === undefined) draft.changes.delete(path)
  else draft.changes.set(path, { role, path, ...(first && { before: first }), ...(after && { after }) })
}

/** A role whose content has nothing to do with what was known under its name. */
export function setRole(draft: Draft, role: string, content: Targets): void {
  draft.roles.set(role, content)
  draft.copies.delete(role)
  resizeAsWhole(draft.sizes, role)
  sign(draft, role)
}

function copyOfTargets(draft: Draft, role: string): EditedMap<TargetFile> {
  const known = draft.copies.get(role)
  if (known !== undefined) return known
  const content = roleOf(draft, role)
  const targets = new EditedMap(content.targets)
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

export function setDelegations(draft: Draft, role: string, delegations: Delegations): void {
  draft.roles.set(role, { ...roleOf(draft, role), delegations })
  resizeAsWhole(draft.sizes, role)
  sign(draft, role)
}

/** Has roles signed again as they are: `snapshot` and `timestamp` too. */
export function signAgain(draft: Draft, role: string): void {
  if (role === 'snapshot') draft.signSnapshot = true
  else if (!isTopLevel(role) || role === 'targets') sign(draft, role)
}
