import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { addArtifactsBody } from '../../shared/app/artifact-schemas.ts'
import { readBulk } from '../../shared/repository/bulk/bulk.ts'
import type { Json } from '../../shared/tuf/json.ts'

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEFg'), minLength: length - 1, maxLength: length })
const goodHex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: length, maxLength: length })
const path = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}(\/[A-Za-z0-9_.-]{1,20}){0,3}$/),
  fc.string({ maxLength: 30 }),
  fc.constantFrom('a', '', '/a', 'a//b', 'a/.', 'x'.repeat(181), `${'a/'.repeat(60)}b`),
)
const length = fc.oneof(
  fc.nat(),
  fc.nat().map(String),
  fc.constantFrom<Json>(-1, 0.5, 1e300, null, true, '', '1e3', '01', 2 ** 53),
)
const hashes = fc.oneof(
  fc.record({ sha256: goodHex(64) }),
  fc.record({ sha256: goodHex(64), sha512: goodHex(128), 'blake2b-256': goodHex(64) }, { requiredKeys: [] }),
  fc.record({ sha256: hex(64) }),
  fc.constantFrom<Json>(null, [], {}, { md5: 'ab' }, { sha256: 1 }, { constructor: 'ab' }),
)
const custom = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<Json>({}, { a: 1 }, { a: { b: [1, 'x', null] } }, null),
)
const info = fc.oneof(
  {
    arbitrary: fc.record({ length, hashes, custom, more: fc.constant(1) }, { requiredKeys: ['length', 'hashes'] }),
    weight: 8,
  },
  fc.record({ length, hashes }, { requiredKeys: [] }),
  fc.constantFrom<Json>(null, [], 'x'),
)
const artifact = fc.record(
  { path: fc.oneof({ arbitrary: path, weight: 9 }, fc.constantFrom<Json>(null, 1)), info },
  { requiredKeys: [] },
)

describe('an artifact', () => {
  it('is taken in a bulk file exactly if POST /artifacts takes it, and means the same', () => {
    const seen = { taken: 0, refused: 0 }
    fc.assert(
      fc.property(artifact, (artifact) => {
        const text = JSON.stringify(artifact)
        const posted = addArtifactsBody.safeParse({ artifacts: [JSON.parse(text)] })
        const bulk = readBulk(Buffer.from(text), 'jsonl')
        assert.equal(bulk.count, posted.success ? 1 : 0, text)
        if (posted.success) assert.deepEqual(bulk.artifact(0), posted.data.artifacts[0])
        seen[posted.success ? 'taken' : 'refused']++
      }),
      { numRuns: 2000 },
    )
    assert.ok(seen.taken > 100 && seen.refused > 100, JSON.stringify(seen))
  })
})
