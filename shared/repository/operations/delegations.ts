import { binNames } from '../../tuf/bins.ts'
import { warningsOfChange } from '../client-standing.ts'
import { adoptTrial, type Draft, delegatedRoles, roleFor, roleOf, signAgain, trialOf } from '../draft.ts'
import { Refusal } from '../errors.ts'
import type { CustomRole, RequestOf } from '../task.ts'
import { addRole, removeRole, renewOnlineKeys, updateRole } from './delegate.ts'
import {
  checkKnownName,
  checkNewName,
  checkRole,
  crowdWarnings,
  customRoles,
  reachingWarnings,
} from './delegation-rules.ts'
import type { Operation, OperationContext } from './operation.ts'
import { type Rerouted, reroute, rolesWithTargets } from './reroute.ts'
import { changeOrWait, isOnline, refusePending, signsAtOnce } from './waiting.ts'

type Request = RequestOf<'metadata_delegation'>

export const metadataDelegation: Operation<'metadata_delegation'> = {
  refusedMessage: 'Metadata Delegation Failed',
  needs: (draft, request) => rolesForDelegations(draft, request),
  apply(draft, request, context) {
    // All of the request or nothing; yet each role that its holders have to sign becomes visible when it is signed.
    const trial = trialOf(draft)
    const names = namesIn(request)
    const outcomes = partsOf(trial, request, context).map((part) => {
      try {
        if (part.action !== 'delete') for (const name of namesIn(part)) refusePending(trial, name)
        return changeOrWait(trial, part, context, (next) => changeDelegations(next, part, context))
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const failed = namesIn(part).map((role) => ({ role, reason: error.message }))
        throw new Refusal(error.message, { ...error.details, delegated_roles: [], failed_roles: failed })
      }
    })
    const unread = warningsOfChange(trial, draft)
    adoptTrial(draft, trial)
    const waiting = outcomes.flatMap((outcome) => outcome.waiting)
    return {
      message: 'Metadata Delegation Processed',
      details: {
        delegated_roles: names,
        failed_roles: [],
        ...listed('pending_roles', waiting),
        ...reroutedDetails(outcomes.map(({ done }) => done)),
      },
      warnings: [
        ...unread,
        ...('names' in request ? [] : [...crowdWarnings(draft, names), ...reachingWarnings(draft, names)]),
      ],
    }
  },
}

/** Of the online keys below roles that are signed offline. */
export const isRenewalBelow = (request: Request) => request.action === 'renew' && request.names.length === 0

/** What a change of delegations did to artifacts, for the details of a result. */
export function reroutedDetails(outcomes: readonly Rerouted[]) {
  return {
    ...listed(
      'moved_artifacts',
      outcomes.flatMap(({ moved }) => moved),
    ),
    ...listed(
      'removed_artifacts',
      outcomes.flatMap(({ removed }) => removed),
    ),
  }
}

const listed = (field: string, items: readonly string[]) => (items.length === 0 ? {} : { [field]: items })

function namesIn(request: Request): readonly string[] {
  return 'names' in request ? request.names : request.roles.map(({ name }) => name)
}

/**
 * One part for each role that may have to wait for its holders, and one for those in a row that only the service signs, for each part
 * looks at every target; but where targets itself has to be signed for it, one for all of them.
 */
function partsOf(draft: Draft, request: Request, { signers }: OperationContext): Request[] {
  if (request.action === 'renew')
    return request.names.length === 0 ? [request] : request.names.map((name) => ({ ...request, names: [name] }))
  if (namesIn(request).length === 0) throw new Refusal('The request names no role.')
  if (request.action === 'delete' || !isOnline(draft, 'targets', signers)) return [request]
  const parts: CustomRole[][] = []
  for (const role of request.roles) {
    const last = parts.at(-1)
    if (last !== undefined && [role, ...last].every(({ keyids }) => keyids.length === 0)) last.push(role)
    else parts.push([role])
  }
  return parts.map((roles) => ({ ...request, roles }))
}

export function rolesForDelegations(draft: Draft, request: Request): string[] {
  const known = new Set(customRoles(draft).map(({ name }) => name))
  const named = namesIn(request).filter((name) => known.has(name))
  // What the service signs below them is not signed before they are.
  if (request.action === 'renew') return named
  if (request.action !== 'delete' && request.roles.some((role) => changesRoutes(draft, role)))
    return [...new Set([...named, ...delegatedRoles(draft)])]
  return named.flatMap((name) => [name, ...innerBins(draft, name)])
}

function innerBins(draft: Draft, name: string): string[] {
  const bins = draft.settings.delegators?.find(({ role }) => role === name)?.bins
  return bins === undefined ? [] : binNames(bins)
}

/** Whether targets may have to move for this role; terminating or not, it is the first trusted role that holds a target. */
function changesRoutes(draft: Draft, { name, paths, before = [] }: CustomRole): boolean {
  const earlier = customRoles(draft).find((role) => role.name === name)
  return before.length > 0 || JSON.stringify(earlier?.paths) !== JSON.stringify(paths)
}

/** Changes the draft as the request says, or throws a Refusal with the draft half changed: it is tried on a copy. */
export function changeDelegations(draft: Draft, request: Request, context: OperationContext): Rerouted {
  const { signers } = context
  let rerouted: Rerouted = { moved: [], removed: [] }
  if (request.action === 'renew') {
    renew(draft, request.names, context)
    return rerouted
  }
  if (request.action === 'delete') {
    for (const name of request.names) checkKnownName(draft, name)
    const removed = request.names.flatMap((name) =>
      [name, ...innerBins(draft, name)].flatMap((role) => [...roleOf(draft, role).targets.keys()]),
    )
    for (const name of request.names) removeRole(draft, name)
    rerouted = { moved: [], removed }
  } else {
    const added = new Map([...(roleOf(draft, 'targets').delegations?.keys ?? []), ...Object.entries(request.keys)])
    const routesChange = request.roles.some((role) => changesRoutes(draft, role))
    const before = routesChange ? rolesWithTargets(draft) : []
    for (const role of request.roles) {
      if (request.action === 'add') checkNewName(draft, role.name)
      else checkKnownName(draft, role.name)
      // While this waited itself, something may have begun to wait for the holders that it replaces.
      if (request.action === 'update') refusePending(draft, role.name)
      checkRole(role, added, draft, signers)
      if (request.action === 'add') addRole(draft, role, added, signers)
      else if (role.bins === undefined) updateRole(draft, role, added, context)
      else throw new Refusal(`Hash bins inside a role are decided when it is added; leave them out for ${role.name}.`)
    }
    rerouted = reroute(draft, before, { remove: request.removeArtifacts, signers })
  }
  checkParked(draft, context)
  return rerouted
}

/** See the request; throws a Refusal where there is nothing to do. */
function renew(draft: Draft, names: readonly string[], { signers }: OperationContext): void {
  for (const name of names) {
    if (name !== 'targets') checkKnownName(draft, name)
    if (isOnline(draft, name, signers)) {
      const how = `POST /api/v1/metadata/online, or tuffet refresh ${name}`
      throw new Refusal(`The service signs role ${name} itself. Force that with ${how}.`)
    }
    signAgain(draft, name)
  }
  if (names.length > 0 || renewOnlineKeys(draft, signers)) return
  throw new Refusal('Every role that the service signs has the current online keys already.')
}

/** Parked changes are published together, which offline roles could not be part of. */
function checkParked(draft: Draft, { signers }: OperationContext): void {
  const stuck = draft.parked.changes.find(({ path, info }) => {
    const role = roleFor(draft, path)
    return role === undefined ? info !== undefined : !signsAtOnce(draft, role, signers)
  })
  if (stuck === undefined) return
  throw new Refusal(
    `Artifact ${stuck.path} is parked, and after this change it could not be published any more. ` +
      'Publish what is parked (POST /api/v1/artifacts/publish, or tuffet artifact publish) first.',
  )
}
