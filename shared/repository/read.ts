import { findTarget } from '../tuf/delegation.ts'
import type { TargetFile } from '../tuf/metadata.ts'
import type { TargetPath } from '../tuf/names.ts'
import { committedDown } from './committed.ts'
import { type Current, readCurrent, readRole } from './current.ts'
import { decodeDocument } from './documents.ts'
import { onEnding } from './endings.ts'
import { type Origin, originOf } from './history.ts'
import type { Entry } from './journal.ts'
import type { Repository } from './repository.ts'
import { type AcceptedTask, type FinishedTask, inboxName, taskName } from './task.ts'

/** Where a task stands, or nothing if there is no such task. */
export type TaskStanding =
  | { readonly state: 'PENDING'; readonly task: AcceptedTask }
  | { readonly state: FinishedTask['state']; readonly task: FinishedTask }

export async function readTask({ ports: { state } }: Repository, id: string): Promise<TaskStanding | undefined> {
  const finished = async (): Promise<TaskStanding | undefined> => {
    const stored = await state.read(taskName(id))
    if (stored === undefined) return undefined
    const task = decodeDocument<FinishedTask>(taskName(id), stored.bytes)
    return { state: task.state, task }
  }
  const before = await finished()
  if (before !== undefined) return before
  const waiting = await state.read(inboxName(id))
  if (waiting !== undefined)
    return { state: 'PENDING', task: decodeDocument<AcceptedTask>(inboxName(id), waiting.bytes) }
  // It may have moved from the one to the other in between.
  return finished()
}

/** The first pause between two looks at a task that is not finished yet, in milliseconds; it doubles up to the last. */
const pauses = { first: 5, last: 250 }

/** The same, once the task is finished, or as it stands after so many milliseconds. */
export async function waitForTask(
  repository: Repository,
  id: string,
  patience: number,
): Promise<TaskStanding | undefined> {
  const { clock } = repository.ports
  const end = clock.now().getTime() + patience
  const { promise: told, resolve: wake } = Promise.withResolvers<void>()
  const forget = onEnding(repository.cache, id, wake)
  try {
    for (let pause = pauses.first; ; pause = Math.min(pause * 2, pauses.last)) {
      const standing = await readTask(repository, id)
      const left = end - clock.now().getTime()
      if (standing?.state !== 'PENDING' || left <= 0) return standing
      await Promise.race([told, clock.sleep(Math.min(pause, left))])
    }
  } finally {
    forget()
  }
}

export interface TrustedTarget extends Origin {
  readonly path: string
  readonly role: string
  readonly target: TargetFile
}

/** What clients are told of a path, found the way they find it; nothing if no role vouches for it. */
export async function readTarget(
  repository: Repository,
  current: Current,
  path: TargetPath,
): Promise<TrustedTarget | undefined> {
  const found = await findTarget(path, current.targets, (name) => readRole(repository, current, name))
  const target = found?.metadata.signed.targets.get(path)
  if (found === undefined || target === undefined) return undefined
  const { role } = found
  const { version } = found.metadata.signed
  const origin = await originOf(repository.ports.state, current, { path, target, role, version })
  return { path, role, target, ...origin }
}

/**
 * Commits from `newest` (the current one if absent) down, at most `limit`. Follows the chain, so it shows committed ones only. One
 * after the other, for an entry may have megabytes.
 */
export async function* readCommits(
  repository: Repository,
  { newest, limit }: { readonly newest?: number; readonly limit: number },
): AsyncGenerator<Entry> {
  const current = await readCurrent(repository)
  if (current === undefined) return
  const { ports, limits } = repository
  const wanted = { ...(newest !== undefined && { newest }), limit, parallel: limits.parallel }
  yield* committedDown(ports.state, current, wanted)
}
