import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addRequest, bootstrapped, run } from '../support/repository.ts'

describe('The cache of roles', () => {
  it('has no role that was superseded, and counts the bytes of those that it has', async () => {
    const repository = await bootstrapped({ delegations: { delegation: 'succinct_roles', number: 2 } })
    for (let round = 1; round <= 3; round++) await run(repository, addRequest(['a', 'b', 'c', 'd'], round))
    const { roles, roleBytes } = repository.cache
    const names = [...roles.keys()].map((file) => file.replace(/^\d+\./, ''))
    assert.deepEqual(names.sort(), ['bins-0.json', 'bins-1.json'])
    assert.equal(
      roleBytes,
      [...roles.values()].reduce((sum, { bytes }) => sum + bytes.length, 0),
    )
  })
})
