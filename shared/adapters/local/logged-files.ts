import { basename, sep } from 'node:path'
import { type DurableFiles, durableFiles } from './durable-files.ts'
import type { DirectoryEntry, FileSystem } from './file-system.ts'
import type { WriteAheadLog } from './write-ahead-log.ts'

/**
 * Durable files of one writer, the short ones by way of a log. Nobody else makes files there, so whoever creates one has
 * looked whether its path is free. What is short and lies in one of the directories `keptIn` is in the log and in memory alone until it is gone, or
 * the log lets go of it: nobody reads there but through this.
 */
export function loggedFiles(fs: FileSystem, log: WriteAheadLog, keptIn: readonly string[] = []): DurableFiles {
  const files = durableFiles(fs)
  const { kept } = log
  return {
    ...files,
    async read(path) {
      const file = kept.get(path)
      return file === undefined ? files.read(path) : { ...file, bytes: new Uint8Array(file.bytes) }
    },
    look: async (path) => kept.get(path)?.version ?? files.look(path),
    create(path, bytes, temporary, mode) {
      if (!log.takes(path, bytes.length)) return files.create(path, bytes, temporary, mode)
      return keptIn.some((directory) => path.startsWith(directory + sep))
        ? log.keep(path, bytes)
        : log.write(path, bytes)
    },
    replace: (path, bytes, temporary, mode) =>
      log.takes(path, bytes.length) ? log.write(path, bytes, temporary) : files.replace(path, bytes, temporary, mode),
    remove: (path) => (log.takes(path) ? log.remove(path) : files.remove(path)),
    async entries(directory) {
      // Before the others: one that gets its place meanwhile may be seen twice, and never not at all.
      const inMemory = kept.pathsIn(directory).map(fileEntry)
      const there = await files.entries(directory)
      const names = new Set(inMemory.map(({ name }) => name))
      return [...inMemory, ...there.filter(({ name }) => !names.has(name))]
    },
  }
}

const fileEntry = (path: string): DirectoryEntry => ({ name: basename(path), isDirectory: () => false })
