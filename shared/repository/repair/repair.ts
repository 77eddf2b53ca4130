import { isNeeded } from '../collect.ts'
import { commit } from '../commit.ts'
import { type Draft, draftFrom, provide, sign } from '../draft.ts'
import { RepositoryError } from '../errors.ts'
import { encodeEntry, entryName, stateObjectName, stateWrittenBy } from '../journal.ts'
import { expireLease, takeLease } from '../lease.ts'
import { inParallel } from '../parallel.ts'
import { preparationName } from '../preparation.ts'
import { finishBase } from '../publish.ts'
import type { Current, Repository } from '../repository.ts'
import { inboxName } from '../task.ts'
import type { Plan } from './diagnose.ts'

/**
 * Does what a diagnosis planned, for who alone may write, right after. May be repeated after a crash: what is left to do is
 * diagnosed again. Returns the number of the commit that it made, if it had to make one.
 */
export async function repair(repository: Repository, plan: Plan): Promise<number | undefined> {
  const { ports } = repository
  await expireLease(ports)
  for (const { signed, bytes } of plan.roots) {
    const file = `${signed.version}.root.json`
    await ports.metadata.delete(file)
    await ports.metadata.create(file, bytes)
  }
  for (const { prepares } of plan.leftovers)
    if (prepares !== undefined) await ports.state.delete(preparationName(prepares))
  // Whoever begins that work anew may get the same number, and find what was noted on something else.
  for (const name of plan.noted) await ports.state.delete(name)
  for (const entry of plan.leftovers) await rollBack(repository, entry, plan.current)
  if (plan.substitute !== undefined) {
    const { entry } = plan.substitute
    await ports.state.delete(entryName(entry.number))
    await ports.state.create(entryName(entry.number), encodeEntry(entry))
  }
  // These have ended, one way or the other.
  for (const id of plan.contradicted) await ports.state.delete(inboxName(id))
  const { tasks } = plan.current.entry
  const ids = tasks.map(({ id }) => id).filter((id) => !plan.contradicted.includes(id))
  await finishBase(repository, plan.current, ids)
  if (plan.commit === undefined) return undefined
  const { current, timestampTag } = plan
  const lease = await takeLease(repository, [], current.entry.number)
  if (lease === undefined) throw new RepositoryError('overtaken', 'Somebody else publishes. Stop that service first.')
  const base = { number: current.entry.number, sha256: current.sha256, current, above: plan.commit.above }
  try {
    const draft = draftOf(plan, plan.commit)
    const next = await commit(
      repository,
      { ...base, ...(timestampTag !== undefined && { timestampTag }) },
      draft,
      [],
      lease,
    )
    await finishBase(repository, next)
    return next.entry.number
  } finally {
    await lease.release('idle')
  }
}

function draftOf({ current, roles }: Plan, { decides, signs }: NonNullable<Plan['commit']>): Draft {
  const draft = draftFrom(current)
  for (const [role, signed] of roles.roles) provide(draft, role, signed)
  for (const [role, content] of roles.rebuilt) draft.roles.set(role, content)
  for (const role of signs) sign(draft, role)
  for (const name of decides) draft.decides.add(name)
  draft.signSnapshot = true
  return draft
}

/** The entry goes last: as long as it is there, somebody finds what remains. */
async function rollBack(
  { ports, limits }: Repository,
  entry: Plan['leftovers'][number],
  current: Current,
): Promise<void> {
  const files = entry.creates.filter((file) => file.startsWith(`${entry.number}.`) && !isNeeded(current, file))
  await inParallel(files, limits.parallel, (file) => ports.metadata.delete(file))
  for (const name of stateWrittenBy(entry)) await ports.state.delete(stateObjectName(entry.number, name))
  await ports.state.delete(entryName(entry.number))
}
