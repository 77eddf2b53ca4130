import { inParallel } from '../shared/repository/parallel.ts'
import { delegatedNames, findTarget, keysOfDelegated } from '../shared/tuf/delegation.ts'
import type { Delegations, RoleKeys, TargetFile, Targets } from '../shared/tuf/metadata.ts'
import { CliError } from './output.ts'
import type { VerifiedRepository } from './verified-repository.ts'

/** A target as its role lists it. */
export interface ListedTarget {
  readonly path: string
  readonly info: TargetFile
}

/** Of which roles, each with all that it delegates to. */
export interface Selection {
  /** Without it: of all. */
  readonly role?: readonly string[] | undefined
  readonly withoutRole?: readonly string[] | undefined
}

export interface VerifiedTargets {
  /** The roles that list targets, and which of these clients find there; as they come, for there may be millions. */
  readonly found: AsyncIterable<readonly ListedTarget[]>
  /** Complete once all was found: what clients do not find though a role lists it, for nobody trusts that role with it. */
  readonly lost: readonly { readonly role: string; readonly path: string }[]
}

const readAtOnce = 16
const shownAtMost = 10

/** Everything is read and verified before it returns. Throws CliError, or TufError for delegations that we could not follow. */
export async function readVerifiedTargets(
  repository: VerifiedRepository,
  selection: Selection,
  progress: (read: number, total: number) => void,
): Promise<VerifiedTargets> {
  const roles = await readRoles(repository, progress)
  const selected = select(roles, selection)
  const lost: { role: string; path: string }[] = []
  return { found: search(), lost }

  async function* search() {
    const top = roles.get('targets')
    if (top === undefined) return
    const loaded = async (role: string) => ({ signed: roles.get(role) ?? top })
    for (const [role, { targets }] of roles) {
      if (!selected.has(role)) continue
      const found: ListedTarget[] = []
      for (const [path, info] of targets) {
        const first = await findTarget(path, { signed: top }, loaded)
        // Another role comes before this one, and is asked in its turn.
        if (first?.role === role) found.push({ path, info })
        else if (first === undefined) lost.push({ role, path })
      }
      yield found
    }
  }
}

/** Each role that is delegated to, by its name, from targets down. One that several delegate to has to be signed as each of them asks. */
async function readRoles(repository: VerifiedRepository, progress: (read: number, total: number) => void) {
  const { roles: topLevel, keys } = repository.last
  const top = await repository.targets('targets', topLevel.targets, keys)
  const roles = new Map<string, Targets>([['targets', top]])
  let known = 1
  let read = 1
  for (let level = delegationsOf(top); level.length > 0; ) {
    const named = level.flatMap((delegations) => namedIn(delegations))
    known += named.length
    const loaded = await inParallel(named, readAtOnce, async ({ name, signers, keys }) => {
      const targets = await repository.targets(name, signers, keys)
      progress(++read, known)
      return [name, targets] as const
    })
    const fresh = new Map(loaded.filter(([name]) => !roles.has(name)))
    for (const [name, targets] of fresh) roles.set(name, targets)
    level = [...fresh.values()].flatMap(delegationsOf)
  }
  return roles
}

/** Throws CliError 'refused' for the name of a role that is not there. */
function select(roles: ReadonlyMap<string, Targets>, { role = ['targets'], withoutRole = [] }: Selection): Set<string> {
  const unknown = [...role, ...withoutRole].find((name) => !roles.has(name))
  if (unknown === undefined) return belowAll(roles, role).difference(belowAll(roles, withoutRole))
  const names = [...roles.keys()]
  const shown = names.slice(0, shownAtMost).join(', ')
  const more = names.length > shownAtMost ? ', …' : ''
  throw new CliError(
    'refused',
    `Nobody delegates to a role ${JSON.stringify(unknown)} there. Its roles: ${shown}${more}`,
  )
}

/** These roles, and all that they delegate to, at whatever depth. */
function belowAll(roles: ReadonlyMap<string, Targets>, names: readonly string[]): Set<string> {
  const below = new Set(names)
  // A set that grows while it is gone through is gone through to its end.
  for (const name of below)
    for (const delegations of delegationsOf(roles.get(name) as Targets))
      for (const delegated of delegatedNames(delegations)) below.add(delegated)
  return below
}

const delegationsOf = ({ delegations }: Targets) => (delegations === undefined ? [] : [delegations])

function namedIn(delegations: Delegations) {
  return delegatedNames(delegations).map((name) => ({
    name,
    signers: keysOfDelegated(name, delegations) as RoleKeys,
    keys: delegations.keys,
  }))
}
