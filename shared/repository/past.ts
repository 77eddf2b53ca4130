import type { TargetFile } from '../tuf/metadata.ts'
import { changesOf, numberOfChanges } from './changes.ts'
import { committedDown } from './committed.ts'
import type { Current } from './current.ts'
import { Refusal, RepositoryError } from './errors.ts'
import type { Entry } from './journal.ts'
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
  return (await readShortPast(repository, current, number, Number.POSITIVE_INFINITY)) ?? new Map()
}

/** The same, or nothing if more targets than `limit` may have changed since; then it is not read to the end. */
export async function readShortPast(
  repository: Repository,
  current: Current,
  number: number,
  limit: number,
): Promise<Map<string, TargetFile | undefined> | undefined> {
  const past = new Map<string, TargetFile | undefined>()
  let changes = 0
  try {
    // The newest one comes first, and the earliest change has the last word.
    for await (const entry of commitsSince(repository, current, number)) {
      changes += numberOfChanges(entry)
      if (changes > limit) return undefined
      for (const { path, before } of await changesOf(repository.ports.state, entry)) past.set(path, before)
    }
  } catch (error) {
    // What is lost of the journal, or of the files that tell its changes, is no reason to stop everything else.
    if (error instanceof RepositoryError) throw new Refusal(`The journal is broken: ${error.message}`)
    throw error
  }
  return past
}

/** The commits above a number, the newest one first. */
async function* commitsSince({ ports, limits }: Repository, current: Current, number: number): AsyncGenerator<Entry> {
  const limit = Math.min(Math.max(current.entry.number - number, 0), most) + 1
  let count = 0
  for await (const entry of committedDown(ports.state, current, { limit, parallel: limits.parallel })) {
    if (entry.number === number) return
    if (entry.number < number) break
    if (count++ === most)
      throw new Refusal(
        `Commit ${number} is more than ${most} commits ago. Go back in several steps, the last one first.`,
      )
    yield entry
  }
  throw new Refusal(`There is no commit ${number}. GET /api/v1/commits, or tuffet log, lists those that there are.`)
}
