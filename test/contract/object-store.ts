import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { asText, content, noTag, range, rejectsWith, text } from './object-store-helpers.ts'
import { agreesWithModel } from './object-store-model.ts'
import { testRaces } from './object-store-races.ts'

/** A fresh, empty store for one test. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: ObjectStore
}

/**
 * What the ObjectStore port promises, and nothing else: every adapter runs this. `unmet` names promises that a stand-in
 * for the real store does not keep.
 */
export function objectStoreContract(
  name: string,
  makeStore: () => Promise<StoreUnderTest>,
  unmet: readonly string[] = [],
): void {
  describe(`${name} as an ObjectStore`, () => {
    /** A test with a store of its own. */
    function test(what: string, body: (store: ObjectStore) => Promise<void>): void {
      it(what, { skip: unmet.includes(what) && 'This stand-in does not keep it.' }, async () => {
        await using made = await makeStore()
        await body(made.store)
      })
    }

    test('reads nothing where nothing is', async (store) => {
      assert.equal(await store.read('a'), undefined)
      assert.equal(await store.read('folder/a'), undefined)
    })

    test('reads what was created, under the tag that creating gave', async (store) => {
      const tag = await store.create('folder/a.json', text('one'))
      const stored = await store.read('folder/a.json')
      assert.equal(stored && asText(stored.bytes), 'one')
      assert.equal(stored?.tag, tag)
      assert.ok(stored.age >= 0 && stored.age < 60_000, `age ${stored.age}`)
    })

    test('creates once: other bytes are refused, the same bytes are the same write again', async (store) => {
      const tag = await store.create('a', text('one'))
      await rejectsWith('exists', store.create('a', text('two')))
      await rejectsWith('exists', store.create('a', text('')))
      assert.equal(await store.create('a', text('one')), tag)
      assert.equal(await content(store, 'a'), 'one')
    })

    test('replaces the version that the tag names, and no other', async (store) => {
      const first = await store.create('a', text('one'))
      const second = await store.replace('a', text('two'), first)
      assert.notEqual(second, first)
      assert.equal((await store.read('a'))?.tag, second)
      await rejectsWith('changed', store.replace('a', text('three'), first))
      assert.equal(await content(store, 'a'), 'two')
      await store.replace('a', text('three'), second)
      assert.equal(await content(store, 'a'), 'three')
    })

    test('takes a replacement by the bytes that are there as the same write again', async (store) => {
      const first = await store.create('a', text('one'))
      const second = await store.replace('a', text('two'), first)
      assert.equal(await store.replace('a', text('two'), first), second)
      assert.equal(await content(store, 'a'), 'two')
    })

    test('replaces nothing that is gone or never was', async (store) => {
      const tag = await store.create('a', text('one'))
      await store.delete('a')
      await rejectsWith('changed', store.replace('a', text('two'), tag))
      await rejectsWith('changed', store.replace('b', text('two'), tag))
      await rejectsWith('changed', store.replace('b', text('two'), noTag))
      assert.deepEqual(await store.list(''), [])
    })

    test('deletes, also what is not there, and makes room for another', async (store) => {
      await store.delete('a')
      await store.create('a', text('one'))
      await store.delete('a')
      await store.delete('a')
      assert.equal(await store.read('a'), undefined)
      await store.create('a', text('two'))
      assert.equal(await content(store, 'a'), 'two')
    })

    test('keeps empty objects', async (store) => {
      const tag = await store.create('empty', text(''))
      assert.equal(await content(store, 'empty'), '')
      assert.equal(await store.create('empty', text('')), tag)
      await store.replace('empty', text('full'), tag)
      await store.replace('empty', text(''), (await store.read('empty'))?.tag ?? noTag)
      assert.equal(await content(store, 'empty'), '')
    })

    test('keeps 5 MB', async (store) => {
      const large = Buffer.alloc(5_000_000, 'tuffet ')
      const tag = await store.create('large', large)
      assert.ok(large.equals((await store.read('large'))?.bytes ?? text('')))
      large[4_999_999] = 0
      await store.replace('large', large, tag)
      assert.ok(large.equals((await store.read('large'))?.bytes ?? text('')))
    })

    test('gives a range of 5 MB, as many bytes of it as there are', async (store) => {
      assert.equal(await store.range('large', 0, 1), undefined)
      const large = Buffer.alloc(5_000_000, 'tuffet ')
      await store.create('large', large)
      for (const [start, end] of [
        [0, 1],
        [0, 5_000_000],
        [1, 4_999_999],
        [4_000_003, 4_100_000],
        [4_999_998, 6_000_000],
        [5_000_000, 5_000_001],
        [6_000_000, 7_000_000],
      ] as const) {
        const given = (await store.range('large', start, end)) ?? assert.fail(`nothing from ${start} to ${end}`)
        assert.ok(large.subarray(start, end).equals(given), `${given.length} bytes from ${start} to ${end}`)
      }
      await store.create('empty', text(''))
      assert.deepEqual((await store.range('empty', 0, 1))?.length, 0)
      await store.create('short', text('one'))
      ;(await store.range('short', 1, 3))?.fill(0)
      assert.equal(asText((await store.range('short', 1, 9)) ?? text('')), 'ne')
    })

    test('keeps its own copy: who changes an array changes nothing in the store', async (store) => {
      const given = text('one')
      await store.create('a', given)
      given.fill(0)
      ;(await store.read('a'))?.bytes.fill(0)
      assert.equal(await content(store, 'a'), 'one')
    })

    test('takes names as they are', async (store) => {
      for (const name of oddNames) await store.create(name, text(name))
      for (const name of oddNames) assert.equal(await content(store, name), name)
      assert.deepEqual(await store.list(''), [...oddNames].sort())
      for (const name of oddNames) assert.deepEqual(await store.list(name), [name])
      for (const name of oddNames) await store.delete(name)
      assert.deepEqual(await store.list(''), [])
    })

    test('lists by prefix, in code-unit order', async (store) => {
      const names = ['a', 'a-b', 'a.b', 'folder-1', 'folder.2', 'folder/b', 'folder/b-1/c', 'folder/b.json', 'Z', 'é']
      for (const name of names) await store.create(name, text(name))
      assert.deepEqual(await store.list(''), [...names].sort())
      assert.deepEqual(await store.list('a'), ['a', 'a-b', 'a.b'])
      assert.deepEqual(await store.list('folder'), names.slice(3, 8))
      assert.deepEqual(await store.list('folder/'), names.slice(5, 8))
      assert.deepEqual(await store.list('folder/b-'), ['folder/b-1/c'])
      assert.deepEqual(await store.list('folder/b.json'), ['folder/b.json'])
      assert.deepEqual(await store.list('nothing/'), [])
      assert.deepEqual(await store.list('b'), [])
    })

    test('lists from a name on, whether or not it is there, and no more than asked for', async (store) => {
      for (const name of ['1', '3', '5/1', '5/3', '7']) await store.create(name, text(name))
      assert.deepEqual(await store.list('', { after: '3' }), ['5/1', '5/3', '7'])
      assert.deepEqual(await store.list('', { after: '4', limit: 2 }), ['5/1', '5/3'])
      assert.deepEqual(await store.list('', { after: '5/2' }), ['5/3', '7'])
      assert.deepEqual(await store.list('', { after: '5/' }), ['5/1', '5/3', '7'])
      assert.deepEqual(await store.list('5/', { after: '1' }), ['5/1', '5/3'])
      assert.deepEqual(await store.list('5/', { after: '6' }), [])
      assert.deepEqual(await store.list('', { limit: 1 }), ['1'])
      assert.deepEqual(await store.list('', { limit: 5 }), ['1', '3', '5/1', '5/3', '7'])
    })

    test('lists more than a page of any store, whole or page by page', async (store) => {
      const names = Array.from({ length: 1_050 }, (_, index) => `inbox/${String(index).padStart(4, '0')}`)
      for (const part of chunks(names, 50)) await Promise.all(part.map((name) => store.create(name, text(name))))
      assert.deepEqual(await store.list('inbox/'), names)
      assert.deepEqual(await store.list('inbox/', { limit: 1_001 }), names.slice(0, 1_001))
      const paged: string[] = []
      for (;;) {
        const after = paged.at(-1)
        const page = await store.list('inbox/', { limit: 400, ...(after === undefined ? {} : { after }) })
        if (page.length === 0) break
        paged.push(...page)
      }
      assert.deepEqual(paged, names)
    })

    testRaces(test)

    it('does what a map does, whatever it is asked in whatever order', () => agreesWithModel(makeStore))
  })
}

const oddNames = [
  'with space',
  '1.päckchen-Ω-パッケージ.json',
  '😀.json',
  'a+b&c=d?e#f;g,h',
  '%2e%2e%2f',
  '..dots..',
  '.hidden',
  '-dash',
  '~tilde',
  '"quoted"',
  "o'clock",
  '<&amp;>',
  '(1)[2]{3}!*$@:^|`',
  'deep/er/and/deeper',
  'l'.repeat(200),
]

function chunks<T>(values: T[], size: number): T[][] {
  return range(Math.ceil(values.length / size)).map((index) => values.slice(index * size, (index + 1) * size))
}
