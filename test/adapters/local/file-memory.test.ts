import assert from 'node:assert/strict'
import { rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { contentTag } from '../../../shared/adapters/local/content-tag.ts'
import { directoryObjectStore } from '../../../shared/adapters/local/directory-object-store.ts'
import { fileMemory } from '../../../shared/adapters/local/file-memory.ts'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { content, rejectsWith, text } from '../../contract/object-store-helpers.ts'
import { temporaryDirectory } from './temporary-directory.ts'

describe('What the directory store remembers of files', () => {
  it('reads a small file once, and again when somebody else has written it', async () => {
    await using directory = await temporaryDirectory()
    let reads = 0
    const fs: FileSystem = {
      ...nodeFileSystem,
      async open(path, flags, mode) {
        const file = await nodeFileSystem.open(path, flags, mode)
        const readFile = () => {
          reads++
          return file.readFile()
        }
        return { ...file, readFile }
      },
    }
    const path = join(directory.path, 'a')
    const store = directoryObjectStore(directory.path, fs)
    const tag = await store.create('a', text('one'))
    const replaced = await store.replace('a', text('two'), tag)
    reads = 0
    assert.deepEqual([await content(store, 'a'), reads], ['two', 0])
    assert.equal((await store.read('a'))?.tag, replaced)

    // In place, with the same length; and by another file under the same date.
    await writeFile(path, '222')
    const earlier = new Date(Date.now() - 10_000)
    await utimes(path, earlier, earlier)
    assert.deepEqual([await content(store, 'a'), reads], ['222', 1])
    const { mtime } = await stat(path)
    await writeFile(join(directory.path, 'other'), '333')
    await utimes(join(directory.path, 'other'), mtime, mtime)
    await rename(join(directory.path, 'other'), path)
    assert.deepEqual([await content(store, 'a'), reads], ['333', 2])
    await rejectsWith('changed', store.replace('a', text('four'), replaced))
    await rm(path)
    assert.equal(await store.read('a'), undefined)
    await store.create('a', text('five'))
    assert.equal(await content(store, 'a'), 'five')
  })

  it('does not remember what another has only just written: the next version may have the same date', async () => {
    await using directory = await temporaryDirectory()
    const store = directoryObjectStore(directory.path)
    const path = join(directory.path, 'a')
    for (const version of ['one', 'two', 'six']) {
      await writeFile(path, version)
      // Far from over: the moment in which it was written.
      const later = new Date(2_000_000_000_000)
      await utimes(path, later, later)
      assert.equal(await content(store, 'a'), version)
    }
  })

  it('gives each reader bytes of its own', async () => {
    await using directory = await temporaryDirectory()
    const store = directoryObjectStore(directory.path)
    const bytes = text('one')
    await store.replace('a', bytes, await store.create('a', text('none')))
    bytes.fill(0)
    ;(await store.read('a'))?.bytes.fill(0)
    assert.equal(await content(store, 'a'), 'one')
  })

  it('forgets what was not used for longest', () => {
    const memory = fileMemory()
    const bytes = new Uint8Array(64 * 1024)
    const file = { bytes, tag: contentTag(bytes), version: { ino: 1, size: 1, mtimeMs: 1 } }
    const set = (name: string) => memory.set(name, file)
    for (let at = 0; at < 64; at++) set(`${at}`)
    // Again and again the same takes no more room.
    for (let times = 0; times < 64; times++) set('5')
    assert.notEqual(memory.get('0'), undefined)
    set('64')
    set('65')
    assert.deepEqual(
      ['0', '1', '2', '3', '64', '65'].filter((name) => memory.get(name) === undefined),
      ['1', '2'],
    )
    memory.delete('3')
    set('66')
    assert.notEqual(memory.get('4'), undefined)
  })

  it('remembers nothing that is in memory already', () => {
    const memory = fileMemory()
    const bytes = text('kept')
    memory.set('a', { bytes, tag: contentTag(bytes), version: { ino: -1, size: 4, mtimeMs: 1 } })
    assert.equal(memory.get('a'), undefined)
  })

  it('remembers a bounded amount, and reads what is large each time', async () => {
    await using directory = await temporaryDirectory()
    const store = directoryObjectStore(directory.path)
    const names = Array.from({ length: 100 }, (_, index) => String(index))
    for (const size of [60_000, 70_000]) {
      const bytes = (name: string) => Buffer.alloc(size, `${name} ${size}`)
      for (const name of names) {
        const before = await store.read(name)
        if (before) await store.replace(name, bytes(name), before.tag)
        else await store.create(name, bytes(name))
      }
      for (const name of [...names, ...names.toReversed()])
        assert.ok(bytes(name).equals((await store.read(name))?.bytes ?? text('')), name)
    }
  })
})
