import { closeSync, fdatasync, fstatSync, fsync, openSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { type FileSystem, nodeFileSystem, readRange, writeAll } from './file-system.ts'

const sync = { content: promisify(fdatasync), entries: promisify(fsync) }

/**
 * For a thread in which nothing else waits: only for syncs it asks another one. To ask takes longer than what the kernel does in
 * its memory, and those who are asked are the same for all threads of a process.
 */
export const waitingFileSystem: FileSystem = {
  ...nodeFileSystem,
  async open(path, flags, mode) {
    const file = openSync(path, flags, mode)
    return {
      readFile: async (range) => (range === undefined ? readFileSync(file) : readRange(file, range)),
      stat: async () => fstatSync(file),
      writeFile: async (bytes) => writeAll(file, bytes),
      sync: () => (flags === 'r' ? sync.entries(file) : sync.content(file)),
      close: async () => closeSync(file),
    }
  },
}
