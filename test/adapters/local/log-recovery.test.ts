import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { openDirectoryObjectStore } from '../../../shared/adapters/local/directory-object-store.ts'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { loggedFiles } from '../../../shared/adapters/local/logged-files.ts'
import { openWriteAheadLog } from '../../../shared/adapters/local/write-ahead-log.ts'
import { content, rejectsWith, text } from '../../contract/object-store-helpers.ts'
import { allAfterPowerCut, emptyDisk } from '../../fault/fragile-disk.ts'
import { openLogged } from './logged-store.ts'
import { temporaryDirectory } from './temporary-directory.ts'

it('a log is opened on a full disk, and what it has no room for is there all the same', async () => {
  await using directory = await temporaryDirectory()
  const inbox = join(directory.path, 'objects/inbox')
  let isFull = false
  const fs: FileSystem = {
    ...nodeFileSystem,
    async place(...file) {
      if (isFull) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      await nodeFileSystem.place(...file)
    },
  }
  const open = async () => {
    const log = await openWriteAheadLog(directory.path, fs)
    return { log, store: await openDirectoryObjectStore(join(inbox, '..'), fs, loggedFiles(fs, log, [inbox])) }
  }
  await (await open()).store.create('inbox/1', text('accepted'))

  isFull = true
  for (const life of ['first', 'second']) {
    const { store, log } = await open()
    assert.deepEqual(await store.list('inbox/'), ['inbox/1'], life)
    assert.equal(await content(store, 'inbox/1'), 'accepted')
    await rejectsWith('exists', store.create('inbox/1', text('another')))
    await assert.rejects(log.settle('all'), { code: 'full' })
  }
  assert.deepEqual(await readdir(inbox), [])
  const { store, log } = await open()
  isFull = false
  await log.settle('all')
  assert.deepEqual(await readdir(inbox), ['1'])
  assert.deepEqual(await readdir(join(directory.path, 'log')), [])
  assert.equal(await content(store, 'inbox/1'), 'accepted')
})

it('a log is not opened on a full disk that shows something else than what it says', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'file')
  const { create } = await openWriteAheadLog(directory.path)
  await create(file, text('new'))
  await writeFile(file, 'old')
  const place = async () => {
    throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
  }
  await rejectsWith('full', openWriteAheadLog(directory.path, { ...nodeFileSystem, place }))
})

it('what a killed process had dropped of a log does not come back once later parts are dropped', async () => {
  const disk = emptyDisk()
  const working = disk.fileSystem(async () => {})
  await working.mkdir('/srv')
  const { store } = await openLogged('/srv', working, { segment: 1 })
  await store.replace('a', text('two'), await store.create('a', text('one')))
  await working.unlink('/srv/log/000000000001')

  // Killed, and then the power is cut before the later one's end is durable.
  const { log } = await openLogged('/srv', {
    ...working,
    async unlink(path) {
      await working.unlink(path)
      if (!path.endsWith('/000000000002')) return
      for (const left of allAfterPowerCut(disk)) {
        const { store: again } = await openLogged(
          '/srv',
          left.fileSystem(async () => {}),
        )
        assert.equal(await content(again, 'a'), 'two')
      }
      checked = true
    },
  })
  let checked = false
  await log.settle('all')
  assert.ok(checked)
})

it('a log is opened beside what others have put there, and takes away its own leftovers', async () => {
  await using directory = await temporaryDirectory()
  const log = join(directory.path, 'log')
  await openWriteAheadLog(directory.path)
  await mkdir(join(log, 'lost+found'))
  for (const name of ['notes', '0.tmp']) await writeFile(join(log, name), '')
  const { keep } = await openWriteAheadLog(directory.path)
  await keep(join(directory.path, 'file'), text('kept'))
  assert.deepEqual((await readdir(log)).sort(), ['000000000001', 'lost+found', 'notes'])
})

it('a log brings back what lies in a directory at the root of the file system', async () => {
  const disk = emptyDisk()
  const turn = async () => {}
  const log = await openWriteAheadLog('/', disk.fileSystem(turn))
  await log.keep('/folder/file', text('kept'))
  const left = disk.afterPowerCut(() => 0).fileSystem(turn)
  await openWriteAheadLog('/', left)
  assert.equal(Buffer.from(await (await left.open('/folder/file', 'r')).readFile()).toString(), 'kept')
})
