import { type AwaitedSignatures, readAwaited } from './awaited.ts'
import { type Current, readCurrent } from './current.ts'
import { decodeDocument } from './documents.ts'
import { RepositoryError } from './errors.ts'
import { type BootstrapDocument, bootstrapName } from './found.ts'
import { acceptedTask, listInbox } from './inbox.ts'
import { firstToExpire, type Life } from './refresh.ts'
import { type HeldRole, heldOffline, heldRoot } from './renewal.ts'
import type { Repository } from './repository.ts'
import { type RotationStanding, readRotation } from './rotation-standing.ts'
import { inboxName } from './task.ts'

/** How far the founding of the repository has come; nothing if nobody has begun. */
export interface Founding {
  /** 'pre': asked for, not decided yet. 'signing': its root waits for signatures. 'finished': clients can read it. */
  readonly state: 'pre' | 'signing' | 'finished'
  /** The task that founds it, where one is known. */
  readonly taskId?: string
}

export async function readFounding(repository: Repository): Promise<Founding | undefined> {
  const current = await readCurrent(repository)
  const stored = await repository.ports.state.read(bootstrapName)
  const head = stored && readBootstrapDocument(stored.bytes, current !== undefined)
  const taskId = head?.sealed?.taskId
  if (current !== undefined) return { state: 'finished', ...(taskId !== undefined && { taskId }) }
  if (taskId !== undefined) return { state: 'pre', taskId }
  if (head?.pending !== undefined) return { state: 'signing' }
  return waitingBootstrap(repository)
}

/** Nothing builds on it once the repository is founded: spoilt, it keeps nobody from their work then. */
function readBootstrapDocument(bytes: Uint8Array, isFounded: boolean): BootstrapDocument | undefined {
  try {
    return decodeDocument<BootstrapDocument>(bootstrapName, bytes)
  } catch (error) {
    if (isFounded && error instanceof RepositoryError) return undefined
    throw error
  }
}

/** So early, the inbox holds little else. */
async function waitingBootstrap(repository: Repository): Promise<Founding | undefined> {
  for (const id of await listInbox(repository, 10)) {
    const stored = await repository.ports.state.read(inboxName(id))
    const task = stored && acceptedTask(id, stored.bytes)
    if (task?.request.kind === 'bootstrap') return { state: 'pre', taskId: id }
  }
  return undefined
}

/** What a person wants to know who looks after the repository. */
export interface Status {
  readonly founding: Founding | undefined
  readonly waiting: WaitingTasks
  /** Metadata that waits for its holders. */
  readonly awaited: readonly AwaitedSignatures[]
  /** Absent before clients can read anything. */
  readonly published?: PublishedStatus
}

export interface WaitingTasks {
  readonly count: number
  /** True if there are more than were counted. */
  readonly more: boolean
  /** When the one was accepted that has waited longest. */
  readonly oldest?: Date
}

export interface PublishedStatus {
  readonly current: Current
  /** The first of each kind of online role to expire, the first of all first. */
  readonly firstToExpire: readonly Life[]
  readonly root: HeldRole
  /** The roles below the root that the service cannot sign anew, the first to expire in front. */
  readonly signedOffline: readonly HeldRole[]
  /** Absent while no online key changes. */
  readonly rotation?: RotationStanding
}

export async function readStatus(repository: Repository): Promise<Status> {
  const [founding, waiting, current] = await Promise.all([
    readFounding(repository),
    readWaiting(repository),
    readCurrent(repository),
  ])
  const awaited = await readAwaited(repository, current)
  if (current === undefined) return { founding, waiting, awaited }
  const rotation = await readRotation(repository, current)
  return {
    founding,
    waiting,
    awaited,
    published: {
      current,
      firstToExpire: await firstToExpire(repository, current),
      root: await heldRoot(repository, current),
      signedOffline: await heldOffline(repository, current),
      ...(rotation && { rotation }),
    },
  }
}

const maximumCounted = 1000

async function readWaiting(repository: Repository): Promise<WaitingTasks> {
  const ids = await listInbox(repository, maximumCounted + 1)
  const count = Math.min(ids.length, maximumCounted)
  const more = ids.length > maximumCounted
  for (const id of ids) {
    const stored = await repository.ports.state.read(inboxName(id))
    // It may have been finished meanwhile, or be no task.
    const task = stored && acceptedTask(id, stored.bytes)
    if (task !== undefined) return { count, more, oldest: new Date(task.accepted) }
  }
  return { count: 0, more: false }
}
