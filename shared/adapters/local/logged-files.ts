import { type DurableFiles, durableFiles } from './durable-files.ts'
import type { FileSystem } from './file-system.ts'
import type { WriteAheadLog } from './write-ahead-log.ts'

/**
 * Durable files of one writer, the short ones by way of a log. Nobody else makes files there, so whoever creates one has
 * looked whether its path is free.
 */
export function loggedFiles(fs: FileSystem, log: WriteAheadLog): DurableFiles {
  const files = durableFiles(fs)
  return {
    ...files,
    create: (path, bytes, temporary, mode) =>
      log.takes(path, bytes.length) ? log.write(path, bytes) : files.create(path, bytes, temporary, mode),
    replace: (path, bytes, temporary, mode) =>
      log.takes(path, bytes.length) ? log.write(path, bytes, temporary) : files.replace(path, bytes, temporary, mode),
    remove: (path) => (log.takes(path) ? log.remove(path) : files.remove(path)),
  }
}
