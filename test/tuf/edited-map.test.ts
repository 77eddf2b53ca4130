import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { canonicalBytes, isJson } from '../../shared/tuf/canonical.ts'
import { EditedMap, type Part } from '../../shared/tuf/edited-map.ts'

const key = fc.oneof(
  fc.constantFrom('a', 'b', '__proto__', '"', '\u{1f512}', '\uffff'),
  fc.string({ unit: 'grapheme' }),
)
const value = fc.record({ length: fc.nat() })
const changes = fc.array(
  fc.tuple(
    key.filter((text) => text.isWellFormed()),
    fc.option(value, { nil: undefined }),
  ),
)

const written = (map: unknown) => Buffer.from(canonicalBytes({ map })).toString()

describe('An EditedMap', () => {
  it('is written as a Map with the same entries, through any number of copies', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('copy', 'write', 'both', 'neither'), changes), { maxLength: 8 })
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), steps, (entries, list) => {
        const plain = new Map(entries)
        let edited = new EditedMap(plain)
        for (const [what, changed] of list) {
          const before = edited
          const text = written(new Map(plain))
          if (what === 'write' || what === 'both') assert.equal(written(edited), text)
          if (what === 'copy' || what === 'both') edited = new EditedMap(edited)
          for (const [name, next] of changed) {
            for (const map of [plain, edited]) {
              if (next === undefined) map.delete(name)
              else map.set(name, next)
            }
          }
          assert.equal(written(edited), written(plain))
          assert.deepEqual(new Map(edited), plain)
          // What it was copied from is as it was.
          if (before !== edited) assert.equal(written(before), text)
        }
      }),
    )
  })

  it('writes only what has changed', () => {
    const first = new EditedMap(new Map([...'abcd'].map((name) => [name, name])))
    const asked: string[] = []
    const write = (name: string) => {
      asked.push(name)
      return name
    }
    const encode = (text: string) => ({ bytes: Buffer.from(text), isJson: true })
    assert.equal(put(first.parts(write, encode)), 'a,b,c,d')
    const second = new EditedMap(first)
    second.set('bb', 'new').delete('d')
    second.set('c', 'other')
    asked.length = 0
    assert.equal(put(second.parts(write, encode)), 'a,b,bb,c')
    assert.deepEqual(asked.sort(), ['bb', 'c'])
  })

  it('is as it was where the document around it could not be written', () => {
    const map = new EditedMap(new Map([['a', 1]]))
    canonicalBytes({ map })
    map.set('b', 2).delete('a')
    assert.throws(() => canonicalBytes({ map, part: 0.5 }), { code: 'not-canonical' })
    assert.deepEqual([...map], [['b', 2]])
    assert.equal(text(canonicalBytes({ map })), '{"map":{"b":2}}')
  })

  it('knows where a control character keeps its bytes from being JSON', () => {
    const map = new EditedMap(new Map([['a\n', 1]]))
    assert.equal(isJson(canonicalBytes({ map })), false)
    const copy = new EditedMap(map).set('b', 2)
    assert.equal(isJson(canonicalBytes({ copy })), false)
    assert.equal(isJson(canonicalBytes({ other: new EditedMap(new Map([['a', 1]])) })), true)
  })
})

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

/** As `canonicalBytes` puts parts together. */
function put(parts: readonly Part[]): string {
  const document = Buffer.concat(parts.map(({ bytes }) => bytes))
  let end = 0
  for (const { bytes, placed } of parts) {
    end += bytes.length
    placed?.(document, end)
  }
  return document.toString()
}
