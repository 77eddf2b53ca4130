import { isTopLevel, rolesBelowRoot } from '../../tuf/names.ts'
import { type Draft, delegatedRoles, signAgain, treeOfDraft } from '../draft.ts'
import { Refusal } from '../errors.ts'
import type { LongWork, Planning } from '../long-work.ts'
import type { Signer } from '../ports.ts'
import { expirationClass } from '../settings.ts'
import { isPending } from '../signing.ts'
import type { RequestOf } from '../task.ts'
import { canSign, signersOf } from '../tree.ts'
import type { Operation } from './operation.ts'
import { asTheyAre, isAhead } from './signed-as-they-are.ts'

/** Signs online roles anew as they are, before they are due: all of them, or those that are named (`bins` names all bins). */
export const forceOnlineMetadataUpdate: Operation<'force_online_metadata_update'> = {
  refusedMessage: 'Force new online metadata update failed',
  needs: (draft, request) => rolesNamed(draft, request).filter((role) => !isTopLevel(role)),
  long: { is: (draft, request, aheadFrom) => rolesNamed(draft, request).length >= aheadFrom, plan },
  apply(draft, request, { signers, prepared }) {
    const named = rolesNamed(draft, request)
    const offline = offlineOf(draft, named, signers)
    if (request.roles.length > 0 && offline.size > 0) {
      throw new Refusal(
        `${[...offline].join(', ')}: signed offline. Have the holders sign it anew: POST /api/v1/delegations/renew, or tuffet delegation renew.`,
      )
    }
    const roles = named.filter((role) => !offline.has(role))
    for (const role of roles) if (prepared === undefined || !isAhead(draft, role)) signAgain(draft, role)
    return { message: 'Force new online metadata update succeeded', details: { updated_roles: roles } }
  },
}

async function plan(
  { repository, draft }: Planning,
  request: RequestOf<'force_online_metadata_update'>,
): Promise<LongWork> {
  const named = rolesNamed(draft, request)
  const offline = offlineOf(draft, named, repository.ports.signers)
  return asTheyAre(
    draft,
    named.filter((role) => !offline.has(role) && isAhead(draft, role)),
  )
}

/** The roles that the service cannot sign, and those that wait to become such. */
function offlineOf(draft: Draft, roles: readonly string[], signers: readonly Signer[]): Set<string> {
  const tree = treeOfDraft(draft)
  const isOffline = (role: string) => !canSign(signersOf(tree, role), signers) || isPending(draft.signing, role)
  return new Set(roles.filter(isOffline))
}

function rolesNamed(draft: Draft, request: RequestOf<'force_online_metadata_update'>): string[] {
  const delegated = delegatedRoles(draft)
  if (request.roles.length === 0) return [...rolesBelowRoot, ...delegated]
  const known = new Set<string>([...rolesBelowRoot, ...delegated])
  const named = request.roles.flatMap((asked) => {
    if (isTopLevel(asked)) return [asked]
    return delegated.filter((role) => role === asked || expirationClass(draft.settings, role) === asked)
  })
  const unknown = request.roles.filter((asked) => !known.has(asked) && asked !== 'bins')
  if (unknown.length > 0 || named.length === 0) {
    throw new Refusal(
      `${request.roles.join(', ')}: not all of these are online roles. Use ${rolesBelowRoot.join(', ')}, bins or a delegated role.`,
    )
  }
  return [...new Set(named)]
}
