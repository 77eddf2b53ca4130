import {
  closeSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  linkSync,
  open,
  openSync,
  read,
  renameSync,
  statSync,
  unlinkSync,
  write,
  writeSync,
} from 'node:fs'
import * as node from 'node:fs/promises'
import { constants } from 'node:os'
import { promisify } from 'node:util'
import { StoreError } from '../../repository/ports.ts'

/** What the local adapters ask of a file system; each call means what it means in `node:fs/promises`. */
export interface FileSystem {
  open(path: string, flags: 'r' | 'wx', mode?: number): Promise<OpenFile>
  link(existing: string, path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  mkdir(path: string): Promise<void>
  readdir(path: string): Promise<readonly DirectoryEntry[]>
  /**
   * A whole file under this path; not durable. `temporary`, a path on the same file system that is free, is for one that takes the place
   * of another, of which nobody may see a half; without it the path has to be free.
   */
  place(path: string, bytes: Uint8Array, temporary?: string): Promise<void>
  /** Other content for a file that is there. Not durable, and who looks meanwhile may see some of both. */
  overwrite(path: string, bytes: Uint8Array): Promise<FileVersion>
  /** Nothing if there is no such file. */
  stat(path: string): Promise<FileVersion | undefined>
}

/** What tells one version of a file from all others: the file that took its place, and its own content written anew. */
export interface FileVersion {
  readonly ino: number
  readonly size: number
  /** When the content was last written, in milliseconds since 1970. */
  readonly mtimeMs: number
}

/** Bytes of a file: from `start` up to `end`, as many as there are. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface OpenFile {
  /** All of it, or a range. */
  readFile(range?: ByteRange): Promise<Uint8Array>
  stat(): Promise<FileVersion>
  /** After what was written before. */
  writeFile(bytes: Uint8Array): Promise<void>
  /** Of a file: its content is durable. Of a directory: its entries are. */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface DirectoryEntry {
  readonly name: string
  isDirectory(): boolean
}

const descriptor = {
  open: promisify(open),
  read: promisify(read),
  write: promisify(write),
  syncContent: promisify(fdatasync),
  syncEntries: promisify(fsync),
}

/** Longer than this, it is left to a thread to copy. Bytes. */
const mostOnTheSpot = 64 * 1024

/**
 * A thread is asked wherever the disk may have to be waited for. To ask one takes longer than what the kernel does in its
 * memory: small writes, entries of directories that are always in use, the end of a file that is synced.
 */
export const nodeFileSystem: FileSystem = {
  async open(path, flags, mode) {
    const file = flags === 'wx' ? openSync(path, flags, mode) : await descriptor.open(path, flags, mode)
    return {
      readFile: (range = { start: 0, end: Number.POSITIVE_INFINITY }) => readRange(file, range),
      stat: async () => fstatSync(file),
      async writeFile(bytes) {
        if (bytes.length < mostOnTheSpot) return writeAll(file, bytes)
        for (let at = 0; at < bytes.length; )
          at += (await descriptor.write(file, bytes, at, bytes.length - at, null)).bytesWritten
      },
      sync: () => (flags === 'r' ? descriptor.syncEntries(file) : descriptor.syncContent(file)),
      close: async () => closeSync(file),
    }
  },
  link: async (existing, path) => linkSync(existing, path),
  rename: async (from, to) => renameSync(from, to),
  unlink: async (path) => unlinkSync(path),
  mkdir: (path) => node.mkdir(path),
  readdir: (path) => node.readdir(path, { withFileTypes: true }),
  async place(path, bytes, temporary) {
    const file = openSync(temporary ?? path, 'wx')
    try {
      writeAll(file, bytes)
      if (temporary !== undefined) renameSync(temporary, path)
    } catch (error) {
      unlinkSync(temporary ?? path)
      throw error
    } finally {
      closeSync(file)
    }
  },
  async overwrite(path, bytes) {
    const file = openSync(path, 'r+')
    try {
      writeAll(file, bytes)
      ftruncateSync(file, bytes.length)
      return fstatSync(file)
    } finally {
      closeSync(file)
    }
  },
  stat: async (path) => statSync(path, { throwIfNoEntry: false }),
}

export async function readRange(file: number, { start, end }: ByteRange): Promise<Uint8Array> {
  // At least once, for only that tells a file from a directory.
  const bytes = Buffer.allocUnsafe(Math.max(Math.min(fstatSync(file).size, end) - start, 1))
  for (let at = 0; ; ) {
    const { bytesRead } = await descriptor.read(file, bytes, at, bytes.length - at, start + at)
    at += bytesRead
    if (bytesRead === 0 || at === bytes.length) return bytes.subarray(0, at)
  }
}

/** Waits for the kernel, and for nobody else. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at)
}

/** The system's name of what went wrong ('ENOENT'), if it was a system call that failed. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, errno } = error as NodeJS.ErrnoException
  // Node has no name for this one.
  if (errno !== undefined && Math.abs(errno) === constants.errno.EDQUOT) return 'EDQUOT'
  return code
}

/** The failure of a file-system call in the words of the ObjectStore port; `attempt` as in "could not …". */
export function asStoreError(error: unknown, attempt: string): StoreError {
  if (error instanceof StoreError) return error
  const reason = error instanceof Error ? error.message : String(error)
  const message = `Could not ${attempt}: ${reason}`
  switch (systemErrorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError('full', `${message}. Make room on that disk, and try again.`, { cause: error })
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new StoreError('read-only', `${message}. Let the user of this process write there.`, { cause: error })
    default:
      return new StoreError('unavailable', message, { cause: error })
  }
}
