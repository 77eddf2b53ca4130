import assert from 'node:assert/strict'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { text } from '../../contract/object-store-helpers.ts'
import { openLogged, watching } from './logged-store.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** Of each object below; with its name a change takes some 60 bytes of the log. */
const bytes = text('x'.repeat(30))

describe('A log that becomes long', () => {
  it('settles by itself what is more than it may be without a hurry', { timeout: 30_000 }, async ({ signal }) => {
    await using directory = await temporaryDirectory()
    const { store } = await openLogged(directory.path, nodeFileSystem, { segment: 100, unhurried: 300 })
    for (let index = 0; index < 50; index++) await store.create(`${index}`, bytes)
    while ((await sizeOf(join(directory.path, 'log'))) > 300 + 200) await setTimeout(1, undefined, { signal })
    assert.equal((await store.list('')).length, 50)
  })

  it('has writers wait where it would become too long', async () => {
    await using directory = await temporaryDirectory()
    let longest = 0
    const fs = watching({
      sync: async (path, sync) => {
        if (path.includes('objects/')) await setTimeout(2)
        else longest = Math.max(longest, await sizeOf(join(directory.path, 'log')))
        await sync()
      },
    })
    const { store } = await openLogged(directory.path, fs, { segment: 100, unhurried: 300, most: 1000 })
    for (let index = 0; index < 100; index++) await store.create(`${index}`, bytes)
    assert.ok(longest > 500 && longest < 1000 + 200, `${longest} bytes`)
  })

  it('keeps the part to which it appends, however long that is', async () => {
    await using directory = await temporaryDirectory()
    const { store } = await openLogged(directory.path, nodeFileSystem, { segment: 10_000, most: 300 })
    for (let index = 0; index < 20; index++) await store.create(`${index}`, bytes)
    assert.ok((await sizeOf(join(directory.path, 'log'))) > 1000)
  })

  it('has nobody wait for what cannot be settled', async () => {
    await using directory = await temporaryDirectory()
    const fs = watching({
      sync: async (path, sync) => {
        if (path.includes('objects/')) throw Object.assign(new Error('EIO'), { code: 'EIO' })
        await sync()
      },
    })
    const { store, log } = await openLogged(directory.path, fs, { segment: 100, unhurried: 300, most: 1000 })
    for (let index = 0; index < 100; index++) await store.create(`${index}`, bytes)
    await assert.rejects(log.settle('all'), { code: 'unavailable' })
    const { store: again } = await openLogged(directory.path)
    assert.equal((await again.list('')).length, 100)
  })
})

async function sizeOf(directory: string): Promise<number> {
  const sizes = (await readdir(directory)).map(
    async (name) => (await stat(join(directory, name)).catch(() => undefined))?.size,
  )
  return (await Promise.all(sizes)).reduce<number>((sum, size = 0) => sum + size, 0)
}
