import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { changesOf, readChanges } from '../../shared/repository/changes.ts'
import { sha256 } from '../../shared/repository/documents.ts'
import { writeHeld } from '../../shared/repository/imported.ts'
import { afterImport, paged } from '../support/changes.ts'
import { lines, many } from '../support/long-work.ts'
import { memoryObjectStore } from '../support/memory-object-store.ts'
import { addRequest, bootstrapped, run } from '../support/repository.ts'

describe('what a commit changed, page by page', () => {
  it('is told of those that its entry names', async () => {
    const repository = await bootstrapped()
    await run(repository, addRequest(many(25)))
    assert.deepEqual((await paged(repository, 10)).pages, [10, 10, 5])
    await run(repository, { kind: 'force_online_metadata_update', roles: [] })
    assert.deepEqual((await paged(repository, 10)).pages, [0])
  })

  it('is told of an import: old and new values, but not what later tasks had changed before', async () => {
    const repository = await afterImport(lines([...many(20), ...many(20, 'old')]))
    const { pages, changes } = await paged(repository, 15)
    // p/1 is another commit's.
    assert.deepEqual(pages, [14, 15, 10])
    const of = (path: string) => changes.find((change) => change.path === path)
    assert.deepEqual([of('p/1'), of('p/3')?.before, of('p/3')?.after?.length], [undefined, undefined, 1])
    for (const path of ['p/2', 'old/0', 'old/19'])
      assert.deepEqual(of(path)?.before, { length: 7, hashes: { sha256: 'ab'.repeat(32) } }, path)
  })

  it('does not read the file of an import for a page that holds nothing of it', async () => {
    const state = memoryObjectStore(() => 0)
    const changes = many(3).map((path) => ({ role: 'one', path }))
    const imported = { bulk: 'gone', sha256: '', format: 'csv', artifacts: 4, except: [] } as const
    const page = (offset: number, limit: number) => readChanges(state, { changes, imported }, { offset, limit })
    assert.deepEqual(await page(1, 2), { changes: changes.slice(1), next: 3 })
    assert.deepEqual(await page(7, 2), { changes: [] })
    await assert.rejects(page(6, 1), { code: 'corrupt' })
  })

  it('leaves out lines that were not taken', async () => {
    const text = ['', ...lines(many(6)), 'broken', ...lines(['p/4']), ...lines(['p/5'], 3), '', ...lines(['p/6'])]
    for (const addTaskIdToCustom of [false, true]) {
      const repository = await afterImport(text, { skipInvalid: true, addTaskIdToCustom })
      const { changes } = await paged(repository, 4)
      const paths = changes.map(({ path }) => path)
      assert.deepEqual(paths, ['p/0', 'p/2', 'p/3', 'p/4', 'p/5', 'p/6'])
    }
  })

  it('has as much on a page as an answer may hold', async () => {
    const info = { length: 1, hashes: { sha256: 'ab'.repeat(32) }, custom: { said: 'x'.repeat(600_000) } }
    const text = many(9).map((path) => JSON.stringify({ path, info }))
    const repository = await afterImport(text, { format: 'jsonl' })
    const { pages } = await paged(repository, 1000)
    assert.deepEqual(pages, [4, 4])
  })

  it('keeps what paths held before on sorted lines, however long all of them are', async () => {
    const said = ['', 'ö\n\u2028"\\', '\ufeff', '\ud800', 'x'.repeat(3 * 1024 * 1024)]
    for (const count of [0, 1, 5000]) {
      const held = Array.from({ length: count }, (_, at) => ({
        path: `${(at * 7919) % 5003}/name`,
        info: { length: at, hashes: { sha256: 'ab'.repeat(32) }, custom: { said: said[at % 1000] ?? at } },
      }))
      const sorted = held.toSorted((one, other) => (one.path < other.path ? -1 : 1))
      const state = memoryObjectStore(() => 0)
      const told = await writeHeld(
        state,
        'before',
        held.map((one, index) => ({ index, ...one })),
        undefined,
      )
      const bytes = Buffer.from((await state.read('before'))?.bytes ?? [])
      assert.ok(Buffer.from(sorted.map((one) => `${JSON.stringify(one)}\n`).join('')).equals(bytes))
      const file = Buffer.from(`${lines(held.map(({ path }) => path)).join('\n')}\n`)
      await state.create('bulk', file)
      const imported = { bulk: 'bulk', sha256: sha256(file), format: 'csv', artifacts: count, ...told } as const
      const changes = await changesOf(state, { changes: [], imported: { ...imported, except: [] } })
      assert.deepEqual(
        Array.from(changes, ({ path, before }) => ({ path, info: before })),
        held,
      )
    }
  })
})
