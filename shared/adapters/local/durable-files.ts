import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import {
  type ByteRange,
  type DirectoryEntry,
  type FileSystem,
  type FileVersion,
  type OpenFile,
  systemErrorCode,
} from './file-system.ts'
import { atMost } from './taking-turns.ts'

/**
 * Files that are written whole or not at all, and directories. What resolves is durable: content and directory entry are
 * synced. Rejects with the file system's own errors; the write may have taken effect all the same.
 *
 * `temporary` gives a path that does not exist, on the same file system; a crash may leave a file there.
 */
export interface DurableFiles {
  /** All of it, or a range. Nothing if there is no such file. */
  read(path: string, range?: ByteRange): Promise<FileContent | undefined>
  /** Which version is there, without reading it. */
  look(path: string): Promise<FileVersion | undefined>
  /** What lies in a directory; nothing if there is none. */
  entries(directory: string): Promise<readonly DirectoryEntry[]>
  /** False, and nothing is written, if the path is taken. */
  create(path: string, bytes: Uint8Array, temporary: FreePath, mode?: number): Promise<boolean>
  /** A new file whose content is durable, and its name is not. */
  make(path: string, bytes: Uint8Array, mode?: number): Promise<FileVersion>
  /** Takes the place of whatever file is there. */
  replace(path: string, bytes: Uint8Array, temporary: FreePath, mode?: number): Promise<FileVersion>
  /** A file that is not there is a success. */
  remove(path: string): Promise<void>
  /** Makes the directory and those above it, where missing. The path is absolute; its parent has to be readable. */
  makeDirectory(path: string): Promise<void>
  syncDirectory(path: string): Promise<void>
  /** The content of a file is durable then; one that is not there is a success. */
  syncFile(path: string): Promise<void>
}

/** Asked only where a file is made by way of another one. */
export type FreePath = () => Promise<string>

export const freePathBeside =
  (path: string): FreePath =>
  async () =>
    join(dirname(path), `.${randomUUID()}.tmp`)

export interface FileContent {
  readonly bytes: Uint8Array
  readonly version: FileVersion
}

/** Far below every usual limit on open files, far above what the disk does at once. */
const openAtOnce = 64

export function durableFiles(fs: FileSystem): DurableFiles {
  const limited = atMost(openAtOnce)
  const syncDirectory = sharedSync((path, begins) =>
    withFile(path, 'r', undefined, (directory) => {
      begins()
      return directory.sync()
    }),
  )
  const made = new Map<string, Promise<void>>()

  function withFile<T>(path: string, flags: 'r' | 'wx', mode: number | undefined, use: (file: OpenFile) => Promise<T>) {
    return limited(async () => {
      const file = await fs.open(path, flags, mode)
      try {
        return await use(file)
      } finally {
        await file.close()
      }
    })
  }

  function make(path: string, bytes: Uint8Array, mode: number | undefined): Promise<FileVersion> {
    return withFile(path, 'wx', mode, async (file) => {
      await file.writeFile(bytes)
      const [version] = await Promise.all([file.stat(), file.sync()])
      return version
    })
  }

  /** The file is already elsewhere, or was never needed: if this fails, the next opening removes it. */
  async function discard(temporary: string): Promise<void> {
    await fs.unlink(temporary).catch(() => undefined)
  }

  function makeDirectory(path: string): Promise<void> {
    let making = made.get(path)
    if (!making) {
      making = makeMissing(path)
      made.set(path, making)
      making.catch(() => made.delete(path))
    }
    return making
  }

  async function makeMissing(path: string): Promise<void> {
    const parent = dirname(path)
    try {
      await fs.mkdir(path).catch(async (error: unknown) => {
        if (systemErrorCode(error) !== 'ENOENT') throw error
        await makeDirectory(parent)
        await fs.mkdir(path)
      })
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error
    }
    // Also if it was there: whoever made it may have failed to sync it. The same goes for the parent.
    await Promise.all([made.get(parent), syncDirectory(parent)])
  }

  return {
    read: (path, range) =>
      unlessAbsent(() =>
        withFile(path, 'r', undefined, async (file) => {
          const version = await file.stat()
          return { bytes: await file.readFile(range), version }
        }),
      ),
    look: (path) => unlessAbsent(() => fs.stat(path)),
    entries: async (directory) => (await unlessAbsent(() => fs.readdir(directory))) ?? [],
    async create(path, bytes, freePath, mode) {
      const temporary = await freePath()
      try {
        await make(temporary, bytes, mode)
        // A link, because unlike a rename it never takes the place of another file.
        await fs.link(temporary, path)
      } catch (error) {
        await discard(temporary)
        if (systemErrorCode(error) === 'EEXIST') return false
        throw error
      }
      await Promise.all([syncDirectory(dirname(path)), discard(temporary)])
      return true
    },
    async replace(path, bytes, freePath, mode) {
      const temporary = await freePath()
      let version: FileVersion
      try {
        version = await make(temporary, bytes, mode)
        await fs.rename(temporary, path)
      } catch (error) {
        await discard(temporary)
        throw error
      }
      await syncDirectory(dirname(path))
      return version
    },
    async remove(path) {
      const wasThere = await unlessAbsent(() => fs.unlink(path).then(() => true))
      if (wasThere) await syncDirectory(dirname(path))
    },
    make,
    makeDirectory,
    syncDirectory,
    syncFile: (path) => unlessAbsent(() => withFile(path, 'r', undefined, (file) => file.sync())),
  }
}

/** Nothing if there is no file under its path: nothing, a directory, something below a file, or longer than a path can be. */
async function unlessAbsent<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG'].includes(systemErrorCode(error) ?? '')) return undefined
    throw error
  }
}

/**
 * One sync serves all whose entry was in the directory before it began: those who come while one is under way share the next.
 * Under load this makes one sync out of dozens. `sync` says when it begins, for it has to open the directory first.
 */
function sharedSync(sync: (path: string, begins: () => void) => Promise<void>): (path: string) => Promise<void> {
  const underWay = new Map<string, Promise<void>>()
  const next = new Map<string, Promise<void>>()

  async function begin(path: string): Promise<void> {
    await underWay.get(path)?.catch(() => undefined)
    let hasBegun = false
    const begins = () => {
      hasBegun = true
      next.delete(path)
    }
    const run = sync(path, begins)
    underWay.set(path, run)
    try {
      await run
    } finally {
      if (!hasBegun) begins()
      if (underWay.get(path) === run) underWay.delete(path)
    }
  }

  return (path) => {
    let joined = next.get(path)
    if (!joined) {
      joined = begin(path)
      next.set(path, joined)
    }
    return joined
  }
}
