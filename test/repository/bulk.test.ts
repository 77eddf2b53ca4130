import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type BulkFormat, readBulk, artifactsOf as sharedArtifacts } from '../../shared/repository/bulk/bulk.ts'

const sha256 = 'ab'.repeat(32)
const sha512 = 'cd'.repeat(64)

const csv = (text: string | Uint8Array) => readBulk(Buffer.from(text as string), 'csv')
const jsonl = (text: string | Uint8Array) => readBulk(Buffer.from(text as string), 'jsonl')
const artifactsOf = (bulk: ReturnType<typeof readBulk>) =>
  Array.from({ length: bulk.count }, (_, index) => {
    const artifact = bulk.artifact(index)
    assert.equal(bulk.path(index), artifact.path)
    return artifact
  })
const json = (path: string, info: object = {}) =>
  JSON.stringify({ path, info: { length: 1, hashes: { sha256 }, ...info } })

/** The one reason why the one line is broken. */
function reasonOf(line: string | Uint8Array, format: BulkFormat): string {
  const { count, brokenCount, broken } = readBulk(Buffer.from(line as string), format)
  assert.deepEqual([count, brokenCount, broken.length, broken[0]?.line], [0, 1, 1, 1], String(line).slice(0, 200))
  return broken[0]?.reason ?? ''
}

describe('a CSV file', () => {
  it("holds RSTUF's lines", () => {
    const bulk = csv(`dir/a.tar.gz;630;sha256;${sha256}\nb;0;sha512;${sha512}\nc;1;blake2b-256;${sha256}\n`)
    assert.deepEqual(artifactsOf(bulk), [
      { path: 'dir/a.tar.gz', info: { length: 630, hashes: { sha256 } } },
      { path: 'b', info: { length: 0, hashes: { sha512 } } },
      { path: 'c', info: { length: 1, hashes: { 'blake2b-256': sha256 } } },
    ])
    assert.deepEqual([bulk.brokenCount, bulk.broken], [0, []])
  })

  it('may have several digests in a line', () => {
    const bulk = csv(`a;1;sha256;${sha256.toUpperCase()};sha512;${sha512}`)
    assert.deepEqual(artifactsOf(bulk), [{ path: 'a', info: { length: 1, hashes: { sha256, sha512 } } }])
  })

  it('may come from Windows, begin with a byte order mark, have empty lines, and no newline at its end', () => {
    const bulk = csv(`\ufeffa;1;sha256;${sha256}\r\n\r\n\nb;1;sha256;${sha256}`)
    assert.deepEqual(
      artifactsOf(bulk).map(({ path }) => path),
      ['a', 'b'],
    )
    assert.equal(bulk.brokenCount, 0)
    for (const nothing of ['', '\n', '\r\n\r\n', '\ufeff'])
      assert.deepEqual([csv(nothing).count, csv(nothing).brokenCount], [0, 0])
  })

  it('has broken lines, with what to do about each', () => {
    const line = (path: string, length = '1', algorithm = 'sha256', digest = sha256) =>
      [path, length, algorithm, digest].join(';')
    const wrong: [string | Uint8Array, RegExp][] = [
      ['path;length;algorithm;digest', /The length is "length"\. Write .* in digits/],
      ['a', /It has 1 field\. Write path;length;algorithm;digest/],
      ['a;1;sha256', /It has 3 fields/],
      [`a;1;sha256;${sha256};`, /It has 5 fields/],
      [`a;b;1;sha256;${sha256}`, /5 fields.*";" in it needs JSON Lines/],
      [line('/a'), /begins with "\/"; paths are relative/],
      [line(''), /it is empty; name a file/],
      [line('a\rb'), /control character U\+000D at position 1/],
      [line('ä'), /U\+00E4 at position 0 is not ASCII/],
      [line('a/../b'), /segment "\.\."/],
      [line('a'.repeat(181)), /a segment of 181 characters/],
      [line(`${'a/'.repeat(100)}b`), /takes 401 characters as a file name/],
      [line('a', ''), /The length is ""/],
      [line('a', '-1'), /The length is "-1"/],
      [line('a', '1.5'), /The length is "1\.5"/],
      [line('a', ' 1'), /The length is " 1"/],
      [line('a', '9007199254740992'), /The length is/],
      [line('a', '1', 'md5'), /Hash algorithm "md5" is not one that clients know\. Use sha256, sha512, blake2b-256/],
      [line('a', '1', '__proto__'), /Hash algorithm "__proto__"/],
      [line('a', '1', 'sha256', sha512), /sha256 digest is 64 hex digits; this has 128/],
      [line('a', '1', 'sha256', `x${sha256.slice(1)}`), /"x" at position 0/],
      [`${line('a')};sha256;${sha256}`, /two sha256 digests/],
      [Buffer.concat([Buffer.from('a'), Buffer.from([0xff]), Buffer.from(`;1;sha256;${sha256}`)]), /not valid UTF-8/],
      [line(`a${'b'.repeat(5 * 1024 * 1024)}`), /can have 5242880 \(5 MiB\) at most/],
    ]
    for (const [text, reason] of wrong) assert.match(reasonOf(text, 'csv'), reason)
  })
})

describe('a JSON Lines file', () => {
  it('holds what POST /artifacts takes', () => {
    const custom = { any: ['thing', { nested: null }], number: -1 }
    const bulk = jsonl(
      [
        json('a', { custom }),
        json('b', { length: '630', hashes: { sha256: sha256.toUpperCase(), sha512 }, custom: null }),
        ` ${json('c', { custom: {}, other: 1 })} \r`,
        `{"info": {"hashes": {"sha256": "${sha256}"}, "length": 2}, "path": "d\\u002fe", "more": []}`,
      ].join('\n'),
    )
    assert.deepEqual(bulk.broken, [])
    assert.deepEqual(artifactsOf(bulk), [
      { path: 'a', info: { length: 1, hashes: { sha256 }, custom } },
      { path: 'b', info: { length: 630, hashes: { sha256, sha512 } } },
      { path: 'c', info: { length: 1, hashes: { sha256 } } },
      { path: 'd/e', info: { length: 2, hashes: { sha256 } } },
    ])
  })

  it('has broken lines, with what to do about each', () => {
    const deep = (levels: number) => `{"path":"a","info":${'{"x":'.repeat(levels)}1${'}'.repeat(levels)}}`
    const wrong: [string | Uint8Array, RegExp][] = [
      ['{', /This is not JSON/],
      [`a;1;sha256;${sha256}`, /This is not JSON/],
      ['[]', /The line is not an object\. Write \{"path"/],
      ['null', /The line is not an object/],
      ['{}', /info is missing/],
      [
        `{"path":"a","path":"b","info":{"length":1,"hashes":{"sha256":"${sha256}"}}}`,
        /a key twice .*"path".*Send each key once/,
      ],
      [json('a', { hashes: undefined }), /info\.hashes is missing/],
      [json('a', { hashes: {} }), /Holds no hash/],
      [json('a', { hashes: { sha256: 1 } }), /digests as strings/],
      [json('a', { hashes: { sha256, md5: 'ab' } }), /Hash algorithm "md5"/],
      [`{"path":"a","info":{"length":1,"hashes":{"__proto__":"${sha256}"}}}`, /Hash algorithm "__proto__"/],
      [json('a', { length: undefined }), /The length is missing/],
      [json('a', { length: 1.5 }), /The length is 1\.5/],
      [json('a', { length: true }), /The length is true/],
      [json('a', { custom: [] }), /info\.custom is not an object/],
      [json('a', { custom: { half: 0.5 } }), /whole numbers/],
      [json('a', { custom: { note: 'e\u0301' } }), /custom has text .* Send it in NFC/],
      [json('../a'), /segment "\.\."/],
      [json('a').replace('"a"', '1'), /path has to be a string/],
      [deep(31), /nested more than 30 levels/],
      [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), /not valid UTF-8/],
    ]
    for (const [text, reason] of wrong) assert.match(reasonOf(text, 'jsonl'), reason)
  })
})

describe('a path that comes twice', () => {
  it('counts once if it is the same artifact, however it is written', () => {
    assert.equal(csv(`a;1;sha256;${sha256}\nb;1;sha256;${sha256}\na;1;sha256;${sha256.toUpperCase()}`).count, 2)
    const same = jsonl(
      `${json('a/b', { custom: { x: 1, y: 2 } })}\n${json('a/b', { custom: { y: 2, x: 1 } }).replace('/', '\\/')}`,
    )
    assert.deepEqual([same.count, same.brokenCount], [1, 0])
  })

  it('is broken the second time if it is another one, and says where the first is', () => {
    const other = csv(`\nx;1;sha256;${sha256}\na;1;sha256;${sha256}\r\n\na;2;sha256;${sha256}\na;1;sha256;${sha256}`)
    assert.deepEqual([other.count, other.brokenCount], [2, 1])
    assert.deepEqual(other.broken, [
      { line: 5, reason: 'The same path as line 3, with other length, hashes or custom. Write each path once.' },
    ])
    assert.equal(artifactsOf(other)[1]?.info.length, 1)
    const escaped = jsonl(
      `{"path":"\\u0061","info":{"length":1,"hashes":{"sha256":"${sha256}"}}}\n${json('a', { length: 2 })}`,
    )
    assert.deepEqual([escaped.count, escaped.brokenCount], [1, 1])
  })
})

describe('a bulk file', () => {
  it('counts all broken lines and tells of the first hundred', () => {
    const lines = Array.from({ length: 1000 }, (_, index) => (index % 4 === 0 ? `p${index};1;sha256;${sha256}` : 'x'))
    const bulk = csv(lines.join('\n'))
    assert.deepEqual([bulk.count, bulk.brokenCount, bulk.broken.length], [250, 750, 100])
    assert.deepEqual([bulk.broken[0]?.line, bulk.broken.at(-1)?.line], [2, 134])
  })

  it('says how far it has been read', () => {
    const told: number[] = []
    readBulk(Buffer.from('x\n'.repeat(25_000)), 'csv', (lines) => told.push(lines))
    assert.deepEqual(told, [10_000, 20_000, 25_000])
  })

  it('may be a part of a larger array', () => {
    const line = `a;1;sha256;${sha256}\n`
    const bytes = Buffer.from(`garbage\n${line}garbage`)
    const bulk = readBulk(new Uint8Array(bytes.buffer, bytes.byteOffset + 8, line.length), 'csv')
    assert.deepEqual([bulk.count, bulk.brokenCount, bulk.path(0)], [1, 0, 'a'])
  })

  it('has no artifact beyond its count', () => {
    const bulk = csv(`a;1;sha256;${sha256}`)
    for (const index of [1, -1, Number.NaN]) {
      assert.throws(() => bulk.path(index), RangeError)
      assert.throws(() => bulk.artifact(index), RangeError)
    }
  })

  it('is what its lines say one by one, whatever comes between them', () => {
    const path = fc.constantFrom('a', 'b', 'a/b', 'a/b/c.tar.gz', 'constructor', '__proto__')
    const valid = fc.record({ path, length: fc.integer({ min: 0, max: 2 }) })
    const line = fc.oneof({ arbitrary: valid, weight: 4 }, fc.constantFrom(undefined, 'broken'))
    const ending = fc.constantFrom('\n', '\r\n', '\n\n')
    const written = (format: BulkFormat, { path, length }: { path: string; length: number }) =>
      format === 'csv' ? `${path};${length};sha256;${sha256}` : json(path, { length })
    fc.assert(
      fc.property(
        fc.constantFrom<BulkFormat>('csv', 'jsonl'),
        fc.array(fc.tuple(line, ending)),
        fc.boolean(),
        (format, lines, ends) => {
          const expected = new Map<string, number>()
          const broken: number[] = []
          let text = ''
          let number = 0
          for (const [index, [what, end]] of lines.entries()) {
            number++
            if (
              what === 'broken' ||
              (typeof what === 'object' && (expected.get(what.path) ?? what.length) !== what.length)
            )
              broken.push(number)
            else if (what !== undefined) expected.set(what.path, what.length)
            text += typeof what === 'object' ? written(format, what) : (what ?? '')
            if (index < lines.length - 1 || ends) text += end
            if (end === '\n\n') number++
          }
          const bulk = readBulk(Buffer.from(text), format)
          const found = artifactsOf(bulk).map(({ path, info }) => [path, info.length])
          assert.deepEqual(found, [...expected])
          assert.deepEqual(
            bulk.broken.map(({ line }) => line),
            broken,
          )
        },
      ),
    )
  })

  it('finds each of many paths again, as its table grows', () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, index) => `dir${index % 7}/file-${index};${index};sha256;${sha256}`,
    )
    const bulk = csv([...lines, ...lines.toReversed(), 'dir0/file-7;8;sha256;'.concat(sha256)].join('\n'))
    assert.deepEqual([bulk.count, bulk.brokenCount], [20_000, 1])
    assert.match(bulk.broken[0]?.reason ?? '', /^The same path as line 8,/)
    for (const index of [0, 7, 9_999, 19_999]) assert.equal(bulk.artifact(index).info.length, index)
  })
})

describe('a file that another thread has read', () => {
  const written = [
    [
      'csv',
      csv(`a;1;sha256;${sha256.toUpperCase()};sha512;${sha512}\n\nbroken\nb;02;blake2b-256;${sha256}\r\na;1;sha256;00`),
    ],
    ['jsonl', jsonl(`${json('a')}\nbroken\n${json('b', { custom: { note: 'é' } })}`)],
  ] as const
  for (const [format, bulk] of written) {
    it(`holds the same artifacts: ${format}`, () => {
      const { artifact } = sharedArtifacts(structuredClone(bulk.share()))
      assert.equal(bulk.count, 2)
      assert.deepEqual([artifact(0), artifact(1)], artifactsOf(bulk))
    })
  }
})
