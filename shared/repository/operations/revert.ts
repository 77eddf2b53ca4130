import { canonicalText } from '../../tuf/canonical.ts'
import type { TargetFile } from '../../tuf/metadata.ts'
import { targetFaults } from '../artifact-rules.ts'
import { refuseLosing } from '../client-standing.ts'
import { type Draft, roleFor, roleOf } from '../draft.ts'
import { Refusal, shown } from '../errors.ts'
import type { Past } from '../past.ts'
import { isPending } from '../signing.ts'
import { applyChanges } from './artifacts.ts'
import type { Operation, OperationContext } from './operation.ts'
import { isOnline } from './waiting.ts'

/**
 * Publishes the targets of an earlier commit again, as a commit of its own. Keys, settings and delegations stay as they are: each
 * target goes into the role that is trusted with its path now.
 */
export const revert: Operation<'revert'> = {
  refusedMessage: 'Revert Failed',
  past: ({ commit }) => commit,
  needs: (draft, _, { past }) => [...targetsOf(draft, past).keys()].flatMap((path) => roleFor(draft, path) ?? []),
  apply(draft, { commit }, context) {
    const different = [...targetsOf(draft, context.past)].filter(([path, info]) => !isNow(draft, path, info))
    const roles = rolesOf(draft, different, context)
    // Holders may have signed, elsewhere and before this was looked at, what the service would not.
    const faults = targetFaults(different)
    if (faults !== undefined) {
      throw new Refusal(
        `Targets cannot be taken back that clients trip over. ${faults} Nothing was changed. Add or remove what you want by itself.`,
      )
    }
    const { taskId: task, principal } = context
    const changes = different.map(([path, info]) => ({ path, ...(info && { info }), task, principal }))
    refuseLosing(draft, changes)
    applyChanges(draft, changes)
    return {
      message: 'Revert Processed',
      details: {
        commit,
        restored_artifacts: changes.filter(({ info }) => info !== undefined).map(({ path }) => path),
        removed_artifacts: changes.filter(({ info }) => info === undefined).map(({ path }) => path),
        artifact_roles: roles,
      },
    }
  },
}

/** What is to be undone: what commits have changed since, and the tasks that this commit does before this one. */
function targetsOf(draft: Draft, past: Past | undefined): Past {
  if (past === undefined) return new Map()
  return new Map([...[...draft.changes].map(([path, { before }]) => [path, before] as const), ...past])
}

function isNow(draft: Draft, path: string, info: TargetFile | undefined): boolean {
  const role = roleFor(draft, path)
  const now = role === undefined ? undefined : roleOf(draft, role).targets.get(path)
  return canonicalText(now ?? null) === canonicalText(info ?? null)
}

/** The roles that change. Throws a Refusal if nobody is trusted with one of the paths any more, or the service cannot sign for it. */
function rolesOf(
  draft: Draft,
  different: Iterable<readonly [string, unknown]>,
  { signers }: OperationContext,
): string[] {
  const roles = new Map<string, boolean>()
  const orphans: string[] = []
  const offline: string[] = []
  for (const [path] of different) {
    const role = roleFor(draft, path)
    if (role === undefined) {
      orphans.push(path)
      continue
    }
    const able = roles.get(role) ?? (isOnline(draft, role, signers) && !isPending(draft.signing, role))
    roles.set(role, able)
    if (!able) offline.push(`${path} (${role})`)
  }
  if (orphans.length > 0) throw refusal('no delegated role is trusted with them any more', orphans)
  if (offline.length > 0) throw refusal('the role of each of them is signed offline, or waits for signatures', offline)
  return [...roles.keys()]
}

function refusal(why: string, paths: readonly string[]): Refusal {
  return new Refusal(
    `${paths.length} targets cannot be taken back, for ${why}: ${shown(paths)}. Nothing was changed. Add or remove what you want by itself.`,
  )
}
