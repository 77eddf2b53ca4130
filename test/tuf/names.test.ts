import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isTopLevel, pathPattern, roleName, targetPath } from '../../shared/tuf/names.ts'
import { refuses } from '../support/tuf-errors.ts'

const ascii = fc.string({ unit: fc.integer({ min: 0, max: 127 }).map((code) => String.fromCharCode(code)) })

describe('roleName', () => {
  for (const name of ['a', 'Z', 'bins-0f', 'team_A-2', 'x'.repeat(128), 'roots', 'targets-1', 'hasown']) {
    test(`takes ${name.slice(0, 20)}`, () => assert.equal(roleName(name), name))
  }

  const refused: readonly string[] = [
    ...[
      '',
      '1',
      '0',
      '42',
      '1a',
      '-a',
      '_a',
      '__proto__',
      'a.b',
      'a/b',
      '../a',
      'a b',
      'a%',
      'a\n',
      '\na',
      'é',
      'aé',
      'а',
      'a\u{1f600}',
      'a\0',
    ],
    ...['root', 'targets', 'snapshot', 'timestamp', 'Root', 'TARGETS'],
    ...[
      'constructor',
      'toString',
      'valueOf',
      'hasOwnProperty',
      'isPrototypeOf',
      'toLocaleString',
      'propertyIsEnumerable',
    ],
    'x'.repeat(129),
  ]
  for (const name of refused) {
    test(`refuses ${JSON.stringify(name.slice(0, 20))}`, () =>
      refuses('invalid-role-name', () => roleName(name), 'Choose another name'))
  }

  test('takes nothing that needs an escape in a URL, a file name or JSON, or that an object reorders', () => {
    const likely = fc.oneof(ascii, fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/))
    fc.assert(
      fc.property(likely, (text) => {
        try {
          roleName(text)
        } catch {
          return
        }
        assert.equal(encodeURIComponent(text), text)
        assert.equal(JSON.stringify(text), `"${text}"`)
        assert.deepEqual(Object.keys({ zz: 1, [text]: 1 }), text === 'zz' ? ['zz'] : ['zz', text])
        assert.equal(new URL(`1.${text}.json`, 'https://example.com/metadata/').pathname, `/metadata/1.${text}.json`)
      }),
    )
  })

  test('knows the top-level roles', () => {
    assert.ok(['root', 'targets', 'snapshot', 'timestamp'].every(isTopLevel))
    assert.ok(!['Root', 'mirrors', 'toString', ''].some(isTopLevel))
  })
})

const acceptedPaths: readonly string[] = [
  ...[
    'a',
    'file.txt',
    'a/b/c.tar.gz',
    '.hidden',
    'a/.b',
    '...',
    'a/.../b',
    '..a',
    'a..',
    'a/b..c/d.',
    '-',
    '~a',
    '0',
    '42/1',
  ],
  ...['__proto__', 'a/__proto__', 'constructor', 'toString', 'a/constructor/b'],
  ...[..."+@=,~!$&'()*;_-"],
  "a+@=,~!$&'()*;._-b/c",
  'a'.repeat(180),
  ['a'.repeat(180), 'b'.repeat(72)].join('/'),
  `${'a/'.repeat(63)}abc`,
]

const refusedPaths: readonly (readonly [string, ...string[]])[] = [
  ['', 'empty'],
  ['/', 'begins with "/"'],
  ['/a', 'begins with "/"'],
  ['a/', 'ends with "/"'],
  ['a//b', '"//"'],
  ['.', '"."'],
  ['..', '".."'],
  ['./a', '"."'],
  ['a/..', '".."'],
  ['a/../b', '".."'],
  ['a/./b', '"."'],
  ['../a', '".."'],
  ...[...' \\#?%:|[]{}^"<>`'].map((character): [string, string] => [`ab${character}c`, `"${character}" at position 2`]),
  ['a\0b', 'U+0000', 'position 1'],
  ['ab\n', 'U+000A', 'position 2'],
  ['\tab', 'U+0009', 'position 0'],
  ['a\x7f', 'U+007F', 'position 1'],
  ['aé', 'U+00E9', 'position 1', 'not ASCII'],
  ['a/\uffee', 'U+FFEE', 'position 2'],
  ['a\u{1f600}b', 'U+1F600', 'position 1'],
  ['\ud83d', 'U+D83D'],
  ['%2e%2e/a', '"%"'],
  ['http://a/b', '":"'],
  ['a'.repeat(181), '181', '180'],
  [`b/${'a'.repeat(181)}/c`, '181'],
  [`${'a/'.repeat(512)}b`, '1025', '1024'],
  [['a'.repeat(180), 'b'.repeat(73)].join('/'), '256', '255'],
]

describe('targetPath', () => {
  for (const path of acceptedPaths) test(`takes ${path.slice(0, 30)}`, () => assert.equal(targetPath(path), path))
  for (const [path, ...words] of refusedPaths) {
    test(`refuses ${JSON.stringify(path.slice(0, 30))}`, () =>
      refuses('invalid-target-path', () => targetPath(path), ...words))
  }

  test('says no more of a long path than its beginning', () => {
    assert.throws(
      () => targetPath('x'.repeat(100_000)),
      ({ message }: Error) => message.length < 500,
    )
    assert.throws(
      () => roleName('x'.repeat(100_000)),
      ({ message }: Error) => message.length < 500,
    )
  })

  test('takes only what comes through URLs, file systems and consistent snapshots unchanged', () => {
    const segment = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9+@=,~!$&'()*;._-]{1,12}$/),
      fc.constantFrom('.', '..', '...', '__proto__'),
      ascii,
    )
    const likely = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'))
    let taken = 0
    fc.assert(
      fc.property(likely, (text) => {
        try {
          targetPath(text)
        } catch {
          return
        }
        taken++
        const base = 'https://example.com/targets/'
        assert.equal(new URL(text, base).href, base + text, 'as it is')
        const encoded = text.split('/').map(encodeURIComponent).join('/')
        assert.equal(decodeURIComponent(new URL(encoded, base).pathname), `/targets/${text}`, 'percent-encoded')
        const directory = text.slice(0, text.lastIndexOf('/') + 1)
        const consistent = `${directory}${'0'.repeat(64)}.${text.slice(directory.length)}`
        assert.equal(new URL(consistent, base).href, base + consistent, 'in a consistent snapshot')
        assert.ok(consistent.split('/').every((part) => part.length <= 255))
        assert.equal(JSON.stringify(text), `"${text}"`)
      }),
      { numRuns: 2000 },
    )
    assert.ok(taken > 300, `only ${taken} were taken`)
  })
})

describe('pathPattern', () => {
  for (const pattern of ['*', '*/*', 'a/?.txt', 'a', 'a!b/c(d)', 'a/*-(x)', '??', '*.*']) {
    test(`takes ${pattern}`, () => assert.equal(pathPattern(pattern), pattern))
  }

  for (const [pattern, ...words] of [
    ['', 'Path pattern', 'empty'],
    ['/*', 'begins with "/"'],
    ['*/', 'ends with "/"'],
    ['*//*', '"//"'],
    ['../*', '".."'],
    ['[ab]', '"[" at position 0'],
    ['{a,b}', '"{" at position 0'],
    ['a\\*', 'position 1'],
    ['a b*', 'position 1'],
    ['é*', 'not ASCII'],
    ['!a', '"!" at position 0'],
    ['a/!(b)', '"/!" at position 1'],
    ['a/*(b)', '"*(" at position 2'],
    ['a?(b)', '"?(" at position 1'],
    ['+(a)', '"+(" at position 0'],
    ['@(a)', '"@("'],
    ['a/**', '"**" at position 2'],
    ['a!(b)', '"!("'],
  ] as const) {
    test(`refuses ${JSON.stringify(pattern)}`, () => {
      refuses('invalid-target-path', () => pathPattern(pattern), ...words)
    })
  }
})
