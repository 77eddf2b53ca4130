import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Current, Repository } from '../../shared/repository/repository.ts'
import { rotationIsOver } from '../../shared/repository/rotation-standing.ts'

describe('The wait for old online keys', () => {
  const minute = 60_000
  const after = (age: number) => {
    let time = 0
    const repository = {
      limits: { rotationGrace: 10 * minute },
      ports: {
        metadata: { read: async () => ({ bytes: new Uint8Array(), age }) },
        // Set ahead between any two looks.
        clock: {
          now: () => {
            time += 60 * minute
            return new Date(time)
          },
        },
      },
    }
    const current = { rotation: { previousRoot: {}, compromised: false }, root: { signed: { version: 2 } } }
    return rotationIsOver(repository as unknown as Repository, current as unknown as Current)
  }

  it('is over by the age of the new root alone, however the clock is set meanwhile', async () => {
    assert.equal(await after(9 * minute), false)
    assert.equal(await after(10 * minute), true)
  })
})
