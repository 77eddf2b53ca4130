import { randomUUID } from 'node:crypto'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { type ObjectStore, StoreError } from '../../repository/ports.ts'
import { contentTag } from './content-tag.ts'
import { type DurableFiles, durableFiles } from './durable-files.ts'
import { type FileMemory, fileMemory, isSameVersion, type Remembered } from './file-memory.ts'
import { asStoreError, type FileSystem, nodeFileSystem, systemErrorCode } from './file-system.ts'
import { takingTurns } from './taking-turns.ts'

/**
 * The objects of one directory, for its only writer: makes the directory if there is none and clears away what a crash left.
 * Throws StoreError.
 */
export async function openDirectoryObjectStore(
  directory: string,
  fs: FileSystem = nodeFileSystem,
  files: DurableFiles = durableFiles(fs),
): Promise<ObjectStore> {
  try {
    await recover(resolve(directory), fs)
  } catch (error) {
    throw asStoreError(error, `open ${directory}`)
  }
  return directoryObjectStore(directory, fs, files)
}

/**
 * One file for each object, under its name; a `/` in the name is a folder. Nothing is touched before it is used, so this alone
 * is what somebody takes who reads beside the writer.
 *
 * A writer's versions are compared within one store of one process: whoever writes holds the directory (`lockDirectory`).
 * A name that file systems do not take (empty, `..` or too long as a part, one that is another object's folder) is never there to
 * be read, and is refused as 'unavailable' when written.
 */
export function directoryObjectStore(
  directory: string,
  fs: FileSystem = nodeFileSystem,
  files: DurableFiles = durableFiles(fs),
  memory: FileMemory = fileMemory(),
): ObjectStore {
  const root = resolve(directory)
  const writers = takingTurns()
  /** Folders in which a write failed: what can be read there may not be durable. */
  const unsure = new Set<string>()

  /** Runs one write of an object, after those before it. */
  async function write<T>(attempt: string, name: string, work: (path: string) => Promise<T>): Promise<T> {
    try {
      return await writers.take(name, () => work(pathOf(root, name)))
    } catch (error) {
      if (!(error instanceof StoreError)) unsure.add(dirname(below(root, name)))
      throw asStoreError(error, `${attempt} ${name}`)
    }
  }

  /** Looks at an object as a reader may see it: behind the writes that have begun, and durable. */
  async function readable<T>(name: string, look: () => Promise<T>): Promise<T | undefined> {
    if (!isPath(name)) return undefined
    try {
      // What is about to come is waited for, lest somebody gets what has passed.
      await writers.ended(name)
      const found = await look()
      // What is there may not be durable yet; nobody shall see what a power cut could take back.
      await writers.ended(name)
      if (unsure.size > 0) await settle(dirname(below(root, name)))
      return found
    } catch (error) {
      throw asStoreError(error, `read ${name}`)
    }
  }

  async function find(name: string): Promise<Remembered | undefined> {
    const path = below(root, name)
    const version = await files.look(path)
    const known = version && memory.get(name)
    if (known && isSameVersion(known.version, version)) return { ...known, bytes: new Uint8Array(known.bytes) }
    const read = version && (await files.read(path))
    const found = read && { ...read, tag: contentTag(read.bytes) }
    if (found && Date.now() - found.version.mtimeMs > clockTick) memory.set(name, found)
    else memory.delete(name)
    return found
  }

  /** From here on what was found in this folder is durable. */
  async function settle(folder: string): Promise<void> {
    if (!unsure.delete(folder)) return
    await files.syncDirectory(folder).catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return
      unsure.add(folder)
      throw error
    })
  }

  async function temporaryPath(): Promise<string> {
    await files.makeDirectory(temporaryDirectory(root))
    return join(temporaryDirectory(root), randomUUID())
  }

  return {
    async read(name) {
      const found = await readable(name, () => find(name))
      if (!found) return undefined
      const age = Math.max(0, Date.now() - found.version.mtimeMs)
      return { bytes: found.bytes, tag: found.tag, age }
    },

    range: async (name, start, end) =>
      (await readable(name, () => files.read(below(root, name), { start, end })))?.bytes,

    create: (name, bytes) =>
      write('create', name, async (path) => {
        const found = await find(name)
        if (!found) {
          await files.makeDirectory(dirname(path))
          const creating = files.create(path, bytes, temporaryPath)
          // While the disk is at work.
          const tag = contentTag(bytes)
          if (await creating) return tag
        }
        const tag = contentTag(bytes)
        const present = found ?? (await find(name))
        if (present?.tag !== tag) {
          // Whoever is told so counts on it.
          await settle(dirname(path))
          throw new StoreError('exists', `${name} exists with other content.`)
        }
        await files.syncDirectory(dirname(path))
        return tag
      }),

    replace: (name, bytes, tag) =>
      write('replace', name, async (path) => {
        const found = await find(name)
        if (!found) throw new StoreError('changed', `${name} is no longer there.`)
        const wanted = contentTag(bytes)
        if (found.tag === wanted) await files.syncDirectory(dirname(path))
        else if (found.tag === tag) {
          const version = await files.replace(path, bytes, temporaryPath)
          memory.set(name, { bytes, tag: wanted, version })
        } else throw new StoreError('changed', `${name} has been replaced by another version.`)
        return wanted
      }),

    async delete(name) {
      memory.delete(name)
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
        const entries = (await files.entries(resolve(root, folder)))
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

/**
 * File systems date what is written by a clock that ticks every few milliseconds: of what another process has just written it
 * may write another version under the same date. Milliseconds.
 */
const clockTick = 50

/** Beside the directory: on the same file system, and out of sight of whoever serves or lists it. */
export function temporaryDirectory(root: string): string {
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
  return below(root, name)
}

/** Not `join`, which takes as long as to look at the file: neither has parts to be resolved. */
const below = (root: string, name: string) => `${root}${sep}${name}`

async function recover(root: string, fs: FileSystem): Promise<void> {
  const files = durableFiles(fs)
  const temporary = temporaryDirectory(root)
  await files.makeDirectory(root)
  await files.makeDirectory(temporary)
  await syncAbove(dirname(root))
  for (const leftover of await fs.readdir(temporary)) await fs.unlink(join(temporary, leftover.name))
  // A writer that was killed may have left entries that can be read but are not durable.
  await syncTree(root)

  /** Somebody may have been killed who made these. What this user may not read was there before. */
  async function syncAbove(directory: string): Promise<void> {
    await files.syncDirectory(directory).catch((error: unknown) => {
      if (!['EACCES', 'EPERM'].includes(systemErrorCode(error) ?? '')) throw error
    })
    if (dirname(directory) !== directory) await syncAbove(dirname(directory))
  }

  async function syncTree(directory: string): Promise<void> {
    await files.syncDirectory(directory)
    for (const entry of await fs.readdir(directory)) {
      if (entry.isDirectory()) await syncTree(join(directory, entry.name))
    }
  }
}
