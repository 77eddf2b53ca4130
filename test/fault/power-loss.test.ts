import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { directoryObjectStore, openDirectoryObjectStore } from '../../shared/adapters/local/directory-object-store.ts'
import type { FileSystem } from '../../shared/adapters/local/file-system.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { allAfterPowerCut, type Choose, type Disk, emptyDisk, power } from './fragile-disk.ts'
import { losePower } from './power-loss.ts'
import { seededRandom } from './world.ts'

const now = async () => {}
const choosing =
  (random: () => number): Choose =>
  (count) =>
    Math.floor(random() * count)

/** What a file system does that keeps less than it says: each of these has to be found out. */
const mutants: Readonly<Record<string, (fs: FileSystem) => FileSystem>> = {
  'no file is synced': (fs) => withoutSync(fs, (flags) => flags === 'wx'),
  'no directory is synced': (fs) => withoutSync(fs, (flags) => flags === 'r'),
  'a name is given before the content is synced': (fs) => ({
    ...fs,
    async open(path, flags, mode) {
      const file = await fs.open(path, flags, mode)
      return flags === 'r' ? file : { ...file, sync: async () => void file.sync() }
    },
  }),
}

function withoutSync(fs: FileSystem, isMeant: (flags: string) => boolean): FileSystem {
  return {
    ...fs,
    async open(path, flags, mode) {
      const file = await fs.open(path, flags, mode)
      return isMeant(flags) ? { ...file, sync: now } : file
    },
  }
}

/** Whose first sync of a directory fails. */
function failingOnce(fs: FileSystem, directory: string): FileSystem {
  let failed = false
  return {
    ...fs,
    async open(path, flags, mode) {
      const file = await fs.open(path, flags, mode)
      if (failed || path !== directory) return file
      const sync = async () => {
        failed = true
        throw Object.assign(new Error('EIO'), { code: 'EIO' })
      }
      return { ...file, sync }
    },
  }
}

/** What an object has been, in order, and how far somebody knows it to be: what it is after a power cut is that or later. */
interface Known {
  readonly states: (string | undefined)[]
  certain: number
}

type Objects = ReadonlyMap<string, Known>

const path = '/srv/objects'

/** A store in the hands of several writers and readers, each of which knows what it was told. */
async function use(store: ObjectStore, objects: Objects, random: () => number): Promise<void> {
  const works = [...objects].map(([name, known]) => async () => {
    for (let turn = 0; turn < 4; turn++) {
      const before = known.states.at(-1)
      const next = before !== undefined && random() < 0.3 ? undefined : `${name} ${known.states.length}`
      known.states.push(next)
      if (next === undefined) await store.delete(name)
      else if (before === undefined) await store.create(name, Buffer.from(next))
      else await store.replace(name, Buffer.from(next), (await store.read(name))?.tag ?? assert.fail(name))
      known.certain = known.states.length - 1
      if (random() < 0.5) await readAll(store, objects)
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
async function isKept(disk: Disk, objects: Objects, choose: Choose): Promise<void> {
  const contents = async (disk: Disk) => {
    const store = await openDirectoryObjectStore(path, disk.fileSystem(now))
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
  assert.deepEqual(await fs.readdir('/srv/.objects.tmp'), [], 'leftovers')
  assert.deepEqual(await contents(disk.afterPowerCut(choose)), there, 'what was read after the first power cut')
}

async function freshDisk(): Promise<Disk> {
  const disk = emptyDisk()
  await disk.fileSystem(now).mkdir('/srv')
  // It was there long before.
  return disk.afterPowerCut((count) => count - 1)
}

const namesOf = (count: number) => ['a', 'folder/b', 'folder/c', 'folder/deeper/d', 'e'].slice(0, count)
const newObjects = (count: number): Objects =>
  new Map(namesOf(count).map((name) => [name, { states: [undefined], certain: 0 }]))

/** One life of a store, cut after so many operations; false if it ended before. */
async function cutAfter(lasts: number, seed: number, count: number, mutant = (fs: FileSystem) => fs) {
  const disk = await freshDisk()
  const random = seededRandom(seed)
  const supply = power(count === 1 ? () => 0 : choosing(random), lasts)
  const objects = newObjects(count)
  const life = async () => {
    const store = await openDirectoryObjectStore(path, mutant(disk.fileSystem(supply.turn)))
    await use(store, objects, random)
    return 'over' as const
  }
  return { disk, objects, random, isOver: (await Promise.race([life(), supply.cut])) === 'over' }
}

async function storeBreaks(seeds: number, mutant: (fs: FileSystem) => FileSystem): Promise<number | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { disk, objects, random } = await cutAfter(1 + ((seed * 37) % 200), seed, 5, mutant)
    const choose = choosing(random)
    try {
      for (let times = 0; times < 4; times++) await isKept(disk.afterPowerCut(choose), objects, choose)
      // Killed without a power cut, it may have left what only the next one takes away.
      await isKept(disk, objects, choose)
    } catch {
      return seed
    }
  }
  return undefined
}

describe('After a power cut the directory store', () => {
  it('has what had resolved, and the rest whole or not at all: all that one writer can leave', async () => {
    let disks = 0
    for (let lasts = 1; ; lasts++) {
      const { disk, objects, isOver, random } = await cutAfter(lasts, 3, 1)
      for (const left of allAfterPowerCut(disk)) {
        await isKept(left, objects, choosing(random))
        disks++
      }
      if (isOver) break
    }
    assert.ok(disks > 100, `${disks} disks`)
  })

  it('has what had resolved, and the rest whole or not at all: five writers, by seeds', async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { disk, objects, random } = await cutAfter(1 + ((seed * 37) % 200), seed, 5)
      const choose = choosing(random)
      for (let times = 0; times < 4; times++) await isKept(disk.afterPowerCut(choose), objects, choose)
      await isKept(disk, objects, choose)
    }
  })

  it('is where it was, also if its first process was killed while it made the directories', async () => {
    for (let lasts = 1; lasts < 30; lasts++) {
      const disk = await freshDisk()
      const deeper = '/srv/made/by it/objects'
      const supply = power(() => 0, lasts)
      await Promise.race([openDirectoryObjectStore(deeper, disk.fileSystem(supply.turn)), supply.cut])
      const store = await openDirectoryObjectStore(deeper, disk.fileSystem(now))
      await store.create('a', Buffer.from('one'))
      for (const left of allAfterPowerCut(disk)) {
        const after = await openDirectoryObjectStore(deeper, left.fileSystem(now))
        assert.ok(await after.read('a'), `killed after ${lasts} operations`)
      }
    }
  })

  const told: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
    read: async (store) => assert.ok(await store.read('a')),
    'said to exist': (store) => assert.rejects(store.create('a', Buffer.from('another')), { code: 'exists' }),
  }
  for (const [how, tell] of Object.entries(told)) {
    it(`has what was ${how}, also if the disk failed once when it was made`, async () => {
      const disk = await freshDisk()
      await openDirectoryObjectStore(path, disk.fileSystem(now))
      const store = directoryObjectStore(path, failingOnce(disk.fileSystem(now), path))
      await assert.rejects(store.create('a', Buffer.from('one')), { code: 'unavailable' })
      await tell(store)
      for (const left of allAfterPowerCut(disk)) {
        const after = await openDirectoryObjectStore(path, left.fileSystem(now))
        assert.equal(Buffer.from((await after.read('a'))?.bytes ?? []).toString(), 'one')
      }
    })
  }

  for (const [name, mutant] of Object.entries(mutants)) {
    it(`shows it when ${name}`, async (test) => {
      const seed = await storeBreaks(100, mutant)
      assert.ok(seed, '100 seeds have not found it')
      test.diagnostic(`caught by seed ${seed}`)
    })
  }
})

describe('After power cuts the service', () => {
  it('has done everything that it had accepted, once, and no client is set back', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      try {
        await losePower(seed)
      } catch (cause) {
        throw new Error(`Seed ${seed} failed.`, { cause })
      }
    }
  })

  for (const [name, mutant] of Object.entries(mutants)) {
    it(`shows it when ${name}`, async (test) => {
      for (let seed = 1; seed <= 100; seed++) {
        const broken = await losePower(seed, mutant).then(
          () => false,
          () => true,
        )
        if (broken) return test.diagnostic(`caught by seed ${seed}`)
      }
      assert.fail('100 seeds have not found it')
    })
  }
})
