import type { TargetFile, Targets } from '../../tuf/metadata.ts'
import { isSameTarget, targetFaults } from '../artifact-rules.ts'
import { refuseLosing } from '../client-standing.ts'
import { readRole } from '../current.ts'
import { type Draft, roleFor, roleOf, setParked } from '../draft.ts'
import { Refusal, shown } from '../errors.ts'
import { lineOf, listName, writeList } from '../listed.ts'
import { type Found, type LongWork, nothingFound, type Planning, type Unit, unitOfEach } from '../long-work.ts'
import { pathsParkedBefore, withoutOvertaken } from '../parked.ts'
import { type Past, readPast } from '../past.ts'
import type { RevertRequest } from '../task.ts'
import { applyChanges } from './artifacts.ts'
import type { Operation, OperationContext } from './operation.ts'
import { signsAtOnce } from './waiting.ts'

/**
 * Publishes the targets of an earlier commit again, as a commit of its own. Keys, settings and delegations stay as they are: each
 * target goes into the role that is trusted with its path now.
 */
export const revert: Operation<'revert'> = {
  refusedMessage: 'Revert Failed',
  past: ({ commit }) => commit,
  needs: (draft, _, { past }) => [...targetsOf(draft, past).keys()].flatMap((path) => roleFor(draft, path) ?? []),
  long: { is: (_draft, _request, _aheadFrom, { past }) => past === undefined, plan },
  apply(draft, { commit }, context) {
    const { taskId: task, principal, prepared } = context
    if (prepared !== undefined) {
      setParked(draft, withoutOvertaken(draft.parked, prepared.overtaken, task))
      return { message: 'Revert Processed', details: prepared.details }
    }
    const different = [...targetsOf(draft, context.past)].filter(([path, info]) => !isNow(draft, path, info))
    const roles = rolesOf(draft, different, context)
    refuseUnfit(draft, different)
    const changes = different.map(([path, info]) => ({ path, ...(info && { info }), task, principal }))
    applyChanges(draft, changes)
    const restored = changes.filter(({ info }) => info !== undefined).map(({ path }) => path)
    const removed = changes.filter(({ info }) => info === undefined).map(({ path }) => path)
    return {
      message: 'Revert Processed',
      details: {
        commit,
        ...{ restored: restored.length, removed: removed.length },
        ...{ restored_artifacts: restored, removed_artifacts: removed, artifact_roles: roles },
      },
    }
  },
}

type Value = readonly [path: string, info: TargetFile | undefined]

/** The same for what may be a million targets. */
async function plan(planning: Planning, { commit }: RevertRequest, context: OperationContext): Promise<LongWork> {
  const { repository, at, later, draft, taskId } = planning
  const past = await readPast(repository, at, commit)
  for (const path of later.keys()) past.delete(path)
  const placed = await placePaths(planning, past, context)
  const parked = pathsParkedBefore(at.parked, taskId)
  const [restored, removed, overtaken]: [string[], string[], string[]] = [[], [], []]

  const make = ({ makes: [role = ''] }: Unit, contents: ReadonlyMap<string, Targets>) => {
    const content = contents.get(role)
    if (content === undefined) throw new Error(`Role ${role} was read before its targets are taken back.`)
    const targets = new Map<string, TargetFile>(content.targets)
    const different: Value[] = []
    for (const path of placed.get(role) ?? []) {
      const [now, info] = [targets.get(path), past.get(path)]
      if (isSameTarget(now, info)) continue
      different.push([path, info])
      if (parked.has(path)) overtaken.push(path)
      const line = lineOf({ path, ...(now && { before: now }), ...(info && { after: info }) })
      if (info === undefined) {
        targets.delete(path)
        removed.push(line)
      } else {
        targets.set(path, info)
        restored.push(line)
      }
    }
    refuseUnfit(draft, different)
    return new Map([[role, { ...content, targets }]])
  }
  const facts = async (number: number, { restored, removed, overtaken }: Found) => {
    const details = { commit, restored: restored.length, removed: removed.length, updated_roles: placed.size }
    const listed = await writeList(repository.ports.state, listName(taskId, number), [...restored, ...removed])
    return { details, warnings: [], overtaken, listed }
  }
  return {
    draft,
    units: unitOfEach(placed.keys()),
    make,
    found: () => ({ ...nothingFound, restored, removed, overtaken }),
    facts,
  }
}

/**
 * The paths of targets, by the role that they go into. Throws a Refusal if nobody is trusted with one of the paths any more, or
 * the service cannot sign for it.
 */
async function placePaths(
  { repository, at, draft }: Planning,
  past: Past,
  context: OperationContext,
): Promise<Map<string, string[]>> {
  const placed = new Map<string, string[]>()
  const unplaced: Value[] = []
  for (const [path, info] of past) {
    const role = roleFor(draft, path)
    if (role === undefined && info !== undefined) unplaced.push([path, info])
    if (role === undefined) continue
    const paths = placed.get(role)
    if (paths === undefined) placed.set(role, [path])
    else paths.push(path)
  }
  for (const [role, paths] of placed) {
    if (signsAtOnce(draft, role, context.signers)) continue
    // What stays as it is nobody has to sign.
    const { targets } = (await readRole(repository, at, role)).signed
    for (const path of paths)
      if (!isSameTarget(targets.get(path), past.get(path))) unplaced.push([path, past.get(path)])
    placed.delete(role)
  }
  rolesOf(draft, unplaced, context)
  return placed
}

/** What is to be undone: what commits have changed since, and the tasks that this commit does before this one. */
function targetsOf(draft: Draft, past: Past | undefined): Past {
  if (past === undefined) return new Map()
  return new Map([...[...draft.changes].map(([path, { before }]) => [path, before] as const), ...past])
}

function isNow(draft: Draft, path: string, info: TargetFile | undefined): boolean {
  const role = roleFor(draft, path)
  return isSameTarget(role === undefined ? undefined : roleOf(draft, role).targets.get(path), info)
}

/** Holders may have signed, elsewhere and before this was looked at, what the service would not. */
function refuseUnfit(draft: Draft, different: readonly Value[]): void {
  const faults = targetFaults(different)
  if (faults !== undefined) {
    throw new Refusal(
      `Targets cannot be taken back that clients trip over. ${faults} Nothing was changed. Add or remove what you want by itself.`,
    )
  }
  refuseLosing(
    draft,
    different.map(([path, info]) => ({ path, ...(info && { info }) })),
  )
}

/** The roles that change. Throws a Refusal if nobody is trusted with one of the paths any more, or the service cannot sign for it. */
function rolesOf(draft: Draft, different: Iterable<Value>, { signers }: OperationContext): string[] {
  const roles = new Map<string, boolean>()
  const orphans: string[] = []
  const offline: string[] = []
  for (const [path] of different) {
    const role = roleFor(draft, path)
    if (role === undefined) {
      orphans.push(path)
      continue
    }
    const able = roles.get(role) ?? signsAtOnce(draft, role, signers)
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
