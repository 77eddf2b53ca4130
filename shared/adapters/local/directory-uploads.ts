import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Arrived, bulkName, maximumBulkBytes } from '../../repository/uploads.ts'
import { temporaryDirectory } from './directory-object-store.ts'
import { durableFiles } from './durable-files.ts'
import { asStoreError, type FileSystem, nodeFileSystem, systemErrorCode } from './file-system.ts'

/** Bulk files as objects of a `directoryObjectStore`, in whose directory they lie; neither is ever in memory as a whole. */
export interface DirectoryUploads {
  /** See `Uploads`. */
  arrived(id: string): Promise<Arrived | undefined>
  /**
   * Makes the file out of these chunks; it is durable when this resolves. False if there is one already: then it stays as it is.
   * Throws what `chunks` throws, and then nothing of the file is there; and StoreError.
   */
  receive(id: string, chunks: AsyncIterable<Uint8Array>): Promise<boolean>
}

export function directoryUploads(directory: string, fs: FileSystem = nodeFileSystem): DirectoryUploads {
  const root = resolve(directory)
  const files = durableFiles(fs)
  const pathOf = (id: string) => join(root, bulkName(id))

  /** A failure of the disk in the words of the store. */
  async function onDisk<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw asStoreError(error, `write ${bulkName(id)}`)
    }
  }

  async function writeAll(id: string, temporary: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const file = await onDisk(id, () => fs.open(temporary, 'wx'))
    try {
      // Each goes to where the one before it ended.
      for await (const chunk of chunks) await onDisk(id, () => file.writeFile(chunk))
      await onDisk(id, () => file.sync())
    } finally {
      await file.close()
    }
  }

  return {
    async arrived(id) {
      const path = pathOf(id)
      try {
        const { size: bytes } = await stat(path)
        // Whoever made it may not have come to this yet.
        await files.syncDirectory(dirname(path))
        return { bytes, sha256: bytes > maximumBulkBytes ? '' : await hashOf(path) }
      } catch (error) {
        if (systemErrorCode(error) === 'ENOENT') return undefined
        throw asStoreError(error, `read ${bulkName(id)}`)
      }
    },

    async receive(id, chunks) {
      const folder = temporaryDirectory(root)
      const temporary = join(folder, randomUUID())
      const path = pathOf(id)
      await onDisk(id, async () => {
        await files.makeDirectory(folder)
        await files.makeDirectory(dirname(path))
      })
      try {
        await writeAll(id, temporary, chunks)
        await onDisk(id, () => fs.link(temporary, path))
      } catch (error) {
        if (error instanceof Error && systemErrorCode(error.cause) === 'EEXIST') return false
        throw error
      } finally {
        // If this fails, the next opening of the store takes it away.
        await fs.unlink(temporary).catch(() => undefined)
      }
      await onDisk(id, () => files.syncDirectory(dirname(path)))
      return true
    },
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
