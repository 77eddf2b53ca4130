import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readBulk } from '../../shared/repository/bulk/bulk.ts'
import { changesOf, readChanges } from '../../shared/repository/changes.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { sha256 } from '../../shared/repository/documents.ts'
import { writeHeld } from '../../shared/repository/imported.ts'
import { lineOf, writeList } from '../../shared/repository/listed.ts'
import { afterImport, paged } from '../support/changes.ts'
import { lines, many } from '../support/long-work.ts'
import { memoryObjectStore } from '../support/memory-object-store.ts'

describe('a page of what a commit changed, from blocks', () => {
  it('reads of a file no more than the blocks of the page, however many others there are', async () => {
    for (const count of [10_000, 25_000]) {
      const read: [name: string, bytes: number][] = []
      const repository = await afterImport([...lines(many(count)), ...lines(many(60, 'old'))], {}, (store) => ({
        ...store,
        async read(name) {
          const stored = await store.read(name)
          if (name.startsWith('bulk/')) read.push([name, stored?.bytes.length ?? 0])
          return stored
        },
        async range(name, start, end) {
          read.push([name, end - start])
          return store.range(name, start, end)
        },
      }))
      const { entry } = (await readCurrent(repository)) ?? assert.fail()
      const page = async (offset: number) => {
        read.length = 0
        const { changes } = await readChanges(repository.ports.state, entry, { offset, limit: 100 })
        return { changes, read: [...read] }
      }
      const { bulk, before, blocks = [] } = entry.imported ?? assert.fail()
      const bytes = (at: number) => (blocks[at]?.end ?? 0) - (blocks[at]?.start ?? 0)
      assert.ok(bytes(1) < 5_000 * 90, `${bytes(1)} bytes`)
      const two = await page(4_950)
      // Something that p/2 held before.
      const first = blocks[0]?.before ?? assert.fail()
      assert.deepEqual(two.read, [
        [bulk, bytes(0)],
        [bulk, bytes(1)],
        [before, first.end - first.start],
      ])
      assert.deepEqual([two.changes.length, two.changes[0]?.path, two.changes[99]?.path], [100, 'p/4950', 'p/5049'])
      assert.deepEqual((await page(5_500)).read, [[bulk, bytes(1)]])
      const last = await page(count + 50)
      const held = blocks.at(-1)?.before ?? assert.fail()
      assert.deepEqual(last.read, [
        [bulk, bytes(blocks.length - 1)],
        [before, held.end - held.start],
      ])
      assert.deepEqual(
        last.changes.map((change) => change.before?.length),
        Array(10).fill(7),
      )
    }
  })

  it('is not told of what is not as it was', async () => {
    const repository = await afterImport([...lines(many(5_000)), ...lines(many(60, 'old'))])
    const { entry } = (await readCurrent(repository)) ?? assert.fail()
    const { bulk, before = '' } = entry.imported ?? assert.fail()
    for (const [name, wrong] of [
      [bulk, 5_050],
      [before, 5_050],
    ] as const) {
      const { state } = repository.ports
      const bytes = (await state.read(name))?.bytes ?? assert.fail()
      const edited = Buffer.from(Buffer.from(bytes).toString('latin1').replace('old/41', 'old/14'), 'latin1')
      await state.delete(name)
      await state.create(name, edited)
      const page = (offset: number) => readChanges(state, entry, { offset, limit: 10 })
      await assert.rejects(page(wrong), { code: 'corrupt' })
      assert.equal((await page(100)).changes[0]?.path, 'p/100')
      await state.delete(name)
      await assert.rejects(page(wrong), { code: 'corrupt' })
      await state.create(name, bytes)
      assert.equal((await page(wrong)).changes.length, 10)
    }
  })

  it('is told alike with blocks and without, whatever is between the lines that were taken', async () => {
    const one = fc.record({
      path: fc.nat(30).map((path) => `a/${path}`),
      length: fc.constantFrom(1, 1, 1, 2),
      kind: fc.constantFrom('line', 'line', 'line', 'empty', 'broken'),
      end: fc.constantFrom('\n', '\r\n', '\n\n', '\r\n\n'),
      isHeld: fc.boolean(),
      isOthers: fc.constantFrom(false, false, true),
    })
    const file = fc.record({
      all: fc.array(one, { minLength: 1, maxLength: 40 }),
      format: fc.constantFrom('csv' as const, 'jsonl' as const),
      begin: fc.constantFrom('', '\ufeff', '\n'),
      ends: fc.boolean(),
      offset: fc.nat(20),
      limit: fc.integer({ min: 1, max: 9 }),
    })
    const check = async ({
      all,
      format,
      begin,
      ends,
      offset,
      limit,
    }: typeof file extends fc.Arbitrary<infer T> ? T : never) => {
      const text = all.map(({ path, length, kind, end }) => {
        if (kind === 'empty') return end
        const info = { length, hashes: { sha256: 'ab'.repeat(32) } }
        const line = format === 'csv' ? lines([path], length)[0] : JSON.stringify({ path, info })
        return `${kind === 'broken' ? 'broken' : line}${end}`
      })
      const bytes = Buffer.from(begin + (ends ? text.join('') : text.join('').trimEnd()))
      const bulk = readBulk(bytes, format)
      const state = memoryObjectStore(() => 0)
      await state.create('bulk', bytes)
      const heldPaths = new Set(all.filter(({ isHeld }) => isHeld).map(({ path }) => path))
      const artifacts = Array.from({ length: bulk.count }, (_, index) => ({ index, ...bulk.artifact(index) }))
      // In another order, as they are found.
      const held = artifacts.filter(({ path }) => heldPaths.has(path)).reverse()
      const except = all.filter(({ isOthers }) => isOthers).map(({ path }) => path)
      const imported = { bulk: 'bulk', sha256: sha256(bytes), format, artifacts: bulk.count, except }
      const told = await Promise.all([
        writeHeld(state, 'in blocks', held, bulk.blocks()),
        writeHeld(state, 'by path', held, undefined),
      ])
      assert.deepEqual(
        told.map(({ blocks }) => blocks?.reduce((sum, { lines }) => sum + lines, 0)),
        [bulk.count, undefined],
      )
      const answers = []
      for (const one of told) {
        const entry = { changes: [], imported: { ...imported, ...one } }
        answers.push([await readChanges(state, entry, { offset, limit }), [...(await changesOf(state, entry))]])
      }
      assert.deepEqual(answers[0], answers[1])
      const expected = artifacts.slice(offset, offset + limit).filter(({ path }) => !except.includes(path))
      assert.deepEqual(answers[0]?.[0], {
        changes: expected.map(({ path, info }) => ({
          path,
          after: info,
          ...(heldPaths.has(path) && { before: info }),
        })),
        ...(offset + limit < bulk.count && { next: offset + limit }),
      })
    }
    await fc.assert(fc.asyncProperty(file, check), { numRuns: 300 })
  })

  it('is told without blocks where there would be too many of them', async () => {
    const text = many(5_000).flatMap((path) => [...lines([path]), 'broken'])
    const repository = await afterImport([...text, ...lines(many(60, 'old'))], { skipInvalid: true })
    const { entry } = (await readCurrent(repository)) ?? assert.fail()
    assert.equal(entry.imported?.blocks, undefined)
    const { pages, changes } = await paged(repository, 2_000)
    assert.deepEqual(pages, [1_999, 2_000, 1_060])
    assert.equal(changes.filter(({ before }) => before).length, 61)
  })

  it('is told in the order of the paths where a version that knew no blocks has begun', async () => {
    const bytes = Buffer.from(`${lines(['b', 'a']).join('\n')}\n`)
    const bulk = readBulk(bytes, 'csv')
    const state = memoryObjectStore(() => 0)
    const held = [0, 1].map((index) => ({ index, ...bulk.artifact(index) }))
    const theirs = await writeHeld(state, 'before', held, undefined)
    assert.deepEqual(await writeHeld(state, 'before', held, bulk.blocks()), theirs)
    assert.equal(theirs.blocks, undefined)
  })

  it('is told of a list of many, and of long ones, by its blocks', async () => {
    const state = memoryObjectStore(() => 0)
    const info = (said: string) => ({ length: 1, hashes: { sha256: 'ab'.repeat(32) }, custom: { said } })
    const paths = many(12_000)
    const changes = paths.map((path, at) => ({ path, after: info('x'.repeat(at === 7_000 ? 3_000_000 : at % 50)) }))
    const listed = await writeList(state, 'list', changes.map(lineOf))
    const sorted = changes.toSorted((one, other) => (one.path < other.path ? -1 : 1))
    const told: unknown[] = []
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const page = await readChanges(state, { changes: [], listed }, { offset, limit: 1_500 })
      told.push(...page.changes)
      offset = page.next
    }
    assert.deepEqual(told, sorted)
    const { blocks = [] } = listed
    assert.ok(blocks.length > 2 && blocks.every(({ lines }) => lines <= 5_000))
    assert.equal(
      blocks.reduce((sum, { lines }) => sum + lines, 0),
      12_000,
    )
  })
})
