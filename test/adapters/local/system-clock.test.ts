import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { systemClock } from '../../../shared/adapters/local/system-clock.ts'
import { uuidV7Source } from '../../../shared/adapters/local/uuid-v7.ts'
import { clockContract } from '../../contract/clock.ts'

clockContract('systemClock', systemClock)

describe('uuidV7Source', () => {
  it('grows whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 2, maxLength: 50 }), (times) => {
        const clock = times.values()
        const newId = uuidV7Source(() => 1_700_000_000_000 + (clock.next().value ?? 0))
        const ids = times.map(newId)
        assert.deepEqual([...new Set(ids)].sort(), ids)
      }),
    )
  })

  it('begins above an id of another process, whatever the clock says', () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(3), fc.nat(5000), (before, after, many) => {
        const others = uuidV7Source(() => before)
        const above = Array.from({ length: many + 1 }, others).at(-1)
        const newId = uuidV7Source(() => after, undefined, above)
        assert.ok(newId() > (above ?? ''))
      }),
    )
  })

  it('moves the time ahead when a millisecond has run out of numbers', () => {
    const newId = uuidV7Source(() => 5)
    const ids = Array.from({ length: 10_000 }, newId)
    assert.deepEqual([...ids].sort(), ids)
    assert.equal(ids[0]?.slice(0, 12), '000000000005')
    assert.match(ids.at(-1) ?? '', /^00000000000[78]7/)
  })

  it('puts each bit where the RFC has it', () => {
    const ones = uuidV7Source(
      () => 0x017f22e279b0,
      (size) => new Uint8Array(size).fill(0xff),
    )
    assert.equal(ones(), '017f22e279b077ffbfffffffffffffff')
    assert.equal(ones(), '017f22e279b07800bfffffffffffffff')
  })
})
