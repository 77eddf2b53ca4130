import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import type { ObjectStore } from '../../../shared/repository/ports.ts'
import { openLogged } from './logged-store.ts'
import { temporaryDirectory } from './temporary-directory.ts'

describe('Files that are kept in a log', () => {
  it('are listed once, also if they get their place meanwhile', async () => {
    await using directory = await temporaryDirectory()
    const inbox = join(directory.path, 'objects/inbox')
    let settle = async () => {}
    const fs: FileSystem = {
      ...nodeFileSystem,
      async readdir(path) {
        if (path === inbox) await settle()
        return nodeFileSystem.readdir(path)
      },
    }
    const { log, store } = await openLogged(directory.path, fs, {}, 'objects/inbox')
    await store.create('inbox/1', text('one'))
    settle = () => log.settle('all')
    assert.deepEqual(await store.list('inbox/'), ['inbox/1'])
  })

  it('are looked for again where a look at the disk has failed', async () => {
    await using directory = await temporaryDirectory()
    let isBroken = false
    const fs: FileSystem = {
      ...nodeFileSystem,
      async readdir(path) {
        if (isBroken) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
        return nodeFileSystem.readdir(path)
      },
    }
    const { store } = await openLogged(directory.path, fs, {}, 'objects/inbox')
    await store.read('other')
    isBroken = true
    await assert.rejects(store.read('inbox/1'), { code: 'unavailable' })
    isBroken = false
    assert.equal(await store.read('inbox/1'), undefined)
  })

  it('are new without a look at the disk, if their names come after all that were there', async () => {
    await using directory = await temporaryDirectory()
    const { store, looked } = await open(directory.path)
    for (const name of ['inbox/1', 'inbox/2', 'inbox/3']) {
      await store.create(name, text(name))
      assert.equal(await content(store, name), name)
      assert.equal(await store.read(`${name}1`), undefined)
    }
    assert.deepEqual(looked, [])
    await store.create('inbox/20', text('between'))
    await store.create('other/4', text('elsewhere'))
    assert.deepEqual(looked, ['20', '4'])
  })

  it('are found, and not made anew, where the disk has them', async () => {
    await using directory = await temporaryDirectory()
    const { store: first, log } = await open(directory.path)
    for (const name of ['inbox/2', 'inbox/4']) await first.create(name, text(name))
    await log.settle('all')
    await first.create('inbox/3', text('inbox/3'))
    for (const store of [first, (await open(directory.path)).store]) {
      for (const name of ['inbox/2', 'inbox/3', 'inbox/4']) {
        assert.equal(await content(store, name), name)
        await assert.rejects(store.create(name, text('other')), { code: 'exists' })
      }
    }
  })

  it('are found if somebody has put them there by hand, once they were listed', async () => {
    await using directory = await temporaryDirectory()
    const { store } = await open(directory.path)
    await store.create('inbox/1', text('ours'))
    await mkdir(join(directory.path, 'objects/inbox'), { recursive: true })
    await writeFile(join(directory.path, 'objects/inbox/2'), 'by hand')
    assert.deepEqual(await store.list('inbox/'), ['inbox/1', 'inbox/2'])
    assert.equal(await content(store, 'inbox/2'), 'by hand')
  })
})

const text = (content: string) => Buffer.from(content)
const content = async (store: ObjectStore, name: string) =>
  Buffer.from((await store.read(name))?.bytes ?? []).toString()

/** Keeps what is in `inbox/`; `looked` are the files that the file system was asked for. */
async function open(base: string) {
  const looked: string[] = []
  const fs = {
    ...nodeFileSystem,
    stat: (path: string) => {
      looked.push(path.slice(path.lastIndexOf('/') + 1))
      return nodeFileSystem.stat(path)
    },
  }
  return { looked, ...(await openLogged(base, fs, {}, 'objects/inbox')) }
}
