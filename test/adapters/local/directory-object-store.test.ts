import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import {
  directoryObjectStore,
  openDirectoryObjectStore,
} from '../../../shared/adapters/local/directory-object-store.ts'
import { noFileMemory } from '../../../shared/adapters/local/file-memory.ts'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { unsyncedFiles } from '../../../shared/adapters/local/unsynced-files.ts'
import { waitingFileSystem } from '../../../shared/adapters/local/waiting-file-system.ts'
import type { Tag } from '../../../shared/repository/ports.ts'
import { objectStoreContract } from '../../contract/object-store.ts'
import { rejectsWith, text } from '../../contract/object-store-helpers.ts'
import { temporaryDirectory } from './temporary-directory.ts'

objectStoreContract('directory', async () => {
  const directory = await temporaryDirectory()
  const store = await openDirectoryObjectStore(join(directory.path, 'objects'))
  return { store, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() }
})

objectStoreContract('directory without sync', async () => {
  const directory = await temporaryDirectory()
  const store = directoryObjectStore(join(directory.path, 'objects'), nodeFileSystem, unsyncedFiles(nodeFileSystem))
  return { store, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() }
})

objectStoreContract('directory of a thread that waits, without memory', async () => {
  const directory = await temporaryDirectory()
  const store = directoryObjectStore(join(directory.path, 'objects'), waitingFileSystem, undefined, noFileMemory)
  return { store, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() }
})

describe('directoryObjectStore', () => {
  it('keeps each object in the file of its name, and nothing else beside it', async () => {
    await using directory = await temporaryDirectory()
    const store = await openDirectoryObjectStore(join(directory.path, 'metadata'))
    const tag = await store.create('1.root.json', text('{}'))
    await store.replace('1.root.json', text('{"a":1}'), tag)
    await store.create('deep/er/a.json', text(''))
    assert.equal(await readFile(join(directory.path, 'metadata', '1.root.json'), 'utf8'), '{"a":1}')
    assert.deepEqual((await readdir(directory.path, { recursive: true })).sort(), [
      '.metadata.tmp',
      'metadata',
      'metadata/1.root.json',
      'metadata/deep',
      'metadata/deep/er',
      'metadata/deep/er/a.json',
    ])
  })

  it('touches nothing until it is used', async () => {
    await using directory = await temporaryDirectory()
    const store = directoryObjectStore(join(directory.path, 'metadata'))
    assert.equal(await store.read('a'), undefined)
    assert.deepEqual(await store.list(''), [])
    assert.deepEqual(await readdir(directory.path), [])
    await store.create('a', text('one'))
    assert.deepEqual(await store.list(''), ['a'])
  })

  it('tells the age of a version by when its file was written', async () => {
    await using directory = await temporaryDirectory()
    const store = await openDirectoryObjectStore(directory.path)
    const tag = await store.create('a', text('one'))
    const hourAgo = Date.now() / 1000 - 3600
    await utimes(join(directory.path, 'a'), hourAgo, hourAgo)
    const { age = 0 } = (await store.read('a')) ?? {}
    assert.ok(age >= 3_599_000 && age < 3_660_000)
    await store.replace('a', text('two'), tag)
    assert.ok(((await store.read('a'))?.age ?? Number.NaN) < 60_000)
    const inAnHour = Date.now() / 1000 + 3600
    await utimes(join(directory.path, 'a'), inAnHour, inAnHour)
    assert.equal((await store.read('a'))?.age, 0)
  })

  it('lets no name lead out of its directory or be spelt in two ways', async () => {
    await using directory = await temporaryDirectory()
    await writeFile(join(directory.path, 'secret'), 'secret')
    const store = await openDirectoryObjectStore(join(directory.path, 'objects'))
    await store.create('folder/a', text('one'))
    const bad = [
      '',
      '.',
      '..',
      '/',
      '../secret',
      'folder/../../secret',
      'folder//a',
      './folder/a',
      '/folder/a',
      'folder/',
    ]
    bad.push('nul\0', '\ud800', join(directory.path, 'secret'))
    for (const name of bad) {
      assert.equal(await store.read(name), undefined, name)
      await rejectsWith('unavailable', store.create(name, text('two')))
      await rejectsWith('unavailable', store.replace(name, text('two'), '' as Tag))
      await store.delete(name)
    }
    for (const prefix of ['../', '/', './', 'folder/../', '../secret', 'nul\0/']) {
      assert.deepEqual(await store.list(prefix), [])
    }
    assert.deepEqual(await store.list(''), ['folder/a'])
    assert.equal(await readFile(join(directory.path, 'secret'), 'utf8'), 'secret')
  })

  it('has no object where there is a folder, nor below an object', async () => {
    await using directory = await temporaryDirectory()
    const store = await openDirectoryObjectStore(directory.path)
    await store.create('folder/a', text('one'))
    assert.equal(await store.read('folder'), undefined)
    assert.equal(await store.read('folder/a/b'), undefined)
    assert.equal(await store.read('n'.repeat(300)), undefined)
    await store.delete('folder')
    await store.delete('folder/a/b')
    assert.deepEqual(await store.list('folder/a/'), [])
    await assert.rejects(store.create('folder/a/b', text('two')), { name: 'StoreError' })
    await assert.rejects(store.create('folder', text('two')), { name: 'StoreError' })
    await rejectsWith('unavailable', store.create('n'.repeat(300), text('two')))
    assert.deepEqual(await store.list(''), ['folder/a'])
  })

  it('clears away what a crash left, when opened by its writer', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'objects')
    await mkdir(join(directory.path, '.objects.tmp'))
    await writeFile(join(directory.path, '.objects.tmp', 'leftover'), 'half a')
    const reader = directoryObjectStore(path)
    assert.deepEqual(await reader.list(''), [])
    assert.deepEqual(await readdir(join(directory.path, '.objects.tmp')), ['leftover'])
    await openDirectoryObjectStore(path)
    assert.deepEqual(await readdir(join(directory.path, '.objects.tmp')), [])
  })

  it('reads only the folder that a prefix names', async () => {
    await using directory = await temporaryDirectory()
    const read: string[] = []
    const fs: FileSystem = {
      ...nodeFileSystem,
      readdir: (path) => {
        read.push(path)
        return nodeFileSystem.readdir(path)
      },
    }
    const store = directoryObjectStore(directory.path, fs)
    for (const name of ['inbox/1', 'inbox/2', 'tasks/1', 'tasks/old/1']) await store.create(name, text(name))
    assert.deepEqual(await store.list('inbox/'), ['inbox/1', 'inbox/2'])
    assert.deepEqual(await store.list('tasks/1'), ['tasks/1'])
    assert.deepEqual(read, [join(directory.path, 'inbox'), join(directory.path, 'tasks')])
    read.length = 0
    assert.deepEqual(await store.list('', { after: 'inbox/1', limit: 1 }), ['inbox/2'])
    assert.deepEqual(read, [directory.path, join(directory.path, 'inbox')])
  })

  it('keeps its number of open files far below that of its calls', async () => {
    await using directory = await temporaryDirectory()
    let open = 0
    let most = 0
    const fs: FileSystem = {
      ...nodeFileSystem,
      async open(path, flags, mode) {
        const file = await nodeFileSystem.open(path, flags, mode)
        most = Math.max(most, ++open)
        return Object.assign(file, { close: closeCounting(file.close.bind(file)) })
      },
    }
    function closeCounting(close: () => Promise<void>) {
      return async () => {
        await close()
        open--
      }
    }
    const store = await openDirectoryObjectStore(join(directory.path, 'objects'), fs)
    const names = Array.from({ length: 500 }, (_, index) => `bins/${index}`)
    await Promise.all(names.map((name) => store.create(name, text(name))))
    await Promise.all(names.map((name) => store.read(name)))
    assert.equal(open, 0)
    assert.ok(most <= 64, `${most} open at once`)
  })
})

describe('directoryObjectStore when the file system fails', () => {
  const codes = {
    ENOSPC: 'full',
    EROFS: 'read-only',
    EACCES: 'read-only',
    EPERM: 'read-only',
    EIO: 'unavailable',
    EMFILE: 'unavailable',
  } as const

  for (const [system, code] of Object.entries(codes)) {
    it(`calls ${system} '${code}', and leaves no trace of the attempt`, async () => {
      await using directory = await temporaryDirectory()
      const root = join(directory.path, 'objects')
      const whole = await openDirectoryObjectStore(root)
      const tag = await whole.create('folder/a', text('one'))
      const failure = Object.assign(new Error(`${system}: as if`), { code: system })
      const failing = Object.fromEntries(
        Object.keys(nodeFileSystem).map((call) => [call, () => Promise.reject(failure)]),
      ) as unknown as FileSystem
      const store = directoryObjectStore(root, failing)
      for (const attempt of [
        store.read('folder/a'),
        store.create('folder/b', text('two')),
        store.replace('folder/a', text('two'), tag),
        store.delete('folder/a'),
        store.list('folder/'),
        openDirectoryObjectStore(root, failing),
      ]) {
        await assert.rejects(attempt, { name: 'StoreError', code, cause: failure })
      }

      for (const call of ['link', 'rename'] as const) {
        const half = directoryObjectStore(root, { ...nodeFileSystem, [call]: () => Promise.reject(failure) })
        const write = call === 'link' ? half.create('b', text('b')) : half.replace('folder/a', text('b'), tag)
        await assert.rejects(write, { name: 'StoreError', code, cause: failure })
      }
      assert.deepEqual(await whole.list(''), ['folder/a'])
      assert.deepEqual(await readdir(join(directory.path, '.objects.tmp')), [])
    })
  }

  it('calls a quota that is used up full, for which Node has no name', async () => {
    await using directory = await temporaryDirectory()
    const { errno } = (await import('node:os')).constants
    const failure = Object.assign(new Error('over quota'), { code: 'Unknown system error', errno: -errno.EDQUOT })
    const store = directoryObjectStore(directory.path, { ...nodeFileSystem, link: () => Promise.reject(failure) })
    await rejectsWith('full', store.create('a', text('one')))
  })

  it('notices a disk that is really full', { skip: process.platform !== 'linux' }, async () => {
    await using directory = await temporaryDirectory()
    const store = directoryObjectStore(join(directory.path, 'objects'), {
      ...nodeFileSystem,
      async open(path, flags, mode) {
        if (flags === 'wx') await symlink('/dev/full', path)
        return flags === 'wx' ? nodeFileSystem.open(path, 'r+' as 'wx') : nodeFileSystem.open(path, flags, mode)
      },
    })
    await rejectsWith('full', store.create('a', text('one')))
    assert.equal(await store.read('a'), undefined)
    assert.deepEqual(await readdir(join(directory.path, '.objects.tmp')), [])
  })

  it('cannot be where a file is', async () => {
    await using directory = await temporaryDirectory()
    await writeFile(join(directory.path, 'file'), '')
    await rejectsWith('unavailable', openDirectoryObjectStore(join(directory.path, 'file', 'objects')))
    await rejectsWith('unavailable', openDirectoryObjectStore(join(directory.path, 'file')))
  })

  it('recovers when the next attempt may succeed, also at making folders', async () => {
    await using directory = await temporaryDirectory()
    let failures = 2
    const store = directoryObjectStore(join(directory.path, 'objects'), {
      ...nodeFileSystem,
      mkdir: (path) =>
        failures-- > 0 ? Promise.reject(Object.assign(new Error(), { code: 'ENOSPC' })) : nodeFileSystem.mkdir(path),
    })
    await rejectsWith('full', store.create('a/b', text('one')))
    await rejectsWith('full', store.create('a/b', text('one')))
    await store.create('a/b', text('one'))
  })

  it('recovers once a folder can be opened to be synced, of which nothing was when there were too many files open', async () => {
    await using directory = await temporaryDirectory()
    const folder = join(directory.path, 'objects/a')
    let areTooMany = false
    const store = directoryObjectStore(join(directory.path, 'objects'), {
      ...nodeFileSystem,
      async open(path, flags, mode) {
        if (areTooMany && path === folder) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE', syscall: 'open' })
        return nodeFileSystem.open(path, flags, mode)
      },
    })
    await store.create('a/1', text('one'))
    areTooMany = true
    await rejectsWith('unavailable', store.create('a/2', text('two')))
    areTooMany = false
    await store.create('a/3', text('three'))
    assert.deepEqual(await store.list('a/'), ['a/1', 'a/2', 'a/3'])
  })

  it('is opened below folders that this user may not read', async () => {
    await using directory = await temporaryDirectory()
    await openDirectoryObjectStore(join(directory.path, 'objects'), {
      ...nodeFileSystem,
      async open(path, flags, mode) {
        if (path === dirname(directory.path)) throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
        return nodeFileSystem.open(path, flags, mode)
      },
    })
  })
})
