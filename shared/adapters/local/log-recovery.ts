import { dirname, join } from 'node:path'
import { inParallel } from '../../repository/parallel.ts'
import { durableFiles } from './durable-files.ts'
import { asStoreError, type FileSystem, systemErrorCode } from './file-system.ts'
import type { KeptFiles } from './kept-files.ts'
import { type Change, decodeChanges } from './log-records.ts'

/** One file of a log, as it was found. */
export interface FoundSegment {
  readonly number: number
  readonly bytes: number
  /** What it says something of. */
  readonly paths: readonly string[]
}

const restoredAtOnce = 16

export const segmentName = (number: number) => String(number).padStart(12, '0')

/**
 * Makes the files below `base` what the log in `directory` says; they are not durable. A new one that a full disk has no room for is kept,
 * for what is there can be served all the same. Returns the log's segments, the oldest first.
 */
export async function recoverFromLog(
  base: string,
  directory: string,
  fs: FileSystem,
  kept: Pick<KeptFiles, 'keep'>,
): Promise<FoundSegment[]> {
  const files = durableFiles(fs)
  const found: string[] = []
  for (const name of (await fs.readdir(directory)).map((entry) => entry.name).sort()) {
    if (/^\d+\.tmp$/.test(name)) await fs.unlink(join(directory, name))
    // What somebody else has put there, such as the `lost+found` of a disk of its own, stays.
    if (!/^\d{12}$/.test(name)) continue
    // Who wrote it may have been killed before it was durable, and what it says is about to be seen.
    await files.syncFile(join(directory, name))
    found.push(name)
  }
  await files.syncDirectory(directory)
  const segments: FoundSegment[] = []
  const known = new Set<string>()
  // The newest has the last word. One after the other, for all of them may be more than there is memory for.
  for (const name of found.reverse()) {
    const bytes = Buffer.from((await files.read(join(directory, name)))?.bytes ?? [])
    const changes = decodeChanges(bytes)
    segments.unshift({
      number: Number(name),
      bytes: bytes.length,
      paths: changes.map(({ path }) => join(base, path)),
    })
    const latest = new Map<string, Change>()
    for (const change of changes) if (!known.has(change.path)) latest.set(change.path, change)
    const changed = [...latest.values()].map((change, at) => ({ ...change, temporary: join(directory, `${at}.tmp`) }))
    await inParallel(changed, restoredAtOnce, restore)
    for (const path of latest.keys()) known.add(path)
  }
  return segments

  /** Compares first: after a mere crash of the process nearly all of it is in its place. */
  async function restore({ path: name, bytes, temporary }: Change & { readonly temporary: string }): Promise<void> {
    const path = join(base, name)
    if (bytes === undefined) return unlinkIfThere(fs, path)
    const present = await files.read(path)
    if (present !== undefined && Buffer.compare(present.bytes, bytes) === 0) return
    await files.makeDirectory(dirname(path))
    try {
      await fs.place(path, bytes, temporary)
    } catch (error) {
      const { code } = asStoreError(error, `write ${path}`)
      if (code !== 'full' || present !== undefined) throw error
      // A copy, for these are a part of a whole segment.
      kept.keep(path, Uint8Array.from(bytes))
    }
  }
}

export async function unlinkIfThere(fs: FileSystem, path: string): Promise<void> {
  await fs.unlink(path).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error
  })
}
