import { constants, getPriority, setPriority } from 'node:os'
import { join } from 'node:path'
import type { MessagePort } from 'node:worker_threads'
import { directoryObjectStore } from '../adapters/local/directory-object-store.ts'
import { noFileMemory } from '../adapters/local/file-memory.ts'
import { keyFileSigner } from '../adapters/local/key-file-signer.ts'
import { systemClock } from '../adapters/local/system-clock.ts'
import { waitingFileSystem } from '../adapters/local/waiting-file-system.ts'
import type { ObjectStore } from '../repository/ports.ts'
import { openRepository, type Repository } from '../repository/repository.ts'
import { borrowedStore } from './lent-store.ts'

/** What a thread works on: a data directory, the files of its online keys, a task. */
export interface PreparerWork {
  readonly data: string
  readonly keys: readonly string[]
  readonly taskId: string
  /** See `Limits`: what work goes on from has to outlast it. */
  readonly retention: number
  /** Lends the state store; absent: nothing is written there, and no task read. */
  readonly state?: MessagePort
}

/**
 * Has this thread, and those that it starts, come after the publisher's where a processor is short. On Linux a priority is a thread's own;
 * elsewhere it is that of the whole process.
 */
export function comeAfterPublisher(): void {
  if (process.platform !== 'linux') return
  // From where the service is: nobody but root may go up again.
  const after = Math.min(getPriority() + 5, constants.priority.PRIORITY_LOW)
  try {
    setPriority(after)
  } catch {
    // Where this is forbidden the work is done all the same.
  }
}

/**
 * The repository for threads beside the publisher, which has the directory: nothing here replaces what it writes, and nothing
 * clears away what it has under way.
 */
export async function repositoryOf({ data, keys, retention, state }: PreparerWork): Promise<Repository> {
  const ports = {
    metadata: storeIn(join(data, 'metadata')),
    state: stateStore(join(data, 'state'), state),
    signers: await Promise.all(keys.map((file) => keyFileSigner(file))),
    queue: { ring: async () => undefined },
    clock: systemClock(),
  }
  return openRepository(ports, { cachedRoleBytes: 0, retention })
}

/** Each file is read or written once: one that is remembered for a while is what garbage collection finds hardest. */
const storeIn = (directory: string) => directoryObjectStore(directory, waitingFileSystem, undefined, noFileMemory)

/** The journal and what else the publisher writes goes by its log, so all that writes there has to. */
function stateStore(directory: string, port: MessagePort | undefined): ObjectStore {
  const store = storeIn(directory)
  if (port === undefined) return store
  const borrowed = borrowedStore(port)
  return {
    ...store,
    ...borrowed,
    // What waits may have no file.
    read: (name) => (name.startsWith('inbox/') ? borrowed : store).read(name),
    // Long, and nobody else's.
    create: (name, bytes) => (name.startsWith('bulk/') ? store : borrowed).create(name, bytes),
  }
}
