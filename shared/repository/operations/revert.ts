import { canonicalText } from '../../tuf/canonical.ts'
import type { TargetFile, Targets } from '../../tuf/metadata.ts'
import { targetFaults } from '../artifact-rules.ts'
import { refuseLosing } from '../client-standing.ts'
import { readRole } from '../current.ts'
import { type Draft, roleFor, roleOf, setParked } from '../draft.ts'
import { Refusal, shown } from '../errors.ts'
import type { Held } from '../imported.ts'
import type { Change } from '../journal.ts'
import { listName, writeList } from '../listed.ts'
import type { Found, LongWork, Planning, Unit } from '../long-work.ts'
import { withoutOvertaken } from '../parked.ts'
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
  const past = new Map([...(await readPast(repository, at, commit))].filter(([path]) => !later.has(path)))
  const placed = await placeValues(planning, past, context)
  const parked = new Set<string>(at.parked.changes.filter(({ task }) => task < taskId).map(({ path }) => path))
  const held: Held[] = []
  const overtaken: string[] = []

  const make = ({ makes: [role = ''] }: Unit, contents: ReadonlyMap<string, Targets>) => {
    const content = contents.get(role)
    if (content === undefined) throw new Error(`Role ${role} was read before its targets are taken back.`)
    const targets = new Map<string, TargetFile>(content.targets)
    const different: Value[] = []
    for (const value of placed.get(role) ?? []) {
      const [path, info] = value
      const now = targets.get(path)
      if (now !== undefined) held.push({ path, info: now })
      if (isSame(now, info)) continue
      different.push(value)
      if (parked.has(path)) overtaken.push(path)
      if (info === undefined) targets.delete(path)
      else targets.set(path, info)
    }
    refuseUnfit(draft, different)
    return new Map([[role, { ...content, targets }]])
  }
  const facts = async (number: number, { held, overtaken }: Found) => {
    const now = new Map<string, TargetFile>(held.map(({ path, info }) => [path, info]))
    const changes = changesBetween(now, past)
    const removed = changes.filter(({ after }) => after === undefined).length
    const details = { commit, restored: changes.length - removed, removed, updated_roles: placed.size }
    const listed = await writeList(repository.ports.state, listName(taskId, number), changes)
    return { details, warnings: [], overtaken, listed }
  }
  const units = [...placed.keys()].map((role) => ({ makes: [role], reads: [role] }))
  return { draft, units, make, found: () => ({ held, overtaken, odd: [] }), facts }
}

/**
 * What targets are to be, by the role that they go into. Throws a Refusal if nobody is trusted with one of the paths any more, or
 * the service cannot sign for it.
 */
async function placeValues(
  { repository, at, draft }: Planning,
  past: Past,
  context: OperationContext,
): Promise<Map<string, Value[]>> {
  const placed = new Map<string, Value[]>()
  const unplaced: Value[] = []
  for (const value of past) {
    const [path, info] = value
    const role = roleFor(draft, path)
    if (role === undefined && info !== undefined) unplaced.push(value)
    if (role === undefined) continue
    const values = placed.get(role)
    if (values === undefined) placed.set(role, [value])
    else values.push(value)
  }
  for (const [role, values] of placed) {
    if (signsAtOnce(draft, role, context.signers)) continue
    // What stays as it is nobody has to sign.
    const { targets } = (await readRole(repository, at, role)).signed
    unplaced.push(...values.filter(([path, info]) => !isSame(targets.get(path), info)))
    placed.delete(role)
  }
  rolesOf(draft, unplaced, context)
  return placed
}

function changesBetween(now: ReadonlyMap<string, TargetFile>, past: Past): Change[] {
  const changes: Change[] = []
  for (const [path, after] of past) {
    const before = now.get(path)
    if (!isSame(before, after)) changes.push({ path, ...(before && { before }), ...(after && { after }) })
  }
  return changes
}

/** What is to be undone: what commits have changed since, and the tasks that this commit does before this one. */
function targetsOf(draft: Draft, past: Past | undefined): Past {
  if (past === undefined) return new Map()
  return new Map([...[...draft.changes].map(([path, { before }]) => [path, before] as const), ...past])
}

function isNow(draft: Draft, path: string, info: TargetFile | undefined): boolean {
  const role = roleFor(draft, path)
  return isSame(role === undefined ? undefined : roleOf(draft, role).targets.get(path), info)
}

function isSame(one: TargetFile | undefined, other: TargetFile | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return canonicalText(one) === canonicalText(other)
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
