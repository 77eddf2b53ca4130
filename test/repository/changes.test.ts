import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { changesOf, readChanges } from '../../shared/repository/changes.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { sha256 } from '../../shared/repository/documents.ts'
import { encodeHeld } from '../../shared/repository/imported.ts'
import { prepare } from '../../shared/repository/prepare.ts'
import { publish } from '../../shared/repository/publish.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import type { ImportArtifactsRequest } from '../../shared/repository/task.ts'
import { begin, importOf, lines, many } from '../support/long-work.ts'
import { memoryObjectStore } from '../support/memory-object-store.ts'
import { addRequest, bootstrapped, restarted, run } from '../support/repository.ts'

/** The changes of the current commit, so many at a time; as `changesOf` tells them, which reads all of it. */
async function paged(repository: Repository, limit: number) {
  const { entry } = (await readCurrent(repository)) ?? assert.fail()
  const pages: number[] = []
  const changes: unknown[] = []
  for (let offset: number | undefined = 0; offset !== undefined; ) {
    const page = await readChanges(repository.ports.state, entry, { offset, limit })
    pages.push(page.changes.length)
    changes.push(...page.changes)
    offset = page.next
  }
  assert.deepEqual(changes, [...(await changesOf(repository.ports.state, entry))])
  return { pages, changes: changes as { path: string; before?: unknown; after?: { length: number } }[] }
}

async function afterImport(text: readonly string[], options: Partial<ImportArtifactsRequest> = {}) {
  const repository = await bootstrapped()
  await run(repository, addRequest([...many(60, 'old'), 'p/2'], 7))
  const id = await begin(repository, await importOf(repository, text, options))
  await run(restarted(repository), addRequest(['p/1'], 9))
  await prepare(repository, id)
  await publish(repository)
  return repository
}

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

  it('needs no more of a file in memory than the pieces in which the store gives it', async () => {
    const odd = ['\ufeff', ...lines(many(40)), '', ...lines(many(40, 'old'))].join('\r\n').replace('\r\n', '')
    for (const skipped of [[], ['broken']]) {
      const repository = await afterImport([odd, ...skipped], { skipInvalid: true })
      const { entry } = (await readCurrent(repository)) ?? assert.fail()
      const { state } = repository.ports
      const whole = await readChanges(state, entry, { offset: 30, limit: 20 })
      assert.ok(whole.changes.some(({ before }) => before) && whole.changes.some(({ before }) => !before))
      for (const length of [1, 7, 300, 1_000_000]) {
        const read: string[] = []
        const pieces = async (name: string) => inPieces((await state.read(name))?.bytes ?? assert.fail(), length)
        const watched = (name: string) => {
          read.push(name)
          return state.read(name)
        }
        const inPart = { ...state, pieces, read: watched }
        assert.deepEqual(await readChanges(inPart, entry, { offset: 30, limit: 20 }), whole)
        // Which lines were left out, only all of them tell.
        assert.deepEqual(
          read,
          skipped.map(() => entry.imported?.bulk),
        )
      }
      const other = { ...state, pieces: async () => inPieces(Buffer.from(odd.replace('old/39', 'old/93')), 300) }
      await assert.rejects(readChanges(other, entry, { offset: 30, limit: 20 }), { code: 'corrupt' })
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
      const bytes = encodeHeld(held)
      assert.ok(Buffer.from(sorted.map((one) => `${JSON.stringify(one)}\n`).join('')).equals(bytes))
      const file = Buffer.from(`${lines(held.map(({ path }) => path)).join('\n')}\n`)
      const state = memoryObjectStore(() => 0)
      await state.create('bulk', file)
      await state.create('before', bytes)
      const imported = {
        bulk: 'bulk',
        sha256: sha256(file),
        format: 'csv',
        artifacts: count,
        before: 'before',
      } as const
      const changes = await changesOf(state, { changes: [], imported: { ...imported, except: [] } })
      assert.deepEqual(
        Array.from(changes, ({ path, before }) => ({ path, info: before })),
        held,
      )
    }
  })
})

async function* inPieces(bytes: Uint8Array, length: number) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}
