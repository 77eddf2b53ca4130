import type { TargetFile } from '../../tuf/metadata.ts'
import type { TargetPath } from '../../tuf/names.ts'
import { matchesPattern } from '../../tuf/patterns.ts'
import { withTaskId } from '../artifact-rules.ts'
import { artifactWarnings } from '../client-rules.ts'
import { refuseLosing } from '../client-standing.ts'
import { servedClients } from '../clients.ts'
import { adoptTrial, type Draft, roleFor, roleOf, setParked, setSigning, setTarget, trialOf } from '../draft.ts'
import { Refusal, shown } from '../errors.ts'
import { type AskedChange, withChanges, withoutPaths } from '../parked.ts'
import { artifactsThatWait, delegationsToCome, withoutPending } from '../signing.ts'
import type { AddArtifactsRequest, PublishArtifactsRequest, RemoveArtifactsRequest } from '../task.ts'
import type { Operation, OperationContext } from './operation.ts'
import { changeOrWait, openChanges, signsAtOnce } from './waiting.ts'

type Request = AddArtifactsRequest | RemoveArtifactsRequest | PublishArtifactsRequest
type Asking = Pick<OperationContext, 'taskId' | 'principal'>

export const addArtifacts: Operation<'add_artifacts'> = {
  refusedMessage: 'Artifact(s) not added',
  needs: (draft, request) => (request.publish ? rolesForArtifacts(draft, request) : []),
  apply(draft, request, context) {
    const paths = request.artifacts.map(({ path }) => path)
    const roles = trustedRoles(draft, paths)
    const waits = publishOrPark(draft, request, changesOf(draft, request, context), context)
    return {
      message: 'Artifact(s) Added',
      details: { added_artifacts: paths, invalid_paths: [], artifact_roles: roles, ...waits },
      warnings: artifactWarnings(servedClients(draft.settings.clients), request.artifacts),
    }
  },
}

export const removeArtifacts: Operation<'remove_artifacts'> = {
  refusedMessage: 'Artifact(s) not removed',
  needs: (draft, request) => rolesForArtifacts(draft, request),
  apply(draft, request, context) {
    const changes = changesOf(draft, request, context)
    const deleted = new Set(changes.map(({ path }) => path))
    const notFound = new Set(request.paths).difference(deleted)
    const waits = publishOrPark(draft, request, changes, context)
    return {
      message: 'Artifact(s) removed',
      details: { deleted_artifacts: [...deleted], not_found_artifacts: [...notFound], ...waits },
    }
  },
}

export const publishArtifacts: Operation<'publish_artifacts'> = {
  refusedMessage: 'Publish Artifacts Failed',
  needs: (draft, request) => rolesForArtifacts(draft, request),
  apply(draft, request, context) {
    const { changes } = draft.parked
    const roles = trustedRoles(draft, pathsAdded(changes))
    const waits = publishOrPark(draft, request, changes, context)
    return { message: 'Publish Artifacts Processed', details: { artifact_roles: roles, ...waits } }
  },
}

function rolesForArtifacts(draft: Draft, request: Request): Set<string> {
  return rolesFor(draft, pathsOf(draft, request))
}

export function rolesForChanges(draft: Draft, changes: readonly AskedChange[]): Set<string> {
  return rolesFor(
    draft,
    changes.map(({ path }) => path),
  )
}

/** Makes changes visible with this commit. Every path that they add has to have a role. */
export function changeArtifacts(draft: Draft, changes: readonly AskedChange[]): void {
  trustedRoles(draft, pathsAdded(changes))
  applyChanges(draft, changes)
}

function pathsOf(draft: Draft, request: Request): readonly TargetPath[] {
  if (request.kind === 'publish_artifacts') return draft.parked.changes.map(({ path }) => path)
  return request.kind === 'add_artifacts' ? request.artifacts.map(({ path }) => path) : request.paths
}

/** What a request changes: of what it removes, that which is there, be it parked or waiting for signatures. */
function changesOf(draft: Draft, request: Request, asking: Asking): readonly AskedChange[] {
  const change = (path: TargetPath, info?: TargetFile): AskedChange => {
    return { path, ...(info && { info }), task: asking.taskId, principal: asking.principal }
  }
  if (request.kind === 'publish_artifacts') return draft.parked.changes
  if (request.kind === 'add_artifacts') {
    const id = request.addTaskIdToCustom ? asking.taskId : undefined
    return request.artifacts.map(({ path, info }) => change(path, withTaskId(info, id)))
  }
  const waiting = [...rolesFor(draft, request.paths)].flatMap((role) => artifactsThatWait(draft.signing, role))
  const notYetVisible = new Set(pathsAdded([...draft.parked.changes, ...waiting]))
  const exists = (path: TargetPath) => {
    const role = roleFor(draft, path)
    const published = role !== undefined && roleOf(draft, role).targets.has(path)
    return published || notYetVisible.has(path)
  }
  return [...new Set(request.paths)].filter(exists).map((path) => change(path))
}

const pathsAdded = (changes: readonly AskedChange[]) =>
  changes.filter(({ info }) => info !== undefined).map(({ path }) => path)

function rolesFor(draft: Draft, paths: readonly string[]): Set<string> {
  return new Set(paths.map((path) => roleFor(draft, path)).filter((role) => role !== undefined))
}

/** Each role that the paths go into, once. Refused as a whole if no role is trusted with one of them. */
function trustedRoles(draft: Draft, paths: readonly string[]): string[] {
  const orphans = paths.filter((path) => roleFor(draft, path) === undefined)
  if (orphans.length > 0) {
    const waiting = delegationsToCome(draft.signing).filter(({ paths }) =>
      orphans.some((orphan) => paths.some((pattern) => matchesPattern(orphan, pattern))),
    )
    const how =
      waiting.length === 0
        ? 'Use a path that a delegation matches, or add a delegation for it.'
        : `Its holders have to sign role ${waiting.map(({ name }) => name).join(', ')} first (GET /api/v1/metadata/sign).`
    throw new Refusal(
      `No delegated role is trusted by every client with ${shown(orphans)}. ${how} Nothing of the request was done.`,
      { added_artifacts: [], invalid_paths: orphans, artifact_roles: [] },
    )
  }
  return [...rolesFor(draft, paths)]
}

/**
 * Publishes the changes of a request, parks them, or has them wait for the signatures of the one role that they touch; the
 * details say so then. Throws a Refusal if they touch others beside a role that is signed offline, or would cost a served client
 * the whole repository.
 */
function publishOrPark(
  draft: Draft,
  request: Request,
  changes: readonly AskedChange[],
  context: OperationContext,
): { readonly update?: string } {
  const publish = request.kind === 'publish_artifacts' || request.publish
  refuseLosing(draft, changes)
  const roles = rolesForChanges(draft, changes)
  const special = [...roles].filter((role) => !signsAtOnce(draft, role, context.signers))
  const [role] = special
  if (role === undefined) {
    if (publish) applyChanges(draft, changes)
    else setParked(draft, { ...draft.parked, changes: withChanges(draft.parked.changes, changes) })
    return {}
  }
  if (roles.size > 1) throw mixed(draft, changes, special)
  const earlier = openChanges(draft, role, context.signers)
  if (!publish) {
    throw new Refusal(
      `Role ${role} is signed offline, so its changes wait for signatures anyway and cannot be parked. Send them to be published.`,
    )
  }
  const all = withChanges(earlier, changes)
  const afresh = trialOf(draft)
  setSigning(afresh, withoutPending(afresh.signing, role))
  const { waiting } = changeOrWait(afresh, { kind: 'artifacts', changes: all }, context, (trial) => {
    applyChanges(trial, all, role)
  })
  adoptTrial(draft, afresh)
  // Nothing waits where all that was added is taken back before anybody has signed it.
  return waiting.length === 0 ? {} : { update: `Role ${role} is pending signatures` }
}

function mixed(draft: Draft, changes: readonly AskedChange[], offline: readonly string[]): Refusal {
  const byRole = Object.groupBy(changes, ({ path }) => roleFor(draft, path) ?? '')
  const roles = Object.entries(byRole).map(([role, of = []]) => {
    const paths = of.map(({ path }) => path)
    return `${role}${offline.includes(role) ? ' (signed offline)' : ''}: ${shown(paths)}`
  })
  return new Refusal(
    `What a role signed offline is to hold becomes visible when it is signed, and one request becomes visible as a whole. ` +
      `Send one request for each role signed offline, and one for all others: ${roles.join('; ')}.`,
  )
}

/**
 * Makes changes visible with this commit; what was parked for the same paths before is overtaken by them. `known` is the role of all of
 * them where that is known, for many may wait, and to find the role of each takes longer than the change.
 */
export function applyChanges(
  draft: Draft,
  changes: readonly { readonly path: string; readonly info?: TargetFile }[],
  known?: string,
): void {
  for (const { path, info } of changes) {
    const role = known ?? roleFor(draft, path)
    if (role === undefined || (info === undefined && !roleOf(draft, role).targets.has(path))) continue
    setTarget(draft, role, path, info)
  }
  setParked(draft, withoutPaths(draft.parked, new Set(changes.map(({ path }) => path))))
}
