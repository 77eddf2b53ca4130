import { delegatedNames, keysOfDelegated } from '../tuf/delegation.ts'
import type { Delegations, Root, Targets } from '../tuf/metadata.ts'
import type { TopLevelRole } from '../tuf/names.ts'
import type { Signer } from './ports.ts'
import { delegatorsOf, type Settings } from './settings.ts'
import type { SigningGroup } from './signing.ts'

/** Who is trusted by whom: the root, and the delegations of each role that delegates, targets' first. */
export interface Tree {
  readonly root: Root
  readonly delegations: readonly Delegations[]
}

export function treeOf(
  root: Root,
  settings: Pick<Settings, 'delegators'>,
  role: (name: string) => Targets | undefined,
): Tree {
  const delegations = delegatorsOf(settings).map((name) => role(name)?.delegations)
  return { root, delegations: delegations.filter((found) => found !== undefined) }
}

/** Who signs a top-level role, as this root says. */
export function groupOf({ roles, keys }: Root, role: TopLevelRole): SigningGroup {
  return { roleKeys: roles[role], keys }
}

/** Who signs a role: the top-level ones by the root, the others by the role that delegates to them. Nothing if nobody does. */
export function signersOf({ root, delegations }: Tree, role: string): SigningGroup | undefined {
  if (role === 'targets' || role === 'snapshot' || role === 'timestamp') return groupOf(root, role)
  for (const delegating of delegations) {
    const roleKeys = keysOfDelegated(role, delegating)
    if (roleKeys !== undefined) return { roleKeys, keys: delegating.keys }
  }
  return undefined
}

/** Every role below targets, level by level, in the order in which clients ask those of one level. */
export function rolesBelow({ delegations }: Tree): string[] {
  return delegations.flatMap(delegatedNames)
}

/** The same with who signs each of them. */
export function signedBelow({ delegations }: Tree): { readonly role: string; readonly group: SigningGroup }[] {
  return delegations.flatMap((delegating): { role: string; group: SigningGroup }[] => {
    const { keys, roles, succinct_roles: succinct } = delegating
    if (succinct === undefined)
      return (roles ?? []).map((role) => ({ role: role.name, group: { roleKeys: role, keys } }))
    const group = { roleKeys: succinct, keys }
    return delegatedNames(delegating).map((role) => ({ role, group }))
  })
}

/** The service's own keys among those of a group, as many as its threshold asks for if it holds so many. */
export function heldBy({ roleKeys }: SigningGroup, signers: readonly Signer[]): Signer[] {
  return signers.filter(({ keyid }) => roleKeys.keyids.includes(keyid)).slice(0, roleKeys.threshold)
}

/** Whether the service holds enough keys to sign for this group alone: what it does not, is signed offline. */
export function canSign(group: SigningGroup | undefined, signers: readonly Signer[]): boolean {
  return group !== undefined && heldBy(group, signers).length >= group.roleKeys.threshold
}

/** Who signs the roles that name no keys of their own: the keys of targets, or those of snapshot if targets is signed offline. */
export function onlineGroup(root: Root, signers: readonly Signer[]): SigningGroup {
  const targets = groupOf(root, 'targets')
  return canSign(targets, signers) ? targets : groupOf(root, 'snapshot')
}
