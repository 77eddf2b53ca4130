import { binNames, type HashBins, isBinName } from '../tuf/bins.ts'
import { expiresAt } from '../tuf/expiry.ts'
import type { Key } from '../tuf/keys.ts'
import type { Delegations, RoleKeys } from '../tuf/metadata.ts'
import { type Current, readRole, treeOfCurrent } from './current.ts'
import { inParallel } from './parallel.ts'
import { firstToExpire } from './refresh.ts'
import type { Repository } from './repository.ts'
import { expirationClass, expirationOf, intermediateRole } from './settings.ts'
import { canSign, signedBelow, signersOf } from './tree.ts'

/** Who signs a role, and whether the service can do that alone. */
export interface RoleSigners extends Pick<RoleKeys, 'keyids' | 'threshold'> {
  readonly online: boolean
}

/** Targets, or a role that it delegates to, as clients see it. */
export interface StandingRole extends RoleSigners {
  readonly role: string
  /** Absent for targets. */
  readonly delegation?: { readonly paths: readonly string[]; readonly terminating: boolean }
  readonly version: number
  readonly expires: Date
  /** Days that it lives when it is signed anew. */
  readonly days: number
  /** How many it holds itself. */
  readonly targets: number
  readonly bins?: StandingBins
}

/** The hash bins below a role; they are not named one by one. */
export interface StandingBins extends HashBins, RoleSigners {
  /** Of the first of them, or of the role above them that is signed like them. */
  readonly expires?: Date
}

export interface DelegationTree {
  /** Targets, and the roles that it delegates to in the order in which clients ask them. */
  readonly roles: readonly StandingRole[]
  readonly keys: ReadonlyMap<string, Key>
}

/** Reads each role but the hash bins. */
export async function readDelegationTree(repository: Repository, current: Current): Promise<DelegationTree> {
  const tree = treeOfCurrent(current)
  const { signers } = repository.ports
  const lives = await firstToExpire(repository, current)

  const binsBelow = (role: string): StandingBins | undefined => {
    const bins = binsOf(current, role)
    const delegations = current.delegators.get(role)?.signed.delegations
    const group = delegations && binSigners(current, delegations, bins)
    if (bins === undefined || group === undefined) return undefined
    const [bin = ''] = binNames(bins)
    const kind = expirationClass(current.settings, bin)
    const expires = lives.find((life) => expirationClass(current.settings, life.role) === kind)?.expires
    const { keyids, threshold } = group.roleKeys
    return { ...bins, keyids, threshold, online: canSign(group, signers), ...(expires && { expires }) }
  }

  const standing = async (role: string): Promise<StandingRole[]> => {
    const group = signersOf(tree, role)
    if (group === undefined) return []
    const { signed } = await readRole(repository, current, role)
    const delegated = current.targets.signed.delegations?.roles?.find(({ name }) => name === role)
    const bins = binsBelow(role)
    const { keyids, threshold } = group.roleKeys
    return [
      {
        role,
        keyids,
        threshold,
        online: canSign(group, signers),
        ...(delegated && { delegation: { paths: delegated.paths ?? [], terminating: delegated.terminating } }),
        version: signed.version,
        expires: expiresAt(signed),
        days: expirationOf(current.settings, role),
        targets: signed.targets.size,
        ...(bins && { bins }),
      },
    ]
  }

  const named = (current.targets.signed.delegations?.roles ?? []).map(({ name }) => name)
  const binPrefix = binsOf(current, 'targets')?.namePrefix
  const below = named.filter((role) => binPrefix === undefined || !isBinName(binPrefix, role))
  const roles = await inParallel(['targets', ...below], repository.limits.parallel, standing)
  const keys = [current.root.signed, ...current.delegators.values().map(({ signed }) => signed.delegations)]
  return { roles: roles.flat(), keys: new Map(keys.flatMap((holder) => [...(holder?.keys ?? [])])) }
}

/** The hash bins that this very role delegates to. */
function binsOf({ settings, delegators }: Current, role: string): HashBins | undefined {
  const above = delegators.has(intermediateRole) ? intermediateRole : 'targets'
  return role === above ? settings.bins : settings.delegators?.find((delegator) => delegator.role === role)?.bins
}

function binSigners({ root }: Current, delegations: Delegations, bins: HashBins | undefined) {
  if (bins === undefined) return undefined
  const below = signedBelow({ root: root.signed, delegations: [delegations] })
  return below.find(({ role }) => isBinName(bins.namePrefix, role))?.group
}
