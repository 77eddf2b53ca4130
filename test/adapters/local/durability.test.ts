import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { setImmediate, setTimeout } from 'node:timers/promises'
import {
  directoryObjectStore,
  openDirectoryObjectStore,
} from '../../../shared/adapters/local/directory-object-store.ts'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { text } from '../../contract/object-store-helpers.ts'
import { temporaryDirectory } from './temporary-directory.ts'

describe('a write that has resolved', () => {
  it('has its content synced before it gets its name, and its name before it counts', async () => {
    await using directory = await temporaryDirectory()
    const { fs, calls } = recording()
    const store = directoryObjectStore(join(directory.path, 'objects'), fs)
    const tag = await store.create('folder/a', text('one'))
    assert.deepEqual(take(calls), [
      'mkdir folder',
      'mkdir objects',
      `sync ${basename(directory.path)}`,
      'mkdir folder',
      'sync objects',
      'mkdir .objects.tmp',
      `sync ${basename(directory.path)}`,
      'sync temporary',
      'link a',
      'sync folder',
    ])
    await store.replace('folder/a', text('two'), tag)
    assert.deepEqual(take(calls), ['sync temporary', 'rename a', 'sync folder'])
    await store.create('folder/a', text('two'))
    assert.deepEqual(take(calls), ['sync folder'])
    await store.delete('folder/a')
    assert.deepEqual(take(calls), ['unlink a', 'sync folder'])
  })

  it('shares the sync of the directory with those that wait for it too', async () => {
    await using directory = await temporaryDirectory()
    const { fs, calls } = recording(5)
    const store = await openDirectoryObjectStore(join(directory.path, 'objects'), fs)
    await store.create('folder/first', text(''))
    take(calls)
    await Promise.all(Array.from({ length: 16 }, (_, index) => store.create(`folder/${index}`, text(''))))
    const made = take(calls)
    assert.equal(made.filter((call) => call.startsWith('link')).length, 16)
    assert.ok(made.filter((call) => call === 'sync folder').length <= 8, made.join())
    assert.ok(made.lastIndexOf('sync folder') > made.findLastIndex((call) => call.startsWith('link')))
  })

  it('does not count on a sync that began before it got its name', async () => {
    await using directory = await temporaryDirectory()
    const root = join(directory.path, 'objects')
    const syncs: PromiseWithResolvers<void>[] = []
    await openDirectoryObjectStore(root)
    const fs = withSync(async (path, sync) => {
      if (path === root) await syncs[syncs.push(Promise.withResolvers<void>()) - 1]?.promise
      await sync()
    })
    const store = directoryObjectStore(root, fs)
    const first = store.create('first', text('1'))
    while (syncs.length < 1) await setImmediate()
    let resolved = false
    const second = store.create('second', text('2')).then(() => {
      resolved = true
    })
    while (!(await readdir(root)).includes('second')) await setImmediate()
    await setTimeout(20)
    syncs[0]?.resolve()
    await first
    await setTimeout(20)
    assert.ok(!resolved)
    syncs[1]?.resolve()
    await second
  })

  it('stays, also if its writer was killed before the sync and a reader has seen it since', async () => {
    await using directory = await temporaryDirectory()
    const root = join(directory.path, 'objects')
    await mkdir(join(root, 'folder', 'deeper'), { recursive: true })
    const { fs, calls } = recording()
    await openDirectoryObjectStore(root, fs)
    const synced = take(calls).filter((call) => call.startsWith('sync'))
    for (const folder of [basename(directory.path), 'objects', 'folder', 'deeper']) {
      assert.ok(synced.includes(`sync ${folder}`), folder)
    }
  })

  it('waits for the sync of a folder that another write has made', async () => {
    await using directory = await temporaryDirectory()
    const synced = Promise.withResolvers<void>()
    const root = join(directory.path, 'objects')
    const fs = withSync(async (path, sync) => {
      if (path === root) await synced.promise
      await sync()
    })
    const store = await openDirectoryObjectStore(root)
    assert.deepEqual(await store.list(''), [])
    const slow = directoryObjectStore(root, fs)
    let done = 0
    const writes = ['folder/a', 'folder/b/c', 'folder/d'].map(async (name) => {
      await slow.create(name, text(name))
      done++
    })
    await setTimeout(50)
    assert.equal(done, 0)
    synced.resolve()
    await Promise.all(writes)
  })

  it('is what readers see: nothing that a power cut could take back', async () => {
    await using directory = await temporaryDirectory()
    const root = join(directory.path, 'objects')
    const synced = Promise.withResolvers<void>()
    let slow = false
    const fs = withSync(async (path, sync) => {
      if (slow && path === root) await synced.promise
      await sync()
    })
    const store = await openDirectoryObjectStore(root, fs)
    const tag = await store.create('timestamp.json', text('1'))
    slow = true
    let written = false
    const write = store.replace('timestamp.json', text('2'), tag).then(() => {
      written = true
    })
    while ((await nodeText(join(root, 'timestamp.json'))) === '1') await setImmediate()
    const reading = store.read('timestamp.json').then((stored) => ({ stored, written }))
    synced.resolve()
    await write
    const { stored, written: writtenWhenRead } = await reading
    assert.equal(Buffer.from(stored?.bytes ?? []).toString(), '2')
    assert.ok(writtenWhenRead)
  })

  it('survives SIGKILL at any moment, and nothing is left in halves', async () => {
    for (const patience of [5, 40, 80]) {
      await using directory = await temporaryDirectory()
      const root = join(directory.path, 'objects')
      const writer = spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), root], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const acknowledged: string[] = []
      const lines = createInterface(writer.stdout).on('line', (line) => acknowledged.push(line))
      await once(lines, 'line')
      await setTimeout(patience)
      writer.kill('SIGKILL')
      await once(lines, 'close')

      const store = await openDirectoryObjectStore(root)
      assert.deepEqual(await readdir(join(directory.path, '.objects.tmp')), [])
      const names = await store.list('')
      for (const name of names) {
        const { bytes } = (await store.read(name)) ?? { bytes: text('') }
        assert.ok(bytes.length >= 100_000 && bytes.every((byte) => byte === bytes[0]), name)
      }
      const count = (await store.read('count'))?.bytes.length ?? 0
      for (const line of acknowledged) {
        const [what, value] = line.split(' ')
        if (what === 'created') assert.ok(names.includes(value ?? ''), line)
        else assert.ok(count >= Number(value), line)
      }
    }
  })
})

function withSync(onSync: (path: string, sync: () => Promise<void>) => Promise<void>): FileSystem {
  return {
    ...nodeFileSystem,
    async open(path, flags, mode) {
      const file = await nodeFileSystem.open(path, flags, mode)
      const sync = file.sync.bind(file)
      return Object.assign(file, { sync: () => onSync(path, sync) })
    },
  }
}

/** The real file system, whose syncs take some milliseconds, and the calls that changed something or made it durable. */
function recording(milliseconds = 0): { fs: FileSystem; calls: string[] } {
  const calls: string[] = []
  const temporary = (path: string) => dirname(path).endsWith('.tmp')
  const fs: FileSystem = {
    ...withSync(async (path, sync) => {
      calls.push(`sync ${temporary(path) ? 'temporary' : basename(path)}`)
      await setTimeout(milliseconds)
      await sync()
    }),
    link: (from, path) => {
      calls.push(`link ${basename(path)}`)
      return nodeFileSystem.link(from, path)
    },
    rename: (from, path) => {
      calls.push(`rename ${basename(path)}`)
      return nodeFileSystem.rename(from, path)
    },
    unlink: (path) => {
      if (!temporary(path)) calls.push(`unlink ${basename(path)}`)
      return nodeFileSystem.unlink(path)
    },
    mkdir: (path) => {
      calls.push(`mkdir ${basename(path)}`)
      return nodeFileSystem.mkdir(path)
    },
  }
  return { fs, calls }
}

function take(calls: string[]): string[] {
  return calls.splice(0)
}

async function nodeText(path: string): Promise<string> {
  const file = await nodeFileSystem.open(path, 'r')
  try {
    return Buffer.from(await file.readFile()).toString()
  } finally {
    await file.close()
  }
}
