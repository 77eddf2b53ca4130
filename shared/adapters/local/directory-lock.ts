import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { durableFiles } from './durable-files.ts'
import { asStoreError, nodeFileSystem, systemErrorCode } from './file-system.ts'

export interface DirectoryLock extends Disposable {
  release(): void
}

export class DirectoryLockError extends Error {
  override readonly name = 'DirectoryLockError'
  readonly code: 'held' | 'read-only' | 'unavailable'
  /**
   * 'held': another process has the directory, or this one already. 'read-only': it cannot be written to. 'unavailable': the file
   * system failed in another way.
   */
  constructor(code: DirectoryLockError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Held for as long as the process lives or until released, even if nobody keeps the lock itself. */
const held = new Set<DatabaseSync>()

/**
 * Makes this process the only one to write to the directory, which is made if missing. Another is refused within a moment. The lock
 * dies with the process, however that ends. Throws DirectoryLockError.
 *
 * It is a lock on the file `lock` in there. Nothing else in this process may open that file: closing it would end the lock.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const root = resolve(directory)
  await makeWritable(root, directory)
  const holderFile = join(root, 'lock.pid')
  const database = openLocked(join(root, 'lock'), directory, holderFile)
  held.add(database)
  noteHolder(holderFile)

  function release(): void {
    if (!held.delete(database)) return
    try {
      rmSync(holderFile, { force: true })
    } catch {
      // The directory may have become read-only; the file is for a message to others and for nothing else.
    }
    database.close()
  }
  return { release, [Symbol.dispose]: release }
}

async function makeWritable(root: string, directory: string): Promise<void> {
  try {
    await access(root, constants.W_OK).catch(async (error: unknown) => {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      await durableFiles(nodeFileSystem).makeDirectory(root)
    })
  } catch (cause) {
    throw failure(cause, directory)
  }
}

/**
 * Node has no file locks of its own, but the SQLite in it does: an exclusive transaction that is never committed. The system takes
 * the lock back when the process ends.
 */
function openLocked(path: string, directory: string, holderFile: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    // Two who begin at the same moment both fail at first; the waiting is for them.
    database = new DatabaseSync(path, { timeout: 200 })
    // In memory, so that there is no second file to be left behind.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return database
  } catch (cause) {
    database?.close()
    if (!isBusy(cause)) throw failure(cause, directory)
    const message = `The data directory ${directory} is in use by another process${holder(holderFile)}. Stop that one, or use another directory.`
    throw new DirectoryLockError('held', message, { cause })
  }
}

function failure(cause: unknown, directory: string): DirectoryLockError {
  const { code, message } = asStoreError(cause, `lock the data directory ${directory}`)
  return new DirectoryLockError(code === 'read-only' ? code : 'unavailable', message, { cause })
}

/** SQLITE_BUSY; the upper bytes of the number tell more about why. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && Number(error.errcode) % 256 === 5
}

/** For the message to whoever is refused, and for nothing else: failing to write it is no reason not to start. */
function noteHolder(holderFile: string): void {
  try {
    writeFileSync(holderFile, `${process.pid}\n`)
  } catch {}
}

function holder(holderFile: string): string {
  try {
    const pid = Number.parseInt(readFileSync(holderFile, 'utf8'), 10)
    return Number.isNaN(pid) ? '' : ` (${pid})`
  } catch {
    return ''
  }
}
