import { targetFaults } from '../artifact-rules.ts'
import { type Draft, delegatedRoles, roleFor, roleOf, setTarget } from '../draft.ts'
import { Refusal, shown } from '../errors.ts'
import type { Signer } from '../ports.ts'
import { isOnline } from './waiting.ts'

export interface Rerouted {
  readonly moved: readonly string[]
  readonly removed: readonly string[]
}

/** The roles that hold targets: those that do not delegate. */
export function rolesWithTargets(draft: Draft): string[] {
  return delegatedRoles(draft).filter((role) => draft.roles.get(role)?.delegations === undefined)
}

/**
 * After a change of delegations: every target goes into the role that is the first to be trusted with its path now. Throws a
 * Refusal where there is none, where one of the two is signed offline, or where clients would trip over the target in the other
 * role too, unless `remove` has such targets removed.
 * `roles`: those that may hold some, all loaded.
 */
export function reroute(
  draft: Draft,
  roles: readonly string[],
  { remove, signers }: { readonly remove: boolean; readonly signers: readonly Signer[] },
): Rerouted {
  const moved: string[] = []
  const lost: { readonly path: string; readonly from: string; readonly to?: string }[] = []
  const online = new Map<string, boolean>()
  const signsOnline = (role: string) => {
    const known = online.get(role) ?? isOnline(draft, role, signers)
    online.set(role, known)
    return known
  }
  for (const from of roles) {
    for (const [path, target] of [...roleOf(draft, from).targets]) {
      const to = roleFor(draft, path)
      if (to === from) continue
      const isFaulty = targetFaults([[path, target]]) !== undefined
      if (to === undefined || !signsOnline(to) || !signsOnline(from) || isFaulty) {
        lost.push({ path, from, ...(to !== undefined && { to }) })
        continue
      }
      setTarget(draft, from, path, undefined)
      setTarget(draft, to, path, target)
      moved.push(path)
    }
  }
  if (lost.length > 0 && !remove) throw refusal(lost)
  for (const { path, from } of lost) setTarget(draft, from, path, undefined)
  return { moved, removed: lost.map(({ path }) => path) }
}

function refusal(lost: readonly { readonly path: string; readonly from: string; readonly to?: string }[]): Refusal {
  const paths = lost.map(({ path, from, to }) => `${path} (in ${from}${to ? `, would be in ${to}` : ''})`)
  const [what, them, their] = lost.length === 1 ? ['artifact', 'it', 'its'] : ['artifacts', 'them', 'their']
  return new Refusal(
    `Clients would not find ${lost.length} ${what} any more, because no role is trusted with ${them}, because only the holders ` +
      `of offline keys can move ${them}, or because hashes or custom break clients: ${shown(paths)}. ` +
      `Remove ${them} first, choose other paths, or ask for ${their} removal with the request ("remove_artifacts": true, or ` +
      '--remove-artifacts of tuffet delegation). One that waits for signatures is stopped first (tuffet delegation cancel).',
    { lost_artifacts: lost.map(({ path }) => path) },
  )
}
