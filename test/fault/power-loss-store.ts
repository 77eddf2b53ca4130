import assert from 'node:assert/strict'
import { openDirectoryObjectStore } from '../../shared/adapters/local/directory-object-store.ts'
import type { FileSystem } from '../../shared/adapters/local/file-system.ts'
import { loggedFiles } from '../../shared/adapters/local/logged-files.ts'
import { type LogLimits, openWriteAheadLog, type WriteAheadLog } from '../../shared/adapters/local/write-ahead-log.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { type Choose, type Disk, emptyDisk } from './fragile-disk.ts'
import { power } from './power.ts'
import { seededRandom } from './world.ts'

export const now = async () => {}
export const choosing =
  (random: () => number): Choose =>
  (count) =>
    Math.floor(random() * count)

/** What an object has been, in order, and how far somebody knows it to be: what it is after a power cut is that or later. */
interface Known {
  readonly states: (string | undefined)[]
  certain: number
}

type Objects = ReadonlyMap<string, Known>

interface Opened {
  readonly store: ObjectStore
  /** What it does now and then. */
  tidy(): Promise<void>
}

export type Open = (fs: FileSystem) => Promise<Opened>

export const path = '/srv/objects'

const byItself: Open = async (fs) => ({ store: await openDirectoryObjectStore(path, fs), tidy: now })

/** Of what is written below, some is longer. */
export const longest = 'folder/b 1'.length

/** `keptIn`: see `loggedFiles`. */
export const byLog =
  (mutant = (log: WriteAheadLog) => log, keptIn: readonly string[] = [], limits: Partial<LogLimits> = {}): Open =>
  async (fs) => {
    const log = mutant(await openWriteAheadLog('/srv', fs, { longestTaken: longest, ...limits }))
    return {
      store: await openDirectoryObjectStore(path, fs, loggedFiles(fs, log, keptIn)),
      tidy: () => log.settle('all'),
    }
  }

export const inLogAlone = byLog(undefined, [path])

/** Each way in which a directory store makes its files durable; of how many writes all that may be left is looked at. */
export const ways: Readonly<Record<string, { readonly open: Open; readonly writes: number }>> = {
  'by itself': { open: byItself, writes: 4 },
  'by way of a log': { open: byLog(), writes: 2 },
  'by a log, and gives them names only when that lets go of them': { open: inLogAlone, writes: 2 },
  'by a log that is soon too long': { open: byLog(undefined, [], { segment: 1, unhurried: 40, most: 80 }), writes: 3 },
}

/** A store in the hands of several writers and readers, each of which knows what it was told. */
async function use({ store, tidy }: Opened, objects: Objects, random: () => number, writes = 4): Promise<void> {
  const works = [...objects].map(([name, known]) => async () => {
    for (let turn = 0; turn < writes; turn++) {
      const before = known.states.at(-1)
      const next = before !== undefined && random() < 0.3 ? undefined : `${name} ${known.states.length}`
      known.states.push(next)
      if (next === undefined) await store.delete(name)
      else if (before === undefined) await store.create(name, Buffer.from(next))
      else await store.replace(name, Buffer.from(next), (await store.read(name))?.tag ?? assert.fail(name))
      known.certain = known.states.length - 1
      if (random() < 0.5) await readAll(store, objects)
      if (random() < 0.2) await tidy()
    }
  })
  await Promise.all(works.map((work) => work()))
}

async function readAll(store: ObjectStore, objects: Objects): Promise<void> {
  for (const [name, known] of objects) {
    const bytes = (await store.read(name))?.bytes
    if (bytes === undefined) continue
    const seen = known.states.indexOf(Buffer.from(bytes).toString())
    assert.ok(seen >= 0, `${name} is what nobody wrote`)
    known.certain = Math.max(known.certain, seen)
  }
}

/** Opens what is left and looks whether it is what was promised; then once more after another power cut. */
export async function isKept(open: Open, disk: Disk, objects: Objects, choose: Choose): Promise<void> {
  const contents = async (disk: Disk) => {
    const { store } = await open(disk.fileSystem(now))
    const names = await store.list('')
    return Promise.all(
      names.map(async (name) => [name, Buffer.from((await store.read(name))?.bytes ?? []).toString()] as const),
    )
  }
  const there = await contents(disk)
  const found = new Map(there)
  for (const name of found.keys()) assert.ok(objects.has(name), `${name} was never written`)
  for (const [name, { states, certain }] of objects) {
    const possible = states.slice(certain)
    assert.ok(possible.includes(found.get(name)), `${name} is ${found.get(name)}, not one of ${possible}`)
  }
  const fs = disk.fileSystem(now)
  const log = await fs.readdir('/srv/log').catch(() => [])
  const leftovers = [...(await fs.readdir('/srv/.objects.tmp')), ...log.filter(({ name }) => !/^\d+$/.test(name))]
  assert.deepEqual(leftovers, [])
  assert.deepEqual(await contents(disk.afterPowerCut(choose)), there, 'what was read after the first power cut')
}

export async function freshDisk(): Promise<Disk> {
  const disk = emptyDisk()
  await disk.fileSystem(now).mkdir('/srv')
  // It was there long before.
  return disk.afterPowerCut((count) => count - 1)
}

const namesOf = (count: number) => ['a', 'folder/b', 'folder/c', 'folder/deeper/d', 'e'].slice(0, count)
const newObjects = (count: number): Objects =>
  new Map(namesOf(count).map((name) => [name, { states: [undefined], certain: 0 }]))

/** One life of a store, cut after so many operations; false if it ended before. */
export async function cutAfter(
  open: Open,
  lasts: number,
  seed: number,
  { count = 5, writes = 4, mutant = (fs: FileSystem) => fs },
) {
  const disk = await freshDisk()
  const random = seededRandom(seed)
  const supply = power(count === 1 ? () => 0 : choosing(random), lasts)
  const objects = newObjects(count)
  const life = async () => {
    await use(await open(mutant(disk.fileSystem(supply.turn))), objects, random, writes)
    return 'over' as const
  }
  return { disk, objects, random, isOver: (await Promise.race([life(), supply.cut])) === 'over' }
}

export async function storeBreaks(
  open: Open,
  seeds: number,
  mutant: (fs: FileSystem) => FileSystem,
): Promise<number | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      const { disk, objects, random } = await cutAfter(open, 1 + ((seed * 37) % 200), seed, { mutant })
      const choose = choosing(random)
      for (let times = 0; times < 4; times++) await isKept(open, disk.afterPowerCut(choose), objects, choose)
      // Killed without a power cut, it may have left what only the next one takes away.
      await isKept(open, disk, objects, choose)
    } catch {
      return seed
    }
  }
  return undefined
}
