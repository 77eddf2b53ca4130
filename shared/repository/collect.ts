import { day } from '../tuf/expiry.ts'
import { versionOf } from '../tuf/metadata.ts'
import { collectImports } from './collect-imports.ts'
import { type Current, readCurrent } from './current.ts'
import { type Document, decodeDocument, schemaVersion, writeDocument } from './documents.ts'
import { RepositoryError } from './errors.ts'
import {
  type AgedEntry,
  type Entry,
  entriesAfter,
  entryName,
  findEntry,
  parseFile,
  type StateVersions,
  stateNames,
  stateObjectName,
  stateWrittenBy,
} from './journal.ts'
import { listName } from './listed.ts'
import { inParallel } from './parallel.ts'
import type { Stored } from './ports.ts'
import { collectRecords } from './records.ts'
import type { Repository } from './repository.ts'
import { inboxName, taskIdIn } from './task.ts'

/**
 * `collected.json`: how far collection has come. Nothing but a hint: without it, collection begins at the first commit and
 * deletes again what is gone.
 */
interface CollectedDocument extends Document {
  /** ISO 8601, UTC. Makes each version a new one, so that its age says how long ago somebody collected. */
  readonly time: string
  /** Of every commit up to this number all is gone that may go. */
  readonly through: number
  /** The idempotency record that was looked at last; empty for none. */
  readonly idempotency: string
  /** The run before ended because it had done enough, not because nothing was left. */
  readonly more: boolean
}

const name = 'collected.json'

/** How long an entry that was not committed stays: far more than its publisher or a request in flight can live. */
const abortedFor = day

export interface CollectOptions {
  /** Takes old records of tasks and of idempotency keys away, too, where no lifecycle rule of the store does. */
  readonly records?: boolean
}

export interface Collected {
  /** Files and pieces of private state that commits superseded. */
  readonly superseded: number
  /** Entries that were never committed, which went with all that they had created. */
  readonly aborted: number
  readonly records: number
}

export const nothingCollected: Collected = { superseded: 0, aborted: 0, records: 0 }

/**
 * Takes away what nobody needs any more: what a commit superseded, once that commit has been visible for the retention time; and
 * what commits left behind that were not made. Does nothing if somebody else collected a little while ago, so it may be
 * called as often as one likes, by several at once. Reads the entries of commits that have come of age since, and no others.
 */
export async function collect(repository: Repository, { records = false }: CollectOptions = {}): Promise<Collected> {
  const { ports, limits } = repository
  const stored = await ports.state.read(name)
  const hint = stored && readHint(stored)
  if (stored !== undefined && hint?.more !== true && stored.age < limits.collectEvery) return nothingCollected
  const timestamp = await ports.metadata.read('timestamp.json')
  const current = await readCurrent(repository)
  // A commit came between: another time.
  if (timestamp === undefined || current?.timestampTag !== timestamp.tag) return nothingCollected
  const { number } = current.entry
  // A hint from beyond the current commit is one of times that a restored backup has undone.
  const from = hint !== undefined && hint.through <= number ? hint.through : 0
  const commits = await collectCommits(repository, current, timestamp.age, from)
  await collectPreparations(repository)
  const old = records ? await collectRecords(repository, hint?.idempotency ?? '') : { deleted: 0, at: '', more: false }
  const imports = await collectImports(repository)
  const next: CollectedDocument = {
    schema: schemaVersion,
    time: ports.clock.now().toISOString(),
    through: commits.through,
    idempotency: old.at,
    more: commits.more || old.more,
  }
  // If somebody else has collected meanwhile, they have said so.
  await writeDocument(ports.state, name, next, stored)
  return { superseded: commits.superseded, aborted: commits.aborted, records: old.deleted + imports }
}

interface Progress {
  superseded: number
  aborted: number
  through: number
  more: boolean
}

/** Goes through the journal from the oldest entry that was not done yet, up to the first whose time has not come. */
async function collectCommits(
  repository: Repository,
  current: Current,
  /** How long the current commit has been visible. */
  age: number,
  from: number,
): Promise<Progress> {
  const { ports, limits } = repository
  const { number } = current.entry
  const progress: Progress = { superseded: 0, aborted: 0, through: from, more: false }
  /** Of the commit that the one at hand builds on. */
  let before: { readonly number: number; readonly state: StateVersions } | undefined
  /** Read, and not known yet whether they were committed. */
  const open: AgedEntry[] = []

  for await (const next of entriesAfter(ports.state, from, number, limits.parallel)) {
    // What others build on was committed, and visible when they began.
    if (!(await settleUpTo(next.entry.base.number, next.age))) return progress
    open.push(next)
  }
  await settleUpTo(number, age)
  return progress

  /** Up to a committed entry: those below it that nobody had built on never were. False if the time of one has not come. */
  async function settleUpTo(committed: number, visibleFor: number): Promise<boolean> {
    const below = open.splice(0, open.findLastIndex(({ entry }) => entry.number <= committed) + 1)
    const last = below.at(-1)?.entry.number
    if (last === committed) {
      for (const oldest of below) if (!(await settle(oldest, committed, visibleFor))) return false
    }
    // Its entry is lost, and with it which of these it was built on: they stay.
    else if (last !== undefined) progress.through = last
    return true
  }

  /** False if its time has not come. */
  async function settle(oldest: AgedEntry, committed: number, visibleFor: number): Promise<boolean> {
    if (progress.superseded + progress.aborted >= limits.collectedPerCycle) {
      progress.more = true
      return false
    }
    const isCommitted = oldest.entry.number === committed
    if (oldest.entry.prepares !== undefined) {
      // Goes with the commit that ends that work, however long it takes.
      progress.through = oldest.entry.number
      return true
    }
    if (isCommitted ? visibleFor < limits.retention : oldest.age < abortedFor) return false
    if (isCommitted) {
      progress.superseded += await deleteSuperseded(oldest)
      await deletePrepared(oldest.entry)
    } else {
      await deleteAborted(oldest)
      progress.aborted++
    }
    progress.through = oldest.entry.number
    return true
  }

  async function deleteSuperseded({ entry }: AgedEntry): Promise<number> {
    const decided = stateWrittenBy(entry)
    if (decided.length > 0 && entry.base.number > 0 && before?.number !== entry.base.number)
      before = await findEntry(ports.state, entry.base.number)
    const versions = before
    const states = versions === undefined ? [] : decided.map((part) => stateObjectName(versions.state[part], part))
    before = entry
    return deleteAll(entry.supersedes, states)
  }

  /** What was signed ahead for this commit and not taken over. Of what was, the entry says when it was signed, and stays. */
  async function deletePrepared({ prepared, creates, imported, listed, tasks }: Entry): Promise<void> {
    if (prepared === undefined) return
    const taken = new Set(creates)
    // Of one that was left out unread it is not known what it was.
    const mayList = tasks.every(({ result: { task } }) => task === undefined || task === 'revert')
    for (const number of prepared.claimed) {
      const claim = await findEntry(ports.state, number)
      if (claim === undefined) continue
      const files = claim.creates.filter((file) => !taken.has(file))
      await deleteAll(files, [])
      const held = imported && `${imported.bulk}.${number}.before`
      if (held !== undefined && held !== imported?.before) await ports.state.delete(held)
      const list = listName(prepared.task, number)
      if (mayList && list !== listed?.file) await ports.state.delete(list)
      if (files.length === claim.creates.length) await ports.state.delete(entryName(number))
    }
  }

  /** The entry goes last: as long as it is there, somebody finds what remains. */
  async function deleteAborted({ entry, name }: AgedEntry): Promise<void> {
    const states = stateWrittenBy(entry).map((part) => stateObjectName(entry.number, part))
    // What it was to take over lies under another number, and may have become another commit's.
    const own = entry.creates.filter((file) => file.startsWith(`${entry.number}.`))
    await deleteAll(own, states)
    await ports.state.delete(name)
  }

  async function deleteAll(files: readonly string[], states: readonly string[]): Promise<number> {
    const superseded = files.filter((file) => !isNeeded(current, file))
    const needed = new Set(stateNames.map((part) => stateObjectName(current.entry.state[part], part)))
    const old = states.filter((object) => !needed.has(object))
    await inParallel(superseded, limits.parallel, (file) => ports.metadata.delete(file))
    await inParallel(old, limits.parallel, (object) => ports.state.delete(object))
    return superseded.length + old.length
  }
}

/** A publisher's request to prepare may come again, if its answer was lost, when the task is long finished. */
async function collectPreparations({ ports: { state }, limits }: Repository): Promise<void> {
  await inParallel(await state.list('preparations/'), limits.parallel, async (name) => {
    const id = taskIdIn(name)
    if (id !== undefined && (await state.read(inboxName(id))) === undefined) await state.delete(name)
  })
}

/** Roots stay for ever, and so does what clients read now, whatever the journal may say of it. */
export function isNeeded({ snapshot }: Current, file: string): boolean {
  const { version, role } = parseFile(file) ?? {}
  if (role === undefined || role === 'root') return true
  return versionOf(snapshot.signed, role) === version
}

function readHint({ bytes }: Stored): CollectedDocument | undefined {
  try {
    return decodeDocument<CollectedDocument>(name, bytes)
  } catch (error) {
    if (error instanceof RepositoryError) return undefined
    throw error
  }
}
