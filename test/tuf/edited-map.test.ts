import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { canonicalText } from '../../shared/tuf/canonical.ts'
import { EditedMap } from '../../shared/tuf/edited-map.ts'

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

describe('An EditedMap', () => {
  it('is written as a Map with the same entries, through any number of copies', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('copy', 'write', 'both', 'neither'), changes), { maxLength: 8 })
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), steps, (entries, list) => {
        const plain = new Map(entries)
        let edited = new EditedMap(plain)
        for (const [what, changed] of list) {
          const before = edited
          const text = canonicalText(new Map(plain))
          if (what === 'write' || what === 'both') assert.equal(canonicalText(edited), text)
          if (what === 'copy' || what === 'both') edited = new EditedMap(edited)
          for (const [name, next] of changed) {
            for (const map of [plain, edited]) {
              if (next === undefined) map.delete(name)
              else map.set(name, next)
            }
          }
          assert.equal(canonicalText(edited), canonicalText(plain))
          assert.deepEqual(new Map(edited), plain)
          // What it was copied from is as it was.
          if (before !== edited) assert.equal(canonicalText(before), text)
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
    first.members(write)
    const second = new EditedMap(first)
    second.set('bb', 'new').delete('d')
    second.set('c', 'other')
    asked.length = 0
    assert.deepEqual(second.members(write), ['a', 'b', 'bb', 'c'])
    assert.deepEqual(asked.sort(), ['bb', 'c'])
  })
})
