import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { openDirectoryObjectStore } from '../../../shared/adapters/local/directory-object-store.ts'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { loggedFiles } from '../../../shared/adapters/local/logged-files.ts'
import { openWriteAheadLog } from '../../../shared/adapters/local/write-ahead-log.ts'
import { content, rejectsWith, text } from '../../contract/object-store-helpers.ts'
import { emptyDisk } from '../../fault/fragile-disk.ts'
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

it('a log is opened beside what others have put there, and takes away its own leftovers', async () => {
  await using directory = await temporaryDirectory()
  const log = join(directory.path, 'log')
  await openWriteAheadLog(directory.path)
  await mkdir(join(log, 'lost+found'))
  for (const name of ['notes', '0.tmp']) await writeFile(join(log, name), '')
  await openWriteAheadLog(directory.path)
  assert.deepEqual((await readdir(log)).sort(), ['lost+found', 'notes'])
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
