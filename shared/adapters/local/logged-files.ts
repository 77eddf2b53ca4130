import { basename, dirname, sep } from 'node:path'
import { type DurableFiles, durableFiles } from './durable-files.ts'
import type { DirectoryEntry, FileSystem } from './file-system.ts'
import type { WriteAheadLog } from './write-ahead-log.ts'

/**
 * Durable files of one writer, the short ones by way of a log. Nobody else makes files there, so whoever creates one has
 * looked whether its path is free. What is short and lies in one of the directories `keptIn` is in the log and in memory alone until it is gone, or
 * the log lets go of it: nobody reads there but through this.
 *
 * `isProbed` is true for paths that others may look for before they can know that they are there: these appear whole at once.
 */
export function loggedFiles(
  fs: FileSystem,
  log: WriteAheadLog,
  keptIn: readonly string[] = [],
  isProbed: (path: string) => boolean = () => false,
): DurableFiles {
  const files = durableFiles(fs)
  const { kept } = log
  const lastNames = new Map(keptIn.map((directory) => [directory, lastName(files, directory)]))

  /** True if the file system cannot have it, without asking. */
  async function isBeyond(path: string): Promise<boolean> {
    const directory = dirname(path)
    return (await lastNames.get(directory)?.isBefore(path.slice(directory.length + 1))) === true
  }

  return {
    ...files,
    async read(path, range) {
      const file = kept.get(path)
      if (file === undefined) return files.read(path, range)
      return { ...file, bytes: new Uint8Array(file.bytes.subarray(range?.start, range?.end)) }
    },
    look: async (path) => kept.get(path)?.version ?? ((await isBeyond(path)) ? undefined : files.look(path)),
    async create(path, bytes, temporary, mode) {
      const directory = keptIn.find((directory) => path.startsWith(directory + sep))
      if (directory !== undefined) lastNames.get(directory)?.add(path.slice(directory.length + 1))
      if (!log.takes(path, bytes.length)) return files.create(path, bytes, temporary, mode)
      if (directory !== undefined) await log.keep(path, bytes)
      else await log.create(path, bytes, isProbed(path) ? await temporary() : undefined)
      return true
    },
    replace: async (path, bytes, temporary, mode) =>
      log.takes(path, bytes.length)
        ? log.replace(path, bytes, await temporary())
        : files.replace(path, bytes, temporary, mode),
    remove: (path) => (log.takes(path) ? log.remove(path) : files.remove(path)),
    async entries(directory) {
      // Before the others: one that gets its place meanwhile may be seen twice, and never not at all.
      const inMemory = kept.pathsIn(directory).map(fileEntry)
      const there = await files.entries(directory)
      for (const { name } of there) lastNames.get(directory)?.add(name)
      const names = new Set(inMemory.map(({ name }) => name))
      return [...inMemory, ...there.filter(({ name }) => !names.has(name))]
    },
  }
}

interface LastName {
  add(name: string): void
  /** True if nothing that was ever there is called so, or comes after it. */
  isBefore(name: string): Promise<boolean>
}

/**
 * The last name of all that a directory ever held, in code-unit order. Where names grow with time it tells without a look
 * at the disk that one is new.
 */
function lastName(files: DurableFiles, directory: string): LastName {
  let last = ''
  const add = (name: string) => {
    if (name > last) last = name
  }
  let listed: Promise<void> | undefined
  const list = async () => {
    for (const { name } of await files.entries(directory)) add(name)
  }
  return {
    add,
    async isBefore(name) {
      listed ??= list().catch((error: unknown) => {
        listed = undefined
        throw error
      })
      await listed
      return last < name
    },
  }
}

const fileEntry = (path: string): DirectoryEntry => ({ name: basename(path), isDirectory: () => false })
