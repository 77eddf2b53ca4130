import { type DurableFiles, durableFiles } from './durable-files.ts'
import type { FileSystem } from './file-system.ts'
import type { WriteAheadLog } from './write-ahead-log.ts'

/** Durable files of one writer, the short ones by way of a log. */
export function loggedFiles(fs: FileSystem, log: WriteAheadLog): DurableFiles {
  const files = durableFiles(fs)
  return {
    ...files,
    async create(path, bytes, temporary, mode) {
      if (!log.takes(path, bytes.length)) return files.create(path, bytes, temporary, mode)
      if ((await files.look(path)) !== undefined) return undefined
      return log.write(path, bytes)
    },
    replace: (path, bytes, temporary, mode) =>
      log.takes(path, bytes.length) ? log.write(path, bytes, temporary) : files.replace(path, bytes, temporary, mode),
    remove: (path) => (log.takes(path) ? log.remove(path) : files.remove(path)),
  }
}
