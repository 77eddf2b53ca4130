import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { openDirectoryObjectStore } from '../../../shared/adapters/local/directory-object-store.ts'
import { directoryUploads } from '../../../shared/adapters/local/directory-uploads.ts'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { StoreError } from '../../../shared/repository/ports.ts'
import { maximumBulkBytes } from '../../../shared/repository/uploads.ts'
import { temporaryDirectory } from './temporary-directory.ts'

async function* chunks(...texts: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text instanceof Error) throw text
    yield Buffer.from(text)
  }
}

/** Says what was made durable, and what got its name, in which order. */
function recording() {
  const calls: string[] = []
  const name = (path: string) => (path.includes('.state.tmp/') ? 'temporary' : basename(path))
  const fs: FileSystem = {
    ...nodeFileSystem,
    async open(path, flags, mode) {
      const file = await nodeFileSystem.open(path, flags, mode)
      const sync = file.sync.bind(file)
      return Object.assign(file, {
        sync() {
          calls.push(`sync ${name(path)}`)
          return sync()
        },
      })
    },
    link(existing, path) {
      calls.push(`link ${name(path)}`)
      return nodeFileSystem.link(existing, path)
    },
  }
  return { fs, calls }
}

describe('directoryUploads', () => {
  it('makes an object of the store out of what comes, durable before it says so', async () => {
    await using directory = await temporaryDirectory()
    const root = join(directory.path, 'state')
    const store = await openDirectoryObjectStore(root)
    const { fs, calls } = recording()
    const uploads = directoryUploads(root, fs)
    assert.equal(await uploads.receive('a', chunks('one ', '', 'two')), true)
    assert.deepEqual(calls.slice(-3), ['sync temporary', 'link a', 'sync bulk'])
    assert.equal(Buffer.from((await store.read('bulk/a'))?.bytes ?? '').toString(), 'one two')
    const sha256 = createHash('sha256').update('one two').digest('hex')
    calls.length = 0
    assert.deepEqual(await uploads.arrived('a'), { bytes: 7, sha256 })
    assert.deepEqual(calls, ['sync bulk'])
    assert.equal(await uploads.arrived('b'), undefined)
    assert.deepEqual(await readdir(join(directory.path, '.state.tmp')), [])
  })

  it('never replaces what is there', async () => {
    await using directory = await temporaryDirectory()
    const root = join(directory.path, 'state')
    const store = await openDirectoryObjectStore(root)
    const uploads = directoryUploads(root)
    const both = await Promise.all([uploads.receive('a', chunks('same')), uploads.receive('a', chunks('same'))])
    assert.deepEqual(both.sort(), [false, true])
    assert.equal(await uploads.receive('a', chunks('other')), false)
    assert.equal(Buffer.from((await store.read('bulk/a'))?.bytes ?? '').toString(), 'same')
  })

  it('leaves nothing of what broke off, and says why it did', async () => {
    await using directory = await temporaryDirectory()
    const root = join(directory.path, 'state')
    await openDirectoryObjectStore(root)
    const uploads = directoryUploads(root)
    const gone = new Error('gone')
    await assert.rejects(uploads.receive('a', chunks('half', gone)), gone)
    assert.equal(await uploads.arrived('a'), undefined)
    assert.deepEqual(await readdir(join(directory.path, '.state.tmp')), [])
    assert.equal(await uploads.receive('a', chunks('whole')), true)
  })

  it('says in the words of the store what the disk refuses', async () => {
    await using directory = await temporaryDirectory()
    const root = join(directory.path, 'state')
    await openDirectoryObjectStore(root)
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    const fs: FileSystem = {
      ...nodeFileSystem,
      open: async (path, flags, mode) =>
        Object.assign(
          await nodeFileSystem.open(path, flags, mode),
          flags === 'wx' && { writeFile: () => Promise.reject(full) },
        ),
    }
    const isFull = (error: unknown) => error instanceof StoreError && error.code === 'full'
    await assert.rejects(directoryUploads(root, fs).receive('a', chunks('x')), isFull)
    assert.deepEqual(await readdir(join(directory.path, '.state.tmp')), [])
  })

  it('does not read what is too large to be of use', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'state/bulk/a')
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, '')
    await truncate(path, maximumBulkBytes + 1)
    const arrived = await directoryUploads(join(directory.path, 'state')).arrived('a')
    assert.deepEqual(arrived, { bytes: maximumBulkBytes + 1, sha256: '' })
  })
})
