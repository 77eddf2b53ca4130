import { randomUUID } from 'node:crypto'
import { basename, dirname, join, resolve } from 'node:path'
import { type ObjectStore, StoreError } from '../../repository/ports.ts'
import { contentTag } from './content-tag.ts'
import { durableFiles } from './durable-files.ts'
import { asStoreError, type FileSystem, nodeFileSystem, systemErrorCode } from './file-system.ts'
import { takingTurns } from './taking-turns.ts'

/**
 * The objects of one directory, for its only writer: makes the directory if there is none and clears away what a crash left.
 * Throws StoreError.
 */
export async function openDirectoryObjectStore(
  directory: string,
  fs: FileSystem = nodeFileSystem,
): Promise<ObjectStore> {
  try {
    await recover(resolve(directory), fs)
  } catch (error) {
    throw asStoreError(error, `open ${directory}`)
  }
  return directoryObjectStore(directory, fs)
}

/**
 * One file for each object, under its name; a `/` in the name is a folder. Nothing is touched before it is used, so this alone
 * is what somebody takes who reads beside the writer.
 *
 * A writer's versions are compared within one store of one process: whoever writes holds the directory (`lockDirectory`).
 * A name that file systems do not take (empty, `..` or too long as a part, one that is another object's folder) is never there to
 * be read, and is refused as 'unavailable' when written.
 */
export function directoryObjectStore(directory: string, fs: FileSystem = nodeFileSystem): ObjectStore {
  const root = resolve(directory)
  const files = durableFiles(fs)
  const writers = takingTurns()

  /** Runs one write of an object, after those before it. */
  async function write<T>(attempt: string, name: string, work: (path: string) => Promise<T>): Promise<T> {
    try {
      return await writers.take(name, () => work(pathOf(root, name)))
    } catch (error) {
      throw asStoreError(error, `${attempt} ${name}`)
    }
  }

  async function temporaryPath(): Promise<string> {
    await files.makeDirectory(temporaryDirectory(root))
    return join(temporaryDirectory(root), randomUUID())
  }

  return {
    async read(name) {
      if (!isPath(name)) return undefined
      try {
        const found = await files.read(join(root, name))
        // What is there may not be durable yet; nobody shall see what a power cut could take back.
        await writers.ended(name)
        if (!found) return undefined
        const age = Math.max(0, Date.now() - found.modified)
        return { bytes: found.bytes, tag: contentTag(found.bytes), age }
      } catch (error) {
        throw asStoreError(error, `read ${name}`)
      }
    },

    create: (name, bytes) =>
      write('create', name, async (path) => {
        const tag = contentTag(bytes)
        const found = await files.read(path)
        if (!found) {
          await files.makeDirectory(dirname(path))
          if (await files.create(path, bytes, await temporaryPath())) return tag
        }
        const present = found ?? (await files.read(path))
        if (!present || contentTag(present.bytes) !== tag) {
          throw new StoreError('exists', `${name} exists with other content.`)
        }
        await files.syncDirectory(dirname(path))
        return tag
      }),

    replace: (name, bytes, tag) =>
      write('replace', name, async (path) => {
        const found = await files.read(path)
        if (!found) throw new StoreError('changed', `${name} is no longer there.`)
        const current = contentTag(found.bytes)
        const wanted = contentTag(bytes)
        if (current === wanted) await files.syncDirectory(dirname(path))
        else if (current === tag) await files.replace(path, bytes, await temporaryPath())
        else throw new StoreError('changed', `${name} has been replaced by another version.`)
        return wanted
      }),

    async delete(name) {
      if (isPath(name)) await write('delete', name, files.remove)
    },

    async list(prefix, { after = '', limit = Number.POSITIVE_INFINITY } = {}) {
      const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
      if (folder !== '' && !isPath(folder.slice(0, -1))) return []
      const names: string[] = []
      try {
        await collect(folder)
      } catch (error) {
        throw asStoreError(error, `list ${prefix}`)
      }
      return names

      async function collect(folder: string): Promise<void> {
        const entries = (await entriesOf(fs, resolve(root, folder)))
          .map((entry) => folder + entry.name + (entry.isDirectory() ? '/' : ''))
          .filter((entry) => entry.startsWith(prefix) && (entry > after || after.startsWith(entry)))
        // Folders end with their slash, so the names below them fall into place too.
        for (const entry of entries.sort()) {
          if (names.length >= limit) return
          if (entry.endsWith('/')) await collect(entry)
          else if (entry > after) names.push(entry)
        }
      }
    },
  }
}

/** Beside the directory: on the same file system, and out of sight of whoever serves or lists it. */
function temporaryDirectory(root: string): string {
  return join(dirname(root), `.${basename(root)}.tmp`)
}

/** True if the name stays below the directory and is the only spelling of its path. */
function isPath(name: string): boolean {
  // Unpaired surrogates would all become the same replacement character.
  if (name.includes('\0') || !name.isWellFormed()) return false
  return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

function pathOf(root: string, name: string): string {
  if (!isPath(name)) throw new StoreError('unavailable', `${JSON.stringify(name)} cannot be the name of an object.`)
  return join(root, name)
}

async function entriesOf(fs: FileSystem, path: string) {
  try {
    return await fs.readdir(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemErrorCode(error) ?? '')) return []
    throw error
  }
}

async function recover(root: string, fs: FileSystem): Promise<void> {
  const files = durableFiles(fs)
  const temporary = temporaryDirectory(root)
  await files.makeDirectory(root)
  await files.makeDirectory(temporary)
  for (const leftover of await fs.readdir(temporary)) await fs.unlink(join(temporary, leftover.name))
  // A writer that was killed may have left entries that can be read but are not durable.
  await syncTree(root)

  async function syncTree(directory: string): Promise<void> {
    await files.syncDirectory(directory)
    for (const entry of await fs.readdir(directory)) {
      if (entry.isDirectory()) await syncTree(join(directory, entry.name))
    }
  }
}
