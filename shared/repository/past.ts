import type { TargetFile } from '../tuf/metadata.ts'
import { changesOf, numberOfChanges, type Told } from './changes.ts'
import type { Current } from './current.ts'
import { Refusal, RepositoryError } from './errors.ts'
import { type Entry, entriesAfter } from './journal.ts'
import type { Repository } from './repository.ts'

/**
 * The targets as they were once some commit had been made, told by what has changed since: the value of each path that has;
 * nothing where there was no such target.
 */
export type Past = ReadonlyMap<string, TargetFile | undefined>

/** Journal entries that one task may ask for: more, and the publisher would be busy with it for minutes. */
const most = 20_000

/** Reads it from the journal, whatever became of the files. Throws a Refusal if there is no such commit, or it is too long ago. */
export async function readPast(
  repository: Repository,
  current: Current,
  number: number,
): Promise<Map<string, TargetFile | undefined>> {
  return refusingBroken(async () => valuesBefore(repository, await commitsSince(repository, current, number)))
}

/** The same, or nothing if more targets than `limit` may have changed since. */
export async function readShortPast(
  repository: Repository,
  current: Current,
  number: number,
  limit: number,
): Promise<Past | undefined> {
  return refusingBroken(async () => {
    const commits = await commitsSince(repository, current, number)
    const changes = commits.reduce((sum, told) => sum + numberOfChanges(told), 0)
    return changes > limit ? undefined : valuesBefore(repository, commits)
  })
}

/** What is lost of the journal, or of the files that tell its changes, is no reason to stop everything else. */
async function refusingBroken<Value>(read: () => Promise<Value>): Promise<Value> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof RepositoryError) throw new Refusal(`The journal is broken: ${error.message}`)
    throw error
  }
}

/** Of what each of these commits has changed. The newest one comes first, and the earliest change has the last word. */
async function valuesBefore({ ports }: Repository, commits: readonly Told[]) {
  const past = new Map<string, TargetFile | undefined>()
  for (const told of commits) for (const { path, before } of await changesOf(ports.state, told)) past.set(path, before)
  return past
}

/** What the commits above a number tell of changes, the newest one first. */
async function commitsSince(repository: Repository, { entry }: Current, number: number): Promise<readonly Told[]> {
  const entries = await readSince(repository, entry.number, number)
  const commits: Told[] = []
  let at = entry.number
  while (at > number) {
    const one = entries.get(at)
    if (one === undefined) throw new Refusal(`The journal is broken: commit ${at} is missing.`)
    commits.push(one)
    at = one.base.number
  }
  if (at !== number || !entries.has(number))
    throw new Refusal(`There is no commit ${number}. GET /api/v1/commits, or tuffet log, lists those that there are.`)
  return commits
}

async function readSince({ ports, limits }: Repository, last: number, number: number) {
  const entries = new Map<number, Told & Pick<Entry, 'base'>>()
  for await (const { entry } of entriesAfter(ports.state, number - 1, last, limits.parallel)) {
    const { changes, imported, listed, base } = entry
    entries.set(entry.number, { changes, base, ...(imported && { imported }), ...(listed && { listed }) })
    if (entries.size > most)
      throw new Refusal(
        `Commit ${number} is more than ${most} commits ago. Go back in several steps, the last one first.`,
      )
  }
  return entries
}
