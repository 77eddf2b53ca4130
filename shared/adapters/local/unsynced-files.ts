import { type DurableFiles, durableFiles } from './durable-files.ts'
import type { FileSystem } from './file-system.ts'

/** Files of one writer, whole, but not durable: what was written outlives the process, and maybe not a power cut. */
export function unsyncedFiles(fs: FileSystem): DurableFiles {
  const files = durableFiles(fs)
  return {
    ...files,
    async create(path, bytes, temporary) {
      return (await files.look(path)) === undefined ? fs.place(path, bytes, temporary) : undefined
    },
    replace: (path, bytes, temporary) => fs.place(path, bytes, temporary),
  }
}
