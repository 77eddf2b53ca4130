import { existsSync, type Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { lockDirectory } from '../adapters/local/directory-lock.ts'
import { openDirectoryObjectStore } from '../adapters/local/directory-object-store.ts'
import { nodeFileSystem } from '../adapters/local/file-system.ts'
import { keyFileSigner } from '../adapters/local/key-file-signer.ts'
import { loggedFiles } from '../adapters/local/logged-files.ts'
import { systemClock } from '../adapters/local/system-clock.ts'
import { openWriteAheadLog, type WriteAheadLog } from '../adapters/local/write-ahead-log.ts'
import { type Ports, SignerError } from '../repository/ports.ts'
import { openRepository, type Repository } from '../repository/repository.ts'

/** The repository in a data directory, for one process that has it to itself. */
export interface OpenedData extends Disposable {
  readonly repository: Repository
}

/** True for a directory as the embedded service makes it. Throws what the system says if this user may not look into it. */
export async function isDataDirectory(data: string): Promise<boolean> {
  const parts = await Promise.all(['metadata', 'state'].map((part) => statIfThere(join(data, part))))
  return parts.every((part) => part?.isDirectory() === true)
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
}

export interface DataStores extends Pick<Ports, 'metadata' | 'state'> {
  /** Through which both write. */
  readonly log: WriteAheadLog
}

/** The files of the online keys: those that are given, or else the one that lies in the data directory. */
export const keyFiles = (data: string, given: readonly string[]): readonly string[] =>
  given.length > 0 ? given : [ownKeyFile(data)]

export const ownKeyFile = (data: string): string => join(data, 'keys', 'online.pem')

/** Another one in its place would look right, and sign nothing that clients take. */
export function keyIsMissing(file: string): SignerError {
  return new SignerError(
    'unusable',
    `${file} is missing. Put it back from a backup, or give another online key with --key: docs/runbook.md says what to do when it is lost.`,
  )
}

/** The stores of a data directory, for the process that has its lock. Throws StoreError. */
export async function openStores(data: string): Promise<DataStores> {
  const log = await openWriteAheadLog(data)
  // What waits is gone in milliseconds, and how it ended is rarely asked.
  const kept = ['inbox', 'tasks'].map((folder) => resolve(data, 'state', folder))
  // Whoever serves the directory serves it to clients that ask for the next root again and again.
  const isProbed = (path: string) => path.endsWith('.root.json')
  const files = loggedFiles(nodeFileSystem, log, kept, isProbed)
  // One after the other: whoever hears that one of them failed lets go of the directory.
  const metadata = await openDirectoryObjectStore(join(data, 'metadata'), nodeFileSystem, files)
  const state = await openDirectoryObjectStore(join(data, 'state'), nodeFileSystem, files)
  return { metadata, state, log }
}

/**
 * Opens a data directory while no service runs on it. `keys`: the files of its online keys; none for the one that lies in it.
 * Throws DirectoryLockError, StoreError or SignerError.
 */
export async function openData(data: string, keys: readonly string[]): Promise<OpenedData> {
  const lock = await lockDirectory(data)
  try {
    if (keys.length === 0 && !existsSync(ownKeyFile(data))) throw keyIsMissing(ownKeyFile(data))
    const signers = await Promise.all(keyFiles(data, keys).map((file) => keyFileSigner(file)))
    const { metadata, state } = await openStores(data)
    // Nobody listens: the next service looks at the inbox when it starts.
    const queue = { ring: async () => {} }
    const repository = openRepository({ metadata, state, signers, queue, clock: systemClock() })
    return { repository, [Symbol.dispose]: () => lock.release() }
  } catch (error) {
    lock.release()
    throw error
  }
}
