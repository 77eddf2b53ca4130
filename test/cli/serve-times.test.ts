import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tuffet } from '../support/tuffet.ts'

describe('tuffet serve refuses', () => {
  for (const [option, variable, wrong] of [
    ['--retention', 'TUFFET_RETENTION', '0'],
    ['--retention', 'TUFFET_RETENTION', '721'],
    ['--retention', 'TUFFET_RETENTION', 'a day'],
    ['--rotation-grace', 'TUFFET_ROTATION_GRACE', '0'],
    ['--rotation-grace', 'TUFFET_ROTATION_GRACE', '1.5'],
  ] as const) {
    it(`${option} ${wrong}, in the environment, too`, async () => {
      const [said, set] = await Promise.all([
        tuffet(['serve', option, wrong]),
        tuffet(['serve'], '', { env: { [variable]: wrong } }),
      ])
      for (const { code, stderr } of [said, set]) {
        assert.equal(code, 2, stderr)
        assert.match(stderr, new RegExp(option))
      }
    })
  }
})
