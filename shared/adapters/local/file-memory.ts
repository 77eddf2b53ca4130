import type { Tag } from '../../repository/ports.ts'
import type { FileVersion } from './file-system.ts'
import { isKept } from './kept-files.ts'

/** What was in a file when it was last read or replaced. */
export interface Remembered {
  readonly bytes: Uint8Array
  readonly tag: Tag
  readonly version: FileVersion
}

/** Small files, so that who has one need only see that it is still the same version. Forgets what was not used for longest. */
export interface FileMemory {
  get(name: string): Remembered | undefined
  /** Takes a copy. Too large a file is forgotten, and one that is kept in memory elsewhere. */
  set(name: string, file: Remembered): void
  delete(name: string): void
}

const mostBytes = 64 * 1024
const mostBytesInAll = 4 * 1024 * 1024

export function fileMemory(): FileMemory {
  /** The one that was not used for longest first. */
  const files = new Map<string, Remembered>()
  let bytesInAll = 0

  function forget(name: string): void {
    const file = files.get(name)
    if (file === undefined) return
    bytesInAll -= file.bytes.length
    files.delete(name)
  }

  return {
    get(name) {
      const file = files.get(name)
      if (file === undefined) return undefined
      files.delete(name)
      files.set(name, file)
      return file
    },
    set(name, { bytes, tag, version }) {
      forget(name)
      if (bytes.length > mostBytes || isKept(version)) return
      files.set(name, { bytes: new Uint8Array(bytes), tag, version })
      bytesInAll += bytes.length
      for (const oldest of files.keys()) {
        if (bytesInAll <= mostBytesInAll) return
        forget(oldest)
      }
    },
    delete: forget,
  }
}

/** For who reads and writes each file once. */
export const noFileMemory: FileMemory = { get: () => undefined, set: () => {}, delete: () => {} }

export function isSameVersion(one: FileVersion, other: FileVersion | undefined): boolean {
  return one.ino === other?.ino && one.size === other.size && one.mtimeMs === other.mtimeMs
}
