import assert from 'node:assert/strict'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { objectStoreContract } from '../../contract/object-store.ts'
import { content, rejectsWith, text } from '../../contract/object-store-helpers.ts'
import { allAfterPowerCut, emptyDisk } from '../../fault/fragile-disk.ts'
import { openLogged as open, watching } from './logged-store.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const short = 'of so many bytes'.length

for (const [name, limits, kept] of [
  ['directory with a log', {}, undefined],
  ['directory with a log for what is short', { longestTaken: 4 }, undefined],
  ['directory with a log that alone has what is short', {}, 'objects'],
] as const) {
  objectStoreContract(name, async () => {
    const directory = await temporaryDirectory()
    const { store } = await open(directory.path, nodeFileSystem, limits, kept)
    return { store, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() }
  })
}

describe('a write-ahead log', () => {
  it('makes what comes at once durable by few syncs', async () => {
    await using directory = await temporaryDirectory()
    let syncs = 0
    const fs = watching({
      sync: async (_, sync) => {
        syncs++
        await setTimeout(5)
        await sync()
      },
    })
    const { store } = await open(directory.path, fs)
    await store.create('folder/first', text('first'))
    syncs = 0
    await Promise.all(Array.from({ length: 100 }, (_, index) => store.create(`folder/${index}`, text(`${index}`))))
    assert.ok(syncs <= 3, `${syncs} syncs`)
    assert.equal((await store.list('folder/')).length, 101)
  })

  it('shows nothing before it is durable', async () => {
    await using directory = await temporaryDirectory()
    const begun = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    let isSlow = false
    const fs = watching({
      sync: async (_, sync) => {
        if (isSlow) begun.resolve()
        if (isSlow) await end.promise
        await sync()
      },
    })
    const { store } = await open(directory.path, fs)
    const tag = await store.create('a', text('one'))
    isSlow = true
    const replacing = store.replace('a', text('two'), tag)
    await begun.promise
    assert.equal(await readFile(join(directory.path, 'objects/a'), 'utf8'), 'one')
    end.resolve()
    await replacing
    assert.equal(await readFile(join(directory.path, 'objects/a'), 'utf8'), 'two')
  })

  it('makes files again that are not what it says, wherever the directory is now', async () => {
    await using directory = await temporaryDirectory()
    const { store } = await open(join(directory.path, 'before'))
    const tag = await store.create('deep/er/a', text('one'))
    await store.replace('deep/er/a', text('two'), tag)
    await store.create('b', text('b'))
    await store.create('c', text('c'))
    await store.delete('c')
    await rename(join(directory.path, 'before'), join(directory.path, 'after'))
    for (const file of ['deep/er/a', 'c']) await writeFile(join(directory.path, 'after/objects', file), '\0\0\0')

    const { store: again } = await open(join(directory.path, 'after'))
    assert.deepEqual(await again.list(''), ['b', 'deep/er/a'])
    assert.equal(await content(again, 'deep/er/a'), 'two')
  })

  it('keeps a change for one settling of what is older, and none after one of all', async () => {
    await using directory = await temporaryDirectory()
    const { store, log } = await open(directory.path)
    const segments = async () => (await readdir(join(directory.path, 'log'))).length
    await store.create('a', text('a'))
    await log.settle('older')
    await store.create('b', text('b'))
    assert.equal(await segments(), 2)
    await log.settle('older')
    assert.equal(await segments(), 1)
    await log.settle('older')
    assert.equal(await segments(), 0)
    await store.create('c', text('c'))
    await log.settle('all')
    assert.equal(await segments(), 0)
    assert.deepEqual(await store.list(''), ['a', 'b', 'c'])
  })

  it('gives what is kept no file before it lets go of it', async () => {
    await using directory = await temporaryDirectory()
    const { store, log } = await open(directory.path, nodeFileSystem, undefined, 'objects/inbox')
    for (const name of ['inbox/stays', 'inbox/goes', 'other/placed']) await store.create(name, text(name))
    await store.delete('inbox/goes')
    const files = () => readdir(join(directory.path, 'objects/inbox'))
    assert.deepEqual(await files(), [])
    assert.deepEqual(await readdir(join(directory.path, 'objects/other')), ['placed'])
    assert.deepEqual(await store.list('inbox/'), ['inbox/stays'])
    await log.settle('all')
    assert.deepEqual(await files(), ['stays'])
    assert.equal(await content(store, 'inbox/stays'), 'inbox/stays')
  })

  it('is emptied of what a crash has left by the first settling', async () => {
    await using directory = await temporaryDirectory()
    const { store: crashed } = await open(directory.path)
    await crashed.create('a', text('a'))
    const { store, log } = await open(directory.path)
    await log.settle('older')
    assert.deepEqual(await readdir(join(directory.path, 'log')), [])
    assert.equal(await content(store, 'a'), 'a')
  })

  it('does not let what was refused come back over what was taken later, in short or at length', async () => {
    await using directory = await temporaryDirectory()
    let isBroken = false
    const fs = watching({
      sync: async (_, sync) => {
        await sync()
        // It has reached the disk all the same.
        if (isBroken) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      },
    })
    const { store } = await open(directory.path, fs, { longestTaken: short })
    await store.create('before', text('before'))
    for (const later of ['short', 'longer than what the log takes']) {
      isBroken = true
      await rejectsWith('unavailable', store.create(later, text('refused')))
      isBroken = false
      assert.equal(await content(store, later), undefined)
      await store.create(later, text(later))
    }
    const { store: again } = await open(directory.path, nodeFileSystem, { longestTaken: short })
    for (const name of await again.list('')) assert.equal(await content(again, name), name)
  })

  it('keeps what it could not settle for the next opening', async () => {
    await using directory = await temporaryDirectory()
    let isBroken = true
    const fs = watching({
      sync: async (path, sync) => {
        if (isBroken && path.endsWith('objects/a')) throw Object.assign(new Error('EIO'), { code: 'EIO' })
        await sync()
      },
    })
    const { store, log } = await open(directory.path, fs)
    await store.create('a', text('one'))
    await assert.rejects(log.settle('all'), { code: 'unavailable' })
    // To ask once more would succeed, and mean nothing.
    isBroken = false
    await assert.rejects(log.settle('all'), { code: 'unavailable' })
    await store.create('b', text('two'))
    await writeFile(join(directory.path, 'objects/a'), '\0')
    const { store: again, log: other } = await open(directory.path)
    assert.equal(await content(again, 'a'), 'one')
    await other.settle('all')
    assert.deepEqual(await readdir(join(directory.path, 'log')), [])
  })

  it('settles what it could not drop, on a disk that was read-only for a while', async () => {
    await using directory = await temporaryDirectory()
    let isReadOnly = false
    const unlink = async (path: string) => {
      if (isReadOnly) throw Object.assign(new Error('EROFS'), { code: 'EROFS' })
      await nodeFileSystem.unlink(path)
    }
    const { store, log } = await open(directory.path, { ...nodeFileSystem, unlink })
    await store.create('a', text('a'))
    isReadOnly = true
    await assert.rejects(log.settle('all'), { code: 'read-only' })
    isReadOnly = false
    await log.settle('all')
    assert.deepEqual(await readdir(join(directory.path, 'log')), [])
  })

  it('settles once files can be opened again, of which there were too many for a while', async () => {
    await using directory = await temporaryDirectory()
    let areTooMany = false
    const { store, log } = await open(directory.path, {
      ...nodeFileSystem,
      async open(path, flags, mode) {
        if (areTooMany) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE', syscall: 'open' })
        return nodeFileSystem.open(path, flags, mode)
      },
    })
    await store.create('a', text('a'))
    areTooMany = true
    await assert.rejects(log.settle('all'), { code: 'unavailable' })
    areTooMany = false
    await log.settle('all')
    assert.deepEqual(await readdir(join(directory.path, 'log')), [])
  })

  it('drops nothing that may be the last word, because a later one could not be written', async () => {
    const disk = emptyDisk()
    const turns = async () => {}
    await disk.fileSystem(turns).mkdir('/srv')
    let isFull = false
    const working = disk.fileSystem(turns)
    const fs: FileSystem = {
      ...working,
      async open(path, flags, mode) {
        const file = await working.open(path, flags, mode)
        const full = () => Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
        return { ...file, writeFile: (bytes) => (isFull ? full() : file.writeFile(bytes)) }
      },
    }
    for (const kept of [undefined, 'objects']) {
      const base = `/srv/${kept}`
      const { store, log } = await open(base, fs, undefined, kept)
      await store.create('a', text('one'))
      await log.settle('older')
      await store.create('b', text('one'))
      isFull = true
      await rejectsWith('full', store.delete('a'))
      isFull = false
      await log.settle('older')
      for (const left of allAfterPowerCut(disk)) {
        const { store: again } = await open(base, left.fileSystem(turns), undefined, kept)
        assert.deepEqual([await content(again, 'a'), await content(again, 'b')], ['one', 'one'])
      }
    }
  })

  it('leaves no pile of files on a full disk', async () => {
    await using directory = await temporaryDirectory()
    let isFull = false
    const full = () => Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    const fs = watching({
      write: async (write) => {
        if (isFull) throw full()
        await write()
      },
    })
    const { store } = await open(directory.path, fs)
    await store.create('a', text('a'))
    isFull = true
    for (let tries = 0; tries < 20; tries++) await rejectsWith('full', store.create(`full-${tries}`, text('')))
    assert.ok((await readdir(join(directory.path, 'log'))).length <= 2)
    isFull = false
    await store.create('b', text('b'))
    const { store: again } = await open(directory.path)
    assert.deepEqual(await again.list(''), ['a', 'b'])
  })
})
