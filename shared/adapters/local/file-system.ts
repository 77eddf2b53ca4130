import { closeSync, fstatSync, fsync, open, read, statSync, write } from 'node:fs'
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

export interface OpenFile {
  readFile(): Promise<Uint8Array>
  stat(): Promise<FileVersion>
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
  sync: promisify(fsync),
}

/**
 * A thread is asked wherever the disk may have to be waited for. To ask one takes longer than what the kernel answers from
 * memory: the end of a file that is synced, and whether there is one in a directory that is always in use.
 */
export const nodeFileSystem: FileSystem = {
  async open(path, flags, mode) {
    const file = await descriptor.open(path, flags, mode)
    return {
      async readFile() {
        // At least once, for only that tells a file from a directory.
        const bytes = Buffer.allocUnsafe(fstatSync(file).size || 1)
        for (let at = 0; ; ) {
          const { bytesRead } = await descriptor.read(file, bytes, at, bytes.length - at, null)
          at += bytesRead
          if (bytesRead === 0 || at === bytes.length) return bytes.subarray(0, at)
        }
      },
      stat: async () => fstatSync(file),
      async writeFile(bytes) {
        for (let at = 0; at < bytes.length; )
          at += (await descriptor.write(file, bytes, at, bytes.length - at, null)).bytesWritten
      },
      sync: () => descriptor.sync(file),
      close: async () => closeSync(file),
    }
  },
  link: node.link,
  rename: node.rename,
  unlink: node.unlink,
  mkdir: (path) => node.mkdir(path),
  readdir: (path) => node.readdir(path, { withFileTypes: true }),
  stat: async (path) => statSync(path, { throwIfNoEntry: false }),
}

/** The same without waiting for the disk: what was written outlives the process, but maybe not a power cut. */
export function withoutSync(fs: FileSystem): FileSystem {
  return {
    ...fs,
    async open(path, flags, mode) {
      return Object.assign(await fs.open(path, flags, mode), { sync: async () => {} })
    },
  }
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
