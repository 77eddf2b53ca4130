import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Metadata, Signature, Targets } from '@tufjs/models'
import fc from 'fast-check'
import { canonicalBytes, canonicalText, isJson } from '../../shared/tuf/canonical.ts'
import { compareCodePoints } from '../../shared/tuf/code-points.ts'
import type { Json } from '../../shared/tuf/json.ts'
import { OrderedMap } from '../../shared/tuf/ordered-map.ts'
import { refuses } from '../support/tuf-errors.ts'

const integer = fc.maxSafeInteger()
/** Where UTF-16 and code points part, more often than chance would have it. */
const boundary = fc.constantFrom('"', '\\', 'a', '\ud7ff', '\ue000', '\uffee', '\uffff', '\u{10000}', '\u{10ffff}')
const wellFormed = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: boundary }))
const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    integer,
    wellFormed,
    fc.array(tie('value')),
    fc.dictionary(wellFormed, tie('value'), { noNullPrototype: true }),
  ),
})).value

/** The definition again, in the plainest way: what it may lack in speed it may not lack in truth. */
function reference(value: Json): string {
  if (typeof value === 'string') return `"${[...value].map((c) => (c === '"' || c === '\\' ? `\\${c}` : c)).join('')}"`
  if (Array.isArray(value)) return `[${value.map(reference).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const codePoints = (text: string) => [...text].map((c) => String(c.codePointAt(0)).padStart(7, '0')).join()
  const members = Object.entries(value).map(([key, member]) => ({ order: codePoints(key), key, member }))
  members.sort((left, right) => (left.order < right.order ? -1 : 1))
  return `{${members.map(({ key, member }) => `${reference(key)}:${reference(member)}`).join(',')}}`
}

describe('canonical JSON', () => {
  test('is as the reference writes it', () => {
    fc.assert(fc.property(json, (value) => assert.equal(canonicalText(value), reference(value))))
  })

  test('of a Map in any order is that of the object', () => {
    fc.assert(
      fc.property(fc.dictionary(wellFormed, json), fc.infiniteStream(fc.nat()), (object, random) => {
        const shuffled = Object.entries(object)
          .map((entry) => ({ entry, order: random.next().value }))
          .sort((left, right) => left.order - right.order)
        assert.equal(canonicalText(new Map(shuffled.map(({ entry }) => entry))), canonicalText(object))
      }),
    )
  })

  test('is what tuf-js signs, where no key has a character that sorts differently in UTF-16', () => {
    const ascii = fc.string({ unit: 'grapheme-ascii' })
    const custom = fc.dictionary(
      ascii.filter((key) => key !== '__proto__'),
      fc.oneof(integer, wellFormed, fc.array(wellFormed), fc.dictionary(ascii, integer)),
      { noNullPrototype: true },
    )
    const common = { version: 1, specVersion: '1.0.31', expires: '2030-01-01T00:00:00Z' }
    fc.assert(
      fc.property(custom, (value) => {
        const targets = new Targets({ ...common, unrecognizedFields: { custom: value } })
        let signedByTufJs = ''
        new Metadata(targets).sign((bytes) => {
          signedByTufJs = bytes.toString()
          return new Signature({ keyID: '', sig: '' })
        })
        assert.equal(canonicalText(targets.toJSON()), signedByTufJs)
      }),
    )
  })

  test('puts U+FFEE before an emoji, which JavaScript does not', () => {
    const value = { '\u{1f600}': 2, '\uffee': 1, a: 0 }
    assert.equal(canonicalText(value), '{"a":0,"\uffee":1,"\u{1f600}":2}')
    assert.equal(canonicalText(new Map(Object.entries(value))), '{"a":0,"\uffee":1,"\u{1f600}":2}')
    assert.ok(compareCodePoints('\ud7ff', '\ue000') < 0)
    assert.ok(compareCodePoints('\uffff', '\u{10000}') < 0)
    assert.ok(compareCodePoints('\u{10000}', '\u{10ffff}') < 0)
    assert.equal(compareCodePoints('same', 'same'), 0)
    assert.ok(compareCodePoints('short', 'shorter') < 0)
  })

  test('orders any two texts as their code points', () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, (left, right) => {
        const bytewise = Buffer.compare(Buffer.from(left), Buffer.from(right))
        assert.equal(Math.sign(compareCodePoints(left, right)), bytewise)
      }),
    )
  })

  test('sees one key out of order anywhere in a long Map', () => {
    const keys = Array.from({ length: 300 }, (_, index) => `bin-${String(index).padStart(3, '0')}`)
    const inOrder = canonicalText(new Map(keys.map((key) => [key, 1])))
    for (const at of [0, 1, 150, 298]) {
      const swapped = keys.toSpliced(at, 2, keys[at + 1] ?? '', keys[at] ?? '')
      assert.equal(canonicalText(new Map(swapped.map((key) => [key, 1]))), inOrder)
    }
  })

  test('leaves the order of a Map alone', () => {
    const map = new Map(Object.entries({ b: 1, a: 2 }))
    assert.equal(canonicalText(map), '{"a":2,"b":1}')
    assert.deepEqual([...map.keys()], ['b', 'a'])
  })

  test('holds keys that objects have a use for', () => {
    const expected = '{"__proto__":1,"constructor":2,"toString":3}'
    assert.equal(canonicalText(JSON.parse(expected)), expected)
    assert.equal(canonicalText(new Map(Object.entries(JSON.parse(expected)))), expected)
  })

  test('escapes quotes and backslashes and nothing else', () => {
    assert.equal(
      canonicalText('"\\/\b\f\n\r\t\u0000\u001f\u007f\u2028é😀'),
      '"\\"\\\\/\b\f\n\r\t\u0000\u001f\u007f\u2028é😀"',
    )
    assert.equal(canonicalText({ '"\\': '""' }), '{"\\"\\\\":"\\"\\""}')
  })

  test('is written in UTF-8', () => {
    assert.deepEqual(Buffer.from(canonicalBytes('é😀')), Buffer.from('22c3a9f09f988022', 'hex'))
  })

  test('leaves out members that are undefined, and has no word for nothing in an array', () => {
    assert.equal(canonicalText({ a: undefined, b: 1, c: undefined, d: 2 }), '{"b":1,"d":2}')
    assert.equal(canonicalText({ a: undefined }), '{}')
    assert.equal(canonicalText(new Map([['a', undefined]])), '{}')
    refuses('not-canonical', () => canonicalText([undefined]))
    refuses('not-canonical', () => canonicalText(new Array(1)))
    refuses('not-canonical', () => canonicalText(undefined))
  })

  test('holds no number that readers could understand differently', () => {
    assert.equal(
      canonicalText([-0, 0, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]),
      `[0,0,${2 ** 53 - 1},${1 - 2 ** 53}]`,
    )
    for (const number of [0.5, 2 ** 53, -(2 ** 53), 1e21, Number.NaN, Number.POSITIVE_INFINITY]) {
      refuses('not-canonical', () => canonicalText({ number }), String(number))
    }
  })

  test('holds nothing that is not JSON', () => {
    for (const value of [1n, Symbol('s'), () => 1])
      refuses('not-canonical', () => canonicalText({ value }), typeof value)
  })

  test('holds no half of a surrogate pair, in a value or a key', () => {
    for (const half of ['\ud83d', 'a\ude00b', '\ude00\ud83d']) {
      refuses('not-canonical', () => canonicalText([half]))
      refuses('not-canonical', () => canonicalText({ [half]: 1 }))
      refuses('not-canonical', () => canonicalText(new Map([[half, 1]])))
    }
  })
})

describe('an ordered map, of which pieces are remembered', () => {
  const names = Array.from({ length: 2000 }, (_, index) => `bins-${String(index).padStart(4, '0')}.json`)
  const change = fc.record({
    name: fc.constantFrom(...names, 'added.json', 'zz.json', '\u{1f600}', '\uffee', '\n'),
    version: fc.nat(),
  })
  const rounds = fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 6 })

  test('is serialised as a plain object is, however it changes from one to the next', () => {
    fc.assert(
      fc.property(rounds, (rounds) => {
        const plain = new Map<string, { version: number }>(names.map((name) => [name, { version: 1 }]))
        let map = OrderedMap.of(plain)
        for (const changes of rounds) {
          const changed = new Map(changes.map(({ name, version }) => [name, { version }]))
          for (const [name, value] of changed) plain.set(name, value)
          map = map.with(changed)
          for (const around of [{ meta: map }, { a: 1, meta: map, z: '\n' }]) {
            const expected = canonicalText({ ...around, meta: Object.fromEntries(plain) })
            assert.equal(Buffer.from(canonicalBytes(around)).toString(), expected)
            assert.equal(isJson(canonicalBytes(around)), !expected.includes('\n'))
          }
          assert.equal(canonicalText([map]), `[${canonicalText(plain)}]`)
        }
      }),
      { numRuns: 30 },
    )
  })

  test('is a Map like any other', () => {
    fc.assert(
      fc.property(rounds, (rounds) => {
        let plain = new Map<string, { version: number }>()
        let map = OrderedMap.of(plain)
        for (const changes of rounds) {
          const changed = new Map(changes.map(({ name, version }) => [name, { version }]))
          const [before, unchanged] = [[...map], map]
          map = map.with(changed)
          assert.deepEqual([...unchanged], before)
          plain = new Map([...plain, ...changed])
        }
        const inOrder = [...plain].sort(([one], [other]) => compareCodePoints(one, other))
        assert.deepEqual([...map], inOrder)
        assert.deepEqual([...map.keys()], [...new Map(inOrder).keys()])
        assert.deepEqual([...map.values()], [...new Map(inOrder).values()])
        assert.equal(map.size, plain.size)
        const visited: unknown[] = []
        map.forEach((value, key) => {
          visited.push([key, value])
        })
        assert.deepEqual(visited, inOrder)
        for (const name of [...plain.keys(), 'not there']) {
          assert.equal(map.get(name), plain.get(name))
          assert.equal(map.has(name), plain.has(name))
        }
      }),
      { numRuns: 30 },
    )
  })

  test('shares what did not change with the one before', () => {
    const map = OrderedMap.of(new Map(names.map((name) => [name, { version: 1 }])))
    const next = map.with(new Map([['bins-0300.json', { version: 2 }]]))
    const changed = next.pieces.filter((piece, at) => piece !== map.pieces[at])
    assert.deepEqual([changed.length, next.pieces.length], [1, 32])
  })
})
