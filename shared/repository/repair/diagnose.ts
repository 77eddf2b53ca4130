import type { Root } from '../../tuf/metadata.ts'
import type { Signed } from '../../tuf/signed.ts'
import { treeOfCurrent } from '../current.ts'
import { RepositoryError } from '../errors.ts'
import { contradicts } from '../finish.ts'
import { type Entry, entryName, type StateName, type StoredEntry } from '../journal.ts'
import { describeKeysNotHeld, keysNotHeld } from '../keys-not-held.ts'
import { inParallel } from '../parallel.ts'
import type { Tag } from '../ports.ts'
import { preparationName, readPreparation } from '../preparation.ts'
import type { Current, Repository } from '../repository.ts'
import { inboxName, taskIdIn, taskName } from '../task.ts'
import { canSign, rolesBelow, signersOf, type Tree } from '../tree.ts'
import { findHead, type Head } from './head.ts'
import { biggestNumber, type Inventory, notedAhead, takeInventory } from './inventory.ts'
import type { Notes } from './notes.ts'
import { recoverDays } from './private-state.ts'
import { type RecoveredRoles, recoverRoles } from './recover.ts'
import { recoverCurrent } from './recover-current.ts'
import { recoverRoots } from './roots.ts'

/** What a repair would do, and what it needs to do it. */
export interface Diagnosis extends Readonly<Notes> {
  /** Absent where nothing was ever published, or where the repair is blocked. */
  readonly plan?: Plan
}

export interface Plan {
  readonly current: Current
  readonly roles: RecoveredRoles
  /** Of the `timestamp.json` that is there, good or not. */
  readonly timestampTag?: Tag
  /** Begun above the newest commit, and not made. */
  readonly leftovers: readonly Entry[]
  /** What was noted of work ahead that begins anew: files beside the journal that belong to these, and what nobody can read. */
  readonly noted: readonly string[]
  /** Tasks of the newest commit whose records say something else. */
  readonly contradicted: readonly string[]
  /** Published once; their files are lost. */
  readonly roots: readonly Signed<Root>[]
  /** In place of the newest commit's entry, which is lost. */
  readonly substitute?: StoredEntry
  readonly commit?: PlannedCommit
}

/** Makes what was mended the current state. */
export interface PlannedCommit {
  readonly above: number
  /** Private state that it decides anew. */
  readonly decides: readonly StateName[]
  /** Roles that it signs. */
  readonly signs: readonly string[]
}

export interface RepairOptions {
  /** Sign everything anew under a number above this one, for clients may have seen it. */
  readonly above?: number
}

/** Looks through everything that is stored, and says what is to be mended, and how. Changes nothing. For who alone may write. */
export async function diagnose(repository: Repository, { above }: RepairOptions = {}): Promise<Diagnosis> {
  const notes: Notes = { steps: [], lost: [], blocked: [] }
  const inventory = await takeInventory(repository)
  if (inventory.entries.size === 0 && !inventory.metadata.has('timestamp.json')) return notes
  const published = await recoverRoots(repository, inventory, notes)
  if (published === undefined) return notes
  const head = await findHead(repository, published.newest, inventory, notes)
  if (head === undefined) {
    notes.blocked.push('Neither timestamp.json nor an entry of the journal can be read. Restore them from a backup.')
    return notes
  }
  const recovered = await recoverCurrent(repository, published.newest, head, inventory, notes)
  if (recovered === undefined) return notes
  const { lost, snapshotIsLost } = recovered
  noteHistory(head, notes)
  const tree = treeOfCurrent(recovered.current)
  const roles = await recoverRoles(repository, recovered.current, tree, head.journal, notes)
  if (notes.blocked.length > 0) return notes

  const { timestamp, snapshot, delegators } = recovered.current
  const known = [...Object.entries({ timestamp, snapshot }), ...delegators, ...roles.roles]
  const settings = lost.includes('settings')
    ? await recoverDays(repository, recovered.current.settings, known, inventory.entries)
    : recovered.current.settings
  const current = { ...recovered.current, settings }
  const { number } = current.entry
  const leftovers = leftoversOf(number, head, inventory, notes)
  const unreadable = await unreadablePreparations(repository, inventory, notes)
  const contradicted = await contradictedRecords(repository, current, notes)
  noteUnfinished(current, published.newest, inventory, notes)
  if (above !== undefined) noteAbove(repository, tree, above, notes)

  const commits = head.timestamp === undefined || lost.length > 0 || roles.rebuilt.size > 0 || snapshotIsLost
  const signs = above === undefined ? [...roles.rebuilt.keys()] : onlineRoles(repository, tree)
  if (commits || above !== undefined) noteMissingKeys(repository, current, notes)
  if (notes.blocked.length > 0) return notes
  const commit = { above: Math.max(above ?? 0, number, biggestNumber(inventory)), decides: lost, signs }
  return {
    ...notes,
    plan: {
      ...{ current, roles, leftovers, roots: published.restored, contradicted },
      noted: [...notedAhead(inventory, leftovers), ...unreadable],
      ...(head.timestampTag !== undefined && { timestampTag: head.timestampTag }),
      ...(head.isSubstitute && { substitute: head.stored }),
      ...((commits || above !== undefined) && { commit }),
    },
  }
}

/** Begun above the newest commit, `number`, and not made; and what was prepared for tasks that are not done. */
function leftoversOf(number: number, { journal }: Head, { entries }: Inventory, notes: Notes): Entry[] {
  const ended = new Set(journal.chain.flatMap(({ prepared }) => prepared?.claimed ?? []))
  const isLeft = (entry: Entry) => (entry.prepares === undefined ? entry.number > number : !ended.has(entry.number))
  const leftovers = [...entries.values()].map(({ entry }) => entry).filter(isLeft)
  for (const { number, creates, prepares } of leftovers) {
    const what =
      prepares === undefined ? 'which was begun and not made' : `prepared for task ${prepares}, which begins anew`
    notes.steps.push(`Roll back commit ${number}, ${what} (${creates.length} files).`)
  }
  return leftovers
}

async function unreadablePreparations({ ports, limits }: Repository, { state }: Inventory, { steps }: Notes) {
  const ids = [...state].filter((name) => name.startsWith('preparations/')).flatMap((name) => taskIdIn(name) ?? [])
  const found = await inParallel(ids, limits.parallel, async (id) => {
    try {
      await readPreparation(ports.state, id)
      return []
    } catch (error) {
      if (error instanceof RepositoryError && error.code === 'corrupt') return [preparationName(id)]
      throw error
    }
  })
  const names = found.flat()
  for (const name of names) steps.push(`Take away ${name}, which is spoilt: its task begins anew.`)
  return names
}

/** No later entry vouches for the newest one by its hash, so what it says may be spoilt as well as what they say. */
async function contradictedRecords({ ports, limits }: Repository, { entry }: Current, { lost }: Notes) {
  const found = await inParallel(entry.tasks, limits.parallel, async (task) => {
    const stored = await ports.state.read(taskName(task.id))
    return stored !== undefined && contradicts(stored.bytes, entry.number, task) ? [task.id] : []
  })
  const ids = found.flat()
  for (const id of ids)
    lost.push(
      `How task ${id} ended: ${entryName(entry.number)} and ${taskName(id)} contradict each other, so one of them was edited or spoilt. Both stay as they are, and the service goes on. If a backup has one of them as it was, put it back.`,
    )
  return ids
}

/** Nothing builds on it but what looks back. */
function noteHistory({ journal: { chain, complete } }: Head, notes: Notes): void {
  const oldest = chain.at(-1)
  if (complete || oldest === undefined) return
  notes.lost.push(
    `History before commit ${oldest.number}: ${entryName(oldest.base.number)} is missing or spoilt. The service goes on; tuffet log and tuffet revert reach no further back. If a backup has it as it was, put it back.`,
  )
}

/** What the commit has decided and nobody has completed. */
function noteUnfinished({ entry, root }: Current, published: Signed<Root>, { state }: Inventory, notes: Notes): void {
  const waiting = entry.tasks.filter(({ id }) => state.has(inboxName(id)))
  const isRootMissing = entry.state.root === entry.number && root.signed.version > published.signed.version
  if (isRootMissing) notes.steps.push(`Publish root ${root.signed.version}, which commit ${entry.number} has decided.`)
  if (waiting.length > 0)
    notes.steps.push(`Finish commit ${entry.number}: write down how ${waiting.length} of its tasks ended.`)
}

/** Whatever a commit signs, it signs these two. */
function noteMissingKeys({ ports }: Repository, current: Current, notes: Notes): void {
  const lacking = keysNotHeld(current, ports.signers).filter(({ role }) => role === 'timestamp' || role === 'snapshot')
  if (lacking.length === 0) return
  notes.blocked.push(
    `It takes a commit, and nobody is here to sign ${describeKeysNotHeld(lacking)}. Name the files of these keys with --key, as the service has them.`,
  )
}

function noteAbove({ ports }: Repository, tree: Tree, above: number, notes: Notes): void {
  notes.steps.push(`Sign everything that the service signs anew, under a number above ${above}.`)
  const online = new Set(onlineRoles({ ports }, tree))
  const offline = ['targets', ...rolesBelow(tree)].filter((role) => !online.has(role))
  if (offline.length === 0) return
  notes.lost.push(
    `Newer versions of ${offline.join(', ')} (signed offline), if clients have seen some: their holders have to sign again.`,
  )
}

function onlineRoles({ ports }: Pick<Repository, 'ports'>, tree: Tree): string[] {
  return ['targets', ...rolesBelow(tree)].filter((role) => canSign(signersOf(tree, role), ports.signers))
}
