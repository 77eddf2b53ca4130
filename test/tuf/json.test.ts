import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Json, parseJson } from '../../shared/tuf/json.ts'
import { refuses } from '../support/tuf-errors.ts'

const parse = (text: string) => parseJson(Buffer.from(text))

describe('parseJson', () => {
  // What was read is compared as text, not with what JSON.parse gives: see the test of its bug below.
  const readsBack = (value: unknown, indent = 0) => {
    assert.equal(JSON.stringify(parse(JSON.stringify(value, null, indent))), JSON.stringify(value))
  }

  test('reads what JSON.stringify writes, with white space or without', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary', depthSize: 'small' }), fc.constantFrom(0, 1, 3), readsBack),
    )
  })

  test('is not led astray by what strings hold', () => {
    const awkward = fc.string({ unit: fc.constantFrom('"', '\\', ':', '{', '}', '[', ']', ',', 'a', ' ', '\n') })
    fc.assert(
      fc.property(fc.dictionary(awkward, fc.array(awkward)), (value) => readsBack(value)),
      { numRuns: 1000 },
    )
  })

  test('does not share the bug of JSON.parse that takes an escaped key for one it has met before', () => {
    const before = JSON.parse('[{"a":1,"\\\\":2},{"x":1,"\\\\u006":2}]')
    assert.deepEqual(parse('{"a":1,"\\n":2}'), { a: 1, '\n': 2 })
    assert.deepEqual(parse('{"a":1,"\\u0062" : 2}'), { a: 1, b: 2 })
    assert.deepEqual(parse('{"x":1,"\\u0061bcde":2}'), { x: 1, abcde: 2 })
    refuses('invalid-json', () => parse('{"a":1,"\\u0061":2}'), '"a", at character 7')
    assert.deepEqual(before, [
      { a: 1, '\\': 2 },
      { x: 1, '\\u006': 2 },
    ])
  })

  test('refuses a key that is twice in one object, wherever that is', () => {
    const awkward = fc.string({ unit: fc.constantFrom('"', '\\', ':', '{', '}', 'a', '\u{1f600}') })
    const wrap = (inner: string, path: readonly string[]) =>
      path.reduce(
        (text, step) => (step === '[' ? `[1,${text},"]"]` : `{"a{:":0, ${JSON.stringify(`k${step}`)}: ${text}}`),
        inner,
      )
    fc.assert(
      fc.property(
        awkward,
        awkward,
        fc.array(fc.constantFrom('[', 'x', '"\\', '}:'), { maxLength: 20 }),
        (key, other, path) => {
          fc.pre(key !== other)
          const member = (name: string) => `${JSON.stringify(name)} : [{"x":"\\\\"}]`
          const once = wrap(`{${member(key)}, ${member(other)}}`, path)
          assert.doesNotThrow(() => parse(once))
          refuses(
            'invalid-json',
            () => parse(wrap(`{${member(key)}, ${member(other)}, ${member(key)}}`, path)),
            'twice',
          )
        },
      ),
    )
  })

  test('says which key is twice', () => {
    refuses('invalid-json', () => parse('{"b":{"a":1,"c":[{"a":2}],"a":3}}'), '"a", at character 26')
  })

  test('knows a key again that is spelt with escapes', () => {
    refuses('invalid-json', () => parse('{"a":1,"\\u0061":2}'), '"a"')
    refuses('invalid-json', () => parse('{"\\u00e9":1,"é":2}'), '"é"')
    refuses('invalid-json', () => parse('{"\\ud83d\\ude00":1,"😀":2}'))
    refuses('invalid-json', () => parse('{"\\n":1,"\\u000a":2}'))
    refuses('invalid-json', () => parse('{"\\"":1,"\\u0022":2}'))
    assert.deepEqual(parse('{"a":1,"\\\\u0061":2}'), { a: 1, '\\u0061': 2 })
  })

  test('treats __proto__ as a key like any other', () => {
    const read = parse('{"__proto__":{"polluted":1}}')
    assert.deepEqual(Object.entries(read as object), [['__proto__', { polluted: 1 }]])
    refuses('invalid-json', () => parse('{"__proto__":1,"__proto__":2}'), '__proto__')
    refuses('invalid-json', () => parse('{"constructor":{},"constructor":{}}'), 'constructor')
  })

  test('lets the same key stand in two objects', () => {
    assert.deepEqual(parse('[{"a":1},{"a":{"a":2}}]'), [{ a: 1 }, { a: { a: 2 } }])
  })

  test('reads 64 levels and no more', () => {
    const nested = (levels: number, [open, close]: readonly [string, string]) =>
      open.repeat(levels) + close.repeat(levels)
    assert.doesNotThrow(() => parse(nested(64, ['[', ']'])))
    assert.doesNotThrow(() => parse(`${'{"a":'.repeat(64)}1${'}'.repeat(64)}`))
    assert.doesNotThrow(() => parse(`[${'[],{},'.repeat(100)}"${'['.repeat(100)}"]`))
    refuses('invalid-json', () => parse(nested(65, ['[', ']'])), '64 levels')
    refuses('invalid-json', () => parse(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`), '64 levels')
    refuses('invalid-json', () => parse('['.repeat(1_000_000)), '64 levels')
  })

  test('refuses bytes that are not UTF-8, and reads the next ones all the same', () => {
    for (const hex of ['22ff22', '22c322', '22c0af22', '22eda08022', '22f4908080 22', 'fffe2200']) {
      refuses('invalid-json', () => parseJson(Buffer.from(hex.replace(' ', ''), 'hex')), 'UTF-8')
      assert.equal(parse('"é"'), 'é')
    }
  })

  test('refuses a byte order mark', () => {
    refuses('invalid-json', () => parse('\ufeff{}'))
  })

  test('refuses what JSON.parse refuses', () => {
    for (const text of [
      '',
      ' ',
      '{',
      '{"a"',
      '"',
      '"\\"',
      '{"a":1,}',
      '[1 2]',
      '01',
      "'a'",
      '"\n"',
      'NaN',
      '{}{}',
      '{a:1}',
      ':',
      '}',
      '"\\',
    ]) {
      refuses('invalid-json', () => parse(text))
    }
  })

  test('reads what JSON.parse reads, and throws nothing but a TufError', () => {
    const soup = fc.string({
      unit: fc.constantFrom('"', '\\', ':', '{', '}', '[', ']', ',', 'a', '1', 'u0061', ' ', 'true'),
    })
    fc.assert(
      fc.property(soup, (text) => {
        let expected: Json
        try {
          expected = JSON.parse(text)
        } catch {
          refuses('invalid-json', () => parse(text))
          return
        }
        if (!text.includes('\\')) assert.deepEqual(parse(text), expected)
      }),
      { numRuns: 2000, examples: [['{"a":"a"}'], ['[{},"1"]'], ['[true , 1,{"a" :1}]']] },
    )
  })

  test('takes linear time, whatever the quotes and backslashes', { timeout: 5000 }, () => {
    const long = 400_000
    for (const text of ['\\"'.repeat(long), '\\\\'.repeat(long), '{:'.repeat(long)])
      assert.equal(parse(`"${text}"`), text.replaceAll(/\\(.)/g, '$1'))
  })
})
