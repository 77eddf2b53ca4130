import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Clock } from '../../shared/repository/ports.ts'

/** What the Clock port promises. */
export function clockContract(name: string, makeClock: () => Clock): void {
  describe(`${name} as a Clock`, () => {
    it('makes UUIDv7 in 32 hex digits that tell the time', () => {
      const clock = makeClock()
      const before = clock.now().getTime()
      const id = clock.newId()
      const after = clock.now().getTime()
      assert.match(id, /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
      const time = Number.parseInt(id.slice(0, 12), 16)
      assert.ok(before <= time && time <= after)
    })

    it('makes ids that sort as they were made', () => {
      const clock = makeClock()
      const ids = Array.from({ length: 20_000 }, () => clock.newId())
      assert.deepEqual([...ids].sort(), ids)
      assert.equal(new Set(ids).size, ids.length)
    })

    it('sleeps as long as told, and does not go backwards meanwhile', async () => {
      const clock = makeClock()
      const before = clock.now().getTime()
      await clock.sleep(20)
      // Timers and clocks are rounded apart.
      assert.ok(clock.now().getTime() - before >= 18)
      await clock.sleep(0)
    })
  })
}
