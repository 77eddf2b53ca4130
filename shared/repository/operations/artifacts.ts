import type { TargetFile } from '../../tuf/metadata.ts'
import { type Draft, roleFor, roleOf, setParked, setTarget } from '../draft.ts'
import { Refusal } from '../errors.ts'
import { type ParkedChange, withChanges, withoutPaths } from '../parked.ts'
import type { AddArtifactsRequest } from '../task.ts'
import type { Operation, OperationContext } from './operation.ts'

export const addArtifacts: Operation<'add_artifacts'> = {
  refusedMessage: 'Artifact(s) not added',
  needs: (draft, request) => (request.publish ? rolesFor(draft, pathsOf(request)) : []),
  apply(draft, request, context) {
    const paths = pathsOf(request)
    const roles = trustedRoles(draft, paths)
    const changes = request.artifacts.map(({ path, info }) => change(path, withTaskId(info, request, context), context))
    if (request.publish) applyChanges(draft, changes)
    else setParked(draft, withChanges(draft.parked, changes))
    return {
      message: 'Artifact(s) Added',
      details: { added_artifacts: paths, invalid_paths: [], artifact_roles: roles },
    }
  },
}

export const removeArtifacts: Operation<'remove_artifacts'> = {
  refusedMessage: 'Artifact(s) not removed',
  needs: (draft, request) => rolesFor(draft, request.paths),
  apply(draft, request, context) {
    // A path may be known by being published, or by being parked and not published yet.
    const parkedPaths = new Map(draft.parked.changes.map((parked) => [parked.path, parked.info !== undefined]))
    const exists = (path: string) => {
      const role = roleFor(draft, path)
      const published = role !== undefined && roleOf(draft, role).targets.has(path)
      return published || parkedPaths.get(path as ParkedChange['path']) === true
    }
    const paths = [...new Set(request.paths)]
    const deleted = paths.filter(exists)
    const notFound = paths.filter((path) => !exists(path))
    const changes = deleted.map((path) => change(path, undefined, context))
    if (request.publish) applyChanges(draft, changes)
    else setParked(draft, withChanges(draft.parked, changes))
    return {
      message: 'Artifact(s) removed',
      details: { deleted_artifacts: deleted, not_found_artifacts: notFound },
    }
  },
}

export const publishArtifacts: Operation<'publish_artifacts'> = {
  refusedMessage: 'Publish Artifacts Failed',
  needs: (draft) =>
    rolesFor(
      draft,
      draft.parked.changes.map(({ path }) => path),
    ),
  apply(draft) {
    const { changes } = draft.parked
    const roles = trustedRoles(
      draft,
      changes.flatMap(({ path, info }) => (info === undefined ? [] : [path])),
    )
    applyChanges(draft, changes)
    return { message: 'Publish Artifacts Processed', details: { artifact_roles: roles } }
  },
}

function pathsOf(request: AddArtifactsRequest) {
  return request.artifacts.map(({ path }) => path)
}

function change(path: ParkedChange['path'], info: TargetFile | undefined, context: OperationContext): ParkedChange {
  return { path, ...(info && { info }), task: context.taskId, principal: context.principal }
}

function withTaskId(info: TargetFile, request: AddArtifactsRequest, { taskId }: OperationContext): TargetFile {
  return request.addTaskIdToCustom ? { ...info, custom: { ...info.custom, task_id: taskId } } : info
}

function rolesFor(draft: Draft, paths: readonly string[]): Set<string> {
  return new Set(paths.map((path) => roleFor(draft, path)).filter((role) => role !== undefined))
}

/** Each role that the paths go into, once. Refused as a whole if no role is trusted with one of them. */
function trustedRoles(draft: Draft, paths: readonly string[]): string[] {
  const orphans = paths.filter((path) => roleFor(draft, path) === undefined)
  if (orphans.length > 0) {
    throw new Refusal(
      `No delegated role is trusted with ${orphans.slice(0, 10).join(', ')}${orphans.length > 10 ? ', …' : ''}. ` +
        'Use a path that a delegation matches, or add a delegation for it. Nothing of the request was done.',
      { added_artifacts: [], invalid_paths: orphans, artifact_roles: [] },
    )
  }
  return [...rolesFor(draft, paths)]
}

/** Makes changes visible with this commit; what was parked for the same paths before is overtaken by them. */
function applyChanges(draft: Draft, changes: readonly ParkedChange[]): void {
  for (const { path, info } of changes) {
    const role = roleFor(draft, path)
    if (role === undefined || (info === undefined && !roleOf(draft, role).targets.has(path))) continue
    setTarget(draft, role, path, info)
  }
  setParked(draft, withoutPaths(draft.parked, new Set(changes.map(({ path }) => path))))
}
