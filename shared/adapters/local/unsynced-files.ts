import { type DurableFiles, durableFiles } from './durable-files.ts'
import type { FileSystem } from './file-system.ts'
import { takingTurns } from './taking-turns.ts'

/**
 * Files of one writer that nobody else reads, and that are not durable: what was written outlives the process, and maybe not a
 * power cut.
 */
export function unsyncedFiles(fs: FileSystem): DurableFiles {
  const files = durableFiles(fs)
  const turns = takingTurns()
  return {
    ...files,
    // Not while it is overwritten: some of both would be read.
    read: (path, range) => turns.take(path, () => files.read(path, range)),
    async create(path, bytes, temporary) {
      if ((await files.look(path)) !== undefined) return false
      await fs.place(path, bytes, await temporary())
      return true
    },
    // To rename a file to the name of another one has some file systems write it to the disk first.
    replace: (path, bytes) => turns.take(path, () => fs.overwrite(path, bytes)),
  }
}
