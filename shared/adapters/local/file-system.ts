import * as node from 'node:fs/promises'
import { constants } from 'node:os'
import { StoreError } from '../../repository/ports.ts'

/** What the local adapters ask of a file system; each call means what it means in `node:fs/promises`. */
export interface FileSystem {
  open(path: string, flags: 'r' | 'wx', mode?: number): Promise<OpenFile>
  link(existing: string, path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  mkdir(path: string): Promise<void>
  readdir(path: string): Promise<readonly DirectoryEntry[]>
}

export interface OpenFile {
  readFile(): Promise<Uint8Array>
  /** When the content was last written, in milliseconds since 1970. */
  stat(): Promise<{ readonly mtimeMs: number }>
  writeFile(bytes: Uint8Array): Promise<void>
  /** Of a file: its content is durable. Of a directory: its entries are. */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface DirectoryEntry {
  readonly name: string
  isDirectory(): boolean
}

export const nodeFileSystem: FileSystem = {
  open: node.open,
  link: node.link,
  rename: node.rename,
  unlink: node.unlink,
  mkdir: (path) => node.mkdir(path),
  readdir: (path) => node.readdir(path, { withFileTypes: true }),
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
