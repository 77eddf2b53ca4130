import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { directoryObjectStore, openDirectoryObjectStore } from '../../shared/adapters/local/directory-object-store.ts'
import type { FileSystem } from '../../shared/adapters/local/file-system.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { allAfterPowerCut } from './fragile-disk.ts'
import { power } from './power.ts'
import { losePower } from './power-loss.ts'
import {
  byLog,
  choosing,
  cutAfter,
  freshDisk,
  inLogAlone,
  isKept,
  longest,
  now,
  type Open,
  path,
  storeBreaks,
  ways,
} from './power-loss-store.ts'

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

for (const [way, { open, writes }] of Object.entries(ways)) {
  describe(`After a power cut the directory store that makes its files durable ${way}`, () => {
    it('has what had resolved, and the rest whole or not at all: all that one writer can leave', async () => {
      let disks = 0
      for (let lasts = 1; ; lasts++) {
        const { disk, objects, isOver, random } = await cutAfter(open, lasts, 3, { count: 1, writes })
        for (const left of allAfterPowerCut(disk)) {
          await isKept(open, left, objects, choosing(random))
          disks++
        }
        if (isOver) break
      }
      assert.ok(disks > 100, `${disks} disks`)
    })

    it('has what had resolved, and the rest whole or not at all: five writers, by seeds', async () => {
      for (let seed = 1; seed <= 300; seed++) {
        const { disk, objects, random } = await cutAfter(open, 1 + ((seed * 37) % 200), seed, {})
        const choose = choosing(random)
        for (let times = 0; times < 4; times++) await isKept(open, disk.afterPowerCut(choose), objects, choose)
        await isKept(open, disk, objects, choose)
      }
    })

    for (const [name, mutant] of Object.entries(mutants)) {
      it(`shows it when ${name}`, async (test) => {
        const seed = await storeBreaks(open, 100, mutant)
        assert.ok(seed, '100 seeds have not found it')
        test.diagnostic(`caught by seed ${seed}`)
      })
    }
  })
}

describe('After a power cut the log', () => {
  const broken: Readonly<Record<string, Open>> = {
    'it is dropped before the files are synced': (fs) =>
      byLog()({
        ...fs,
        async open(path, flags, mode) {
          const file = await fs.open(path, flags, mode)
          const isSettled = flags === 'r' && path.startsWith('/srv/objects/') && (await file.stat()).size > 0
          return isSettled ? { ...file, sync: now } : file
        },
      }),
    'it is dropped before what it alone has got a file': (fs) => inLogAlone({ ...fs, place: now }),
    'a long file goes past what it says of the short one before': byLog((log) => ({
      ...log,
      takes: (_, length = 0) => length <= longest,
    })),
    'a file that it holds is deleted without it': byLog((log) => ({
      ...log,
      takes: (path, length) => length !== undefined && log.takes(path, length),
    })),
  }
  for (const [name, open] of Object.entries(broken)) {
    it(`shows it when ${name}`, async (test) => {
      const seed = await storeBreaks(open, 1000, (fs) => fs)
      assert.ok(seed, '1,000 seeds have not found it')
      test.diagnostic(`caught by seed ${seed}`)
    })
  }
})

describe('After a power cut the directory store', () => {
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
