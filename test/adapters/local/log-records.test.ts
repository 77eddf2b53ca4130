import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeChanges, encodeChange } from '../../../shared/adapters/local/log-records.ts'

describe('records of a log', () => {
  const changes = fc.array(
    fc.record({
      path: fc.string({ minLength: 1, unit: 'grapheme' }).filter((path) => path.isWellFormed()),
      bytes: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }),
    }),
    { maxLength: 5 },
  )
  const plain = (list: readonly { path: string; bytes: Uint8Array | undefined }[]) =>
    list.map(({ path, bytes }) => ({ path, bytes: bytes && Buffer.from(bytes).toString('hex') }))

  it('are read as they were written, and up to where they were cut off or spoilt', () => {
    fc.assert(
      fc.property(changes, fc.nat(), fc.constantFrom('cut', 'zeros', 'noise'), (list, at, how) => {
        const records = list.map(encodeChange)
        const log = Buffer.concat(records)
        assert.deepEqual(plain(decodeChanges(log)), plain(list))
        const from = log.length === 0 ? 0 : at % log.length
        const spoilt = how === 'cut' ? log.subarray(0, from) : Buffer.from(log)
        if (how === 'zeros') spoilt.fill(0, from)
        if (how === 'noise' && from < log.length) spoilt.writeUInt8((spoilt.readUInt8(from) + 1) % 256, from)
        const left = plain(decodeChanges(spoilt))
        assert.deepEqual(left, plain(list).slice(0, left.length))
        const ends = records.map((_, index) => Buffer.concat(records.slice(0, index + 1)).length)
        const whole = ends.filter((end) => end <= from).length
        assert.ok(left.length >= whole, `${left.length} of ${whole}`)
        if (how !== 'zeros') assert.equal(left.length, whole)
      }),
      { numRuns: 500 },
    )
  })

  it('are none in a file of zeros', () => {
    assert.deepEqual(decodeChanges(Buffer.alloc(1000)), [])
  })
})
