import { binNames, delegateBins, hashBins } from '../../tuf/bins.ts'
import { everyPath } from '../../tuf/delegation.ts'
import { formatExpires } from '../../tuf/expiry.ts'
import type { Key } from '../../tuf/keys.ts'
import { type DelegatedRole, type Delegations, type RoleKeys, specVersion, type Targets } from '../../tuf/metadata.ts'
import {
  type Draft,
  noteChanges,
  roleOf,
  setDelegations,
  setRole,
  setSettings,
  setSigning,
  sign,
  treeOfDraft,
} from '../draft.ts'
import type { Signer } from '../ports.ts'
import {
  type Delegator,
  delegatorsOf,
  innerBinsPrefix,
  intermediateRole,
  isReservedName,
  withExpiration,
} from '../settings.ts'
import { isComplete, type SigningGroup, withoutPending } from '../signing.ts'
import type { CustomRole } from '../task.ts'
import { canSign, onlineGroup, signedBelow, signersOf, type Tree } from '../tree.ts'
import type { OperationContext } from './operation.ts'

/** What a draft's targets delegates to, changed by one role. Nothing here refuses: see `delegation-rules.ts`. */

/** Segments that a path may have to be found in succinct hash bins beside custom roles. */
const deepestPath = 32

export function emptyTargets(): Targets {
  const expires = formatExpires(new Date(0))
  return { _type: 'targets', spec_version: specVersion, version: 1, expires, targets: new Map() }
}

export function addRole(draft: Draft, role: CustomRole, keys: ReadonlyMap<string, Key>, signers: readonly Signer[]) {
  makeRoomForRoles(draft)
  placeRole(draft, role, keys, signers)
  const online = onlineGroup(draft.root.signed, signers)
  const empty = emptyTargets()
  if (role.expiration !== undefined) {
    const expiration = { ...draft.settings.expiration, [role.name]: role.expiration }
    setSettings(draft, { ...draft.settings, expiration })
  }
  if (role.bins === undefined) {
    setRole(draft, role.name, empty)
    return
  }
  const bins = hashBins(role.bins.delegation, role.bins.number, innerBinsPrefix(role.name))
  const delegations = { keys: online.keys, ...delegateBins(bins, online.roleKeys) }
  setRole(draft, role.name, { ...empty, delegations: withUsedKeys(delegations) })
  for (const bin of binNames(bins)) setRole(draft, bin, empty)
  addDelegator(draft, { role: role.name, bins })
}

/**
 * Changes how a role is delegated to; it is signed anew unless it is its holders' and the signatures that it has are what is asked
 * for now. What the service can sign it does: a file that was signed elsewhere has its own version and its own expiry.
 */
export function updateRole(
  draft: Draft,
  role: CustomRole,
  keys: ReadonlyMap<string, Key>,
  { signers, baseNumber }: Pick<OperationContext, 'signers' | 'baseNumber'>,
): void {
  const delegated = placeRole(draft, role, keys, signers)
  if (role.expiration !== undefined && role.expiration !== draft.settings.expiration[role.name])
    setSettings(draft, withExpiration(draft.settings, { [role.name]: role.expiration }, baseNumber))
  const signed = draft.signed.get(role.name) ?? draft.published.get(role.name)
  const group = { roleKeys: delegated, keys: roleOf(draft, 'targets').delegations?.keys ?? new Map() }
  const unchanged = signed !== undefined && signed.signed === draft.roles.get(role.name)
  if (canSign(group, signers) || !unchanged || !isComplete(signed, [group])) sign(draft, role.name)
}

/** Takes a role out. The snapshot goes on naming its last version, and that of each hash bin inside it. */
export function removeRole(draft: Draft, name: string): void {
  const { delegations } = roleOf(draft, 'targets')
  if (delegations === undefined) return
  const roles = (delegations.roles ?? []).filter((role) => role.name !== name)
  setDelegations(draft, 'targets', withUsedKeys({ ...delegations, roles }))
  const { delegators = [] } = draft.settings
  const bins = delegators.find(({ role }) => role === name)?.bins
  for (const gone of [name, ...(bins === undefined ? [] : binNames(bins))]) {
    noteChanges(draft, gone, new Map())
    draft.toSign.delete(gone)
    draft.signed.delete(gone)
  }
  // A role of this name that is added one day is another one.
  const { [name]: days, ...expiration } = draft.settings.expiration
  if (days !== undefined) setSettings(draft, { ...draft.settings, expiration })
  if (bins !== undefined)
    setSettings(draft, { ...draft.settings, delegators: delegators.filter(({ role }) => role !== name) })
  setSigning(draft, withoutPending(draft.signing, name))
}

/** Succinct bins stand alone in a role's delegations: they move into a role in between, which is asked after all others. */
function makeRoomForRoles(draft: Draft): void {
  const { delegations } = roleOf(draft, 'targets')
  const succinct = delegations?.succinct_roles
  if (delegations === undefined || succinct === undefined) return
  const { succinct_roles: _, ...rest } = delegations
  const { keyids, threshold } = succinct
  const between = { name: intermediateRole, keyids, threshold, terminating: false, paths: everyPath(deepestPath) }
  setDelegations(draft, 'targets', { ...rest, roles: [between] })
  setRole(draft, intermediateRole, { ...emptyTargets(), delegations })
  addDelegator(draft, { role: intermediateRole })
}

function addDelegator(draft: Draft, delegator: Delegator): void {
  setSettings(draft, { ...draft.settings, delegators: [...(draft.settings.delegators ?? []), delegator] })
}

/** Delegates to the role at its place among the custom roles, which all come before hash bins. */
function placeRole(
  draft: Draft,
  role: CustomRole,
  keys: ReadonlyMap<string, Key>,
  signers: readonly Signer[],
): DelegatedRole {
  const { name, terminating, paths, before = [] } = role
  const online = onlineGroup(draft.root.signed, signers)
  const { keyids, threshold } =
    role.keyids.length > 0
      ? role
      : { keyids: online.roleKeys.keyids, threshold: Math.max(role.threshold, online.roleKeys.threshold) }
  const delegated: DelegatedRole = { name, terminating, paths, keyids, threshold }
  const { delegations } = roleOf(draft, 'targets')
  const earlier = delegations?.roles ?? []
  const others = earlier.filter((other) => other.name !== name)
  const place = others.findIndex((other) => before.includes(other.name))
  const was = earlier.findIndex((other) => other.name === name)
  const firstBin = others.findIndex((other) => isReservedName(other.name))
  const at = [place, was, firstBin, others.length].find((index) => index >= 0)
  const allKeys = new Map([...(delegations?.keys ?? []), ...online.keys, ...keys])
  const roles = others.toSpliced(at ?? 0, 0, delegated)
  setDelegations(draft, 'targets', withUsedKeys({ ...delegations, keys: allKeys, roles }))
  return delegated
}

/** Gives what the service signs below roles that it does not sign the keys that it signs with now; true if that changed any. */
export function renewOnlineKeys(draft: Draft, signers: readonly Signer[]): boolean {
  let changed = false
  const online = onlineGroup(draft.root.signed, signers)
  const tree = treeOfDraft(draft)
  const old = new Set([...signers.map(({ keyid }) => keyid), ...keysOfBins(tree)])
  const isOld = ({ keyids }: RoleKeys) => keyids.some((id) => old.has(id) && !online.roleKeys.keyids.includes(id))
  // Before any of it changes: what hangs below a role that gets the new keys may lack them, too.
  const notOurs = delegatorsOf(draft.settings).filter((delegator) => !canSign(signersOf(tree, delegator), signers))
  for (const delegator of notOurs) {
    const { delegations } = roleOf(draft, delegator)
    const next = (role: RoleKeys) => (isOld(role) ? withOnlineKeys(role, old, online, signers) : undefined)
    if (delegations !== undefined && giveKeys(draft, delegator, delegations, online, next)) changed = true
  }
  return changed
}

/** Keys of the service's own: nobody else signs hash bins. It may have lost them. */
export function keysOfBins(tree: Tree): string[] {
  const ofBins = signedBelow(tree).filter(({ role }) => isReservedName(role))
  return ofBins.flatMap(({ group }) => group.roleKeys.keyids)
}

/**
 * Who signs a role once these online keys take the place of the old ones; nothing where that changes nothing. Where holders
 * sign beside the service they keep their keys, and what it could not sign without them it does not come to sign alone.
 */
export function withOnlineKeys(
  role: RoleKeys,
  old: ReadonlySet<string>,
  online: SigningGroup,
  signers: readonly Signer[],
): RoleKeys | undefined {
  const holders = role.keyids.filter((keyid) => !old.has(keyid))
  const { keyids, threshold } = online.roleKeys
  const next =
    holders.length === 0
      ? { keyids, threshold }
      : { keyids: [...new Set([...holders, ...keyids])], threshold: role.threshold }
  const isSame = next.threshold === role.threshold && isEqualSet(next.keyids, role.keyids)
  if (isSame || holders.length === 0) return isSame ? undefined : next
  const signedAlone = role.keyids.length - holders.length >= role.threshold
  return signedAlone && canSign({ roleKeys: next, keys: online.keys }, signers) ? next : undefined
}

const isEqualSet = (one: readonly string[], other: readonly string[]) =>
  new Set(one).symmetricDifference(new Set(other)).size === 0

/** Has those roles that `delegator` delegates to, and that `next` has an answer for, signed by whom it names; true if there are any. */
export function giveKeys(
  draft: Draft,
  delegator: string,
  delegations: Delegations,
  online: SigningGroup,
  next: (role: RoleKeys) => RoleKeys | undefined,
): boolean {
  const { roles, succinct_roles: succinct } = delegations
  // Many bins are of one group.
  const found = new Map<RoleKeys, RoleKeys>()
  for (const role of [...(roles ?? []), ...(succinct ? [succinct] : [])]) {
    const keys = next(role)
    if (keys !== undefined) found.set(role, keys)
  }
  if (found.size === 0) return false
  const given = <Role extends RoleKeys>(role: Role): Role => {
    const keys = found.get(role)
    return keys === undefined ? role : { ...role, keyids: keys.keyids, threshold: keys.threshold }
  }
  const changed: Delegations = {
    ...delegations,
    keys: new Map([...delegations.keys, ...online.keys]),
    ...(roles && { roles: roles.map(given) }),
    ...(succinct && { succinct_roles: given(succinct) }),
  }
  for (const { role, group } of signedBelow({ root: draft.root.signed, delegations: [delegations] }))
    if (found.has(group.roleKeys)) sign(draft, role)
  setDelegations(draft, delegator, withUsedKeys(changed))
  return true
}

/** The delegations with those of the keys that a role there names. */
export function withUsedKeys(delegations: Delegations): Delegations {
  const { keys, roles = [], succinct_roles: succinct } = delegations
  const used = new Set([...roles, ...(succinct ? [succinct] : [])].flatMap(({ keyids }) => keyids))
  return { ...delegations, keys: new Map([...keys].filter(([keyid]) => used.has(keyid))) }
}
