import { dirname } from 'node:path'
import type { FileContent } from './durable-files.ts'
import type { FileSystem, FileVersion } from './file-system.ts'

/**
 * Files that are durable elsewhere and that no file system has yet: some are gone before it would have to. Whoever reads asks here
 * first, then the file system.
 */
export interface KeptFiles {
  /** Of a path that is free. The bytes are not copied: nobody may change them. */
  keep(path: string, bytes: Uint8Array): void
  /** Not to be changed. */
  get(path: string): FileContent | undefined
  /** Those that lie right in this directory. */
  pathsIn(directory: string): string[]
  /** Of all in this directory. */
  bytesIn(directory: string): number
  /** Hands it over to the file system, where it is not durable. One that is not here is a success. */
  place(path: string): Promise<void>
  /** Resolves with true if the file system may have it, now that it is not here any more. */
  forget(path: string): Promise<boolean>
}

/** True for one that only these files have: it lies in memory already. */
export const isKept = ({ ino }: FileVersion) => ino < 0

interface Kept extends FileContent {
  placing?: Promise<unknown>
}

interface Directory {
  readonly paths: Set<string>
  bytes: number
}

export function keptFiles(fs: FileSystem): KeptFiles {
  const files = new Map<string, Kept>()
  const directories = new Map<string, Directory>()
  let last = 0

  function directoryOf(path: string): Directory {
    const name = dirname(path)
    const directory = directories.get(name) ?? { paths: new Set(), bytes: 0 }
    directories.set(name, directory)
    return directory
  }

  function drop(path: string, file: Kept): void {
    if (files.get(path) !== file) return
    files.delete(path)
    const directory = directoryOf(path)
    directory.paths.delete(path)
    directory.bytes -= file.bytes.length
  }

  return {
    keep(path, bytes) {
      // Numbers that no file system gives, so that it is told from the file that it becomes.
      const version = { ino: --last, size: bytes.length, mtimeMs: Date.now() }
      files.set(path, { bytes, version })
      const directory = directoryOf(path)
      directory.paths.add(path)
      directory.bytes += bytes.length
    },
    get: (path) => files.get(path),
    pathsIn: (directory) => [...(directories.get(directory)?.paths ?? [])],
    bytesIn: (directory) => directories.get(directory)?.bytes ?? 0,
    async place(path) {
      const file = files.get(path)
      if (file === undefined) return
      file.placing ??= fs.place(path, file.bytes)
      try {
        await file.placing
      } catch (error) {
        delete file.placing
        throw error
      }
      drop(path, file)
    },
    async forget(path) {
      const file = files.get(path)
      if (file === undefined) return true
      drop(path, file)
      if (file.placing === undefined) return false
      await file.placing.catch(() => undefined)
      return true
    },
  }
}
