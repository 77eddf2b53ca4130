import { dirname, join, resolve, sep } from 'node:path'
import { inParallel } from '../../repository/parallel.ts'
import { durableFiles } from './durable-files.ts'
import { asStoreError, type FileSystem, type FileVersion, nodeFileSystem, type OpenFile } from './file-system.ts'
import { type KeptFiles, keptFiles } from './kept-files.ts'
import { contentOf, encodeChange } from './log-records.ts'
import { recoverFromLog, segmentName, unlinkIfThere } from './log-recovery.ts'
import { noSegments, type Segment } from './log-segments.ts'
import { takingTurns } from './taking-turns.ts'

/**
 * Makes many small files durable by few syncs: what they are to hold is appended to one file, which is synced once for all that
 * came meanwhile. Only then they are put in their places, unsynced: after a power cut they are made again from the log.
 *
 * What it holds nobody may change but through it.
 */
export interface WriteAheadLog {
  /**
   * Makes a new file; the path is absolute. Resolves when that is durable and can be seen; rejects with the file system's own errors,
   * and the change may have taken effect all the same, or do so when the log is opened next. The same goes for all changes.
   * Without `temporary`, as for `place`, whoever looks there before may see an empty file.
   */
  create(path: string, bytes: Uint8Array, temporary?: string): Promise<void>
  /** Makes a new file, which may get its place only when the log lets go of it. Until then it is in `kept`. */
  keep(path: string, bytes: Uint8Array): Promise<void>
  /** Takes the place of a file. `temporary` is as for `place`. */
  replace(path: string, bytes: Uint8Array, temporary: string): Promise<FileVersion>
  readonly kept: Pick<KeptFiles, 'get' | 'pathsIn'>
  remove(path: string): Promise<void>
  /**
   * True if a change of this file, to this many bytes or to none, belongs here: it is short, or a power cut would have the log
   * say what the file was before.
   */
  takes(path: string, length?: number): boolean
  /**
   * Syncs the files themselves and drops what the log says of them: all of it, or what was said before the last call. Throws
   * StoreError; what could not be synced is kept for the next opening.
   */
  settle(what: 'all' | 'older'): Promise<void>
}

interface Appending {
  readonly path: string
  readonly record: Uint8Array
  /** Called as soon as the record is durable, before anything else happens to the log. */
  readonly done: (segment: Segment) => void
  readonly failed: (error: unknown) => void
}

/** Of the log, in bytes. */
export interface LogLimits {
  /** What is longer takes longer to be written twice than the two syncs take that it needs by itself. */
  readonly longestTaken: number
  /** Of one of its files. */
  readonly segment: number
  /** What is more than this is settled at once, the oldest first, for after a crash all of it is read. */
  readonly unhurried: number
  /** With more than this, writers wait until the oldest is settled. */
  readonly most: number
}

const mebibyte = 1024 * 1024
const defaultLimits: LogLimits = {
  longestTaken: mebibyte / 4,
  segment: 16 * mebibyte,
  unhurried: 64 * mebibyte,
  most: 256 * mebibyte,
}
/** Of one directory, for they are in memory. */
const mostBytesKept = 8 * mebibyte
/** Files that are synced at once. Beside other writes it is not to take the disk from them. */
const settledAtOnce = { inHurry: 16, beside: 2 }

/**
 * The log, in `<base>/log`, of files below `base`. What it says is put in its place first, so nobody may have opened those
 * files yet. Throws StoreError.
 */
export async function openWriteAheadLog(
  base: string,
  fs: FileSystem = nodeFileSystem,
  limits: Partial<LogLimits> = {},
): Promise<WriteAheadLog> {
  try {
    return await open(resolve(base), fs, { ...defaultLimits, ...limits })
  } catch (error) {
    throw asStoreError(error, `open the log in ${base}`)
  }
}

async function open(base: string, fs: FileSystem, limits: LogLimits): Promise<WriteAheadLog> {
  const files = durableFiles(fs)
  const directory = join(base, 'log')
  const below = join(base, sep)
  const pathOf = ({ number }: Segment) => join(directory, segmentName(number))
  const segments = noSegments()
  const kept = keptFiles(fs)
  const turns = takingTurns()
  let active: { readonly segment: Segment; readonly file: OpenFile } | undefined
  let waiting: Appending[] = []
  let settlingOfOlder = 0
  let broken: unknown

  await files.makeDirectory(directory)
  for (const { paths, ...found } of await recoverFromLog(base, directory, fs, kept)) {
    const segment = segments.add(found)
    for (const path of paths) segments.hold(path, segment)
  }
  // All of it was written before anything is asked of this one.
  settlingOfOlder = segments.lastNumber

  /** Whoever comes while others are being appended is appended with all that came meanwhile. */
  function append(appending: Appending): void {
    waiting.push(appending)
    if (waiting.length === 1) void room().then(() => turns.take('log', appendWaiting))
  }

  /** Writers are not to be faster than the disk for long. Where nothing can be settled, nobody is helped by their waiting. */
  async function room(): Promise<void> {
    if (segments.bytes > limits.most) await shorten(limits.most)
  }

  /** Settles the oldest until there are no more bytes than that, if it can. */
  async function shorten(most: number): Promise<void> {
    try {
      for (let { oldest } = segments; oldest !== undefined && segments.bytes > most; { oldest } = segments) {
        if (oldest === active?.segment) return
        await settleOldest(oldest, settledAtOnce.inHurry)
      }
    } catch {
      // The next round of housekeeping says what is wrong.
    }
  }

  async function appendWaiting(): Promise<void> {
    const group = waiting
    waiting = []
    try {
      active ??= await begin()
      const { segment, file } = active
      const records = Buffer.concat(group.map(({ record }) => record))
      segment.bytes += records.length
      await file.writeFile(records)
      await file.sync()
      for (const { done } of group) done(segment)
      if (segment.bytes > limits.segment) await seal()
    } catch (error) {
      await abandon(group.map(({ path }) => path))
      for (const { failed } of group) failed(error)
    }
    if (active === undefined) void shorten(limits.unhurried)
  }

  async function begin() {
    const segment = segments.add()
    const file = await fs.open(pathOf(segment), 'wx', 0o600)
    active = { segment, file }
    await files.syncDirectory(directory)
    return active
  }

  /** Nothing more is appended to the segment at hand. */
  async function seal(): Promise<void> {
    const file = active?.file
    active = undefined
    await file?.close()
  }

  /** What a failed write or sync has left in the segment nobody knows: it may have the last word about these. */
  async function abandon(paths: readonly string[]): Promise<void> {
    await seal().catch(() => undefined)
    const segment = segments.newest
    if (segment === undefined) return
    if (segment.paths.size === 0) {
      const isGone = await drop(segment).then(
        () => true,
        () => false,
      )
      if (isGone) return
    }
    for (const path of paths) segments.hold(path, segment)
  }

  /** Before a later one is dropped, lest this one gets the last word again. */
  async function drop(segment: Segment): Promise<void> {
    await unlinkIfThere(fs, pathOf(segment))
    await syncOnce(() => files.syncDirectory(directory))
    segments.remove(segment)
  }

  /** `place` gets a copy of the bytes that is its own. */
  function change<T>(path: string, bytes: Uint8Array | undefined, place: (copy: Uint8Array) => Promise<T>): Promise<T> {
    const record = encodeChange({ path: path.slice(below.length), bytes })
    return new Promise((resolve, failed) => {
      const done = (segment: Segment) => {
        segments.hold(path, segment, bytes === undefined ? 'gone' : 'there')
        const placing = place(contentOf(record, bytes?.length ?? 0))
        resolve(placing)
        const end: Promise<unknown> = placing.catch(() => undefined).then(() => segment.placing.delete(end))
        segment.placing.add(end)
      }
      append({ path, record, done, failed })
    })
  }

  /**
   * The file that takes the place of another one is made meanwhile, and synced: else some file systems write it to the disk
   * during the rename.
   */
  async function replace(path: string, bytes: Uint8Array, temporary: string): Promise<FileVersion> {
    const making = files.make(temporary, bytes)
    try {
      const [, version] = await Promise.all([
        change(path, bytes, async () => {
          await making
          await kept.place(path)
          await fs.rename(temporary, path)
        }),
        making,
      ])
      return version
    } catch (error) {
      await making.catch(() => undefined)
      await unlinkIfThere(fs, temporary).catch(() => undefined)
      throw error
    }
  }

  async function settle(what: 'all' | 'older'): Promise<void> {
    const before = settlingOfOlder
    try {
      await turns.take('log', seal)
      settlingOfOlder = segments.lastNumber
      const last = what === 'all' ? segments.lastNumber : before
      for (let { oldest } = segments; oldest !== undefined && oldest.number <= last; { oldest } = segments)
        await settleOldest(oldest, what === 'all' ? settledAtOnce.inHurry : settledAtOnce.beside)
    } catch (error) {
      throw asStoreError(error, `make what is in ${directory} durable`)
    }
  }

  function settleOldest(segment: Segment, atOnce: number): Promise<void> {
    return turns.take('settle', async () => {
      // Somebody else may have had the turn before.
      if (segment !== segments.oldest) return
      if (broken !== undefined) throw broken
      await settleSegment(segment, atOnce)
    })
  }

  /** After a sync that failed the next one may succeed without having written anything: nothing is dropped any more. */
  async function syncOnce(sync: () => Promise<void>): Promise<void> {
    try {
      await sync()
    } catch (error) {
      // Of what could not even be opened nothing was synced, and nothing is lost.
      if ((error as NodeJS.ErrnoException).syscall !== 'open') broken = error
      throw error
    }
  }

  async function settleSegment(segment: Segment, atOnce: number): Promise<void> {
    await Promise.all(segment.placing)
    // Those too of which a later one was to say more: where that could not be written, this has the last word.
    const paths = [...segment.paths.keys()]
    const there = paths.filter((path) => segment.paths.get(path) === 'there')
    await inParallel(there, atOnce, kept.place)
    await inParallel(there, atOnce, (path) => syncOnce(() => files.syncFile(path)))
    for (const folder of new Set(paths.map((path) => dirname(path)))) await syncOnce(() => files.syncDirectory(folder))
    await drop(segment)
  }

  const create = (path: string, bytes: Uint8Array, temporary?: string) =>
    change(path, bytes, () => fs.place(path, bytes, temporary))

  return {
    create,
    replace,
    keep: (path, bytes) =>
      kept.bytesIn(dirname(path)) + bytes.length > mostBytesKept
        ? create(path, bytes)
        : change(path, bytes, async (copy) => kept.keep(path, copy)),
    kept,
    remove: (path) =>
      change(path, undefined, async () => {
        if (await kept.forget(path)) await unlinkIfThere(fs, path)
      }),
    takes: (path, length = Number.POSITIVE_INFINITY) => length <= limits.longestTaken || segments.holds(path),
    settle,
  }
}
