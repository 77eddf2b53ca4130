import assert from 'node:assert/strict'
import { it } from 'node:test'
import { publish } from '../../shared/repository/publish.ts'
import { submit } from '../../shared/repository/submit.ts'
import { audit } from './auditor.ts'
import { agedByCommit } from './broken-stores.ts'
import { type Mutant, make, startProcess, type VirtualTime } from './world.ts'

/**
 * The publisher dies between the commit that changes the online keys and the root that says so; another one publishes that root
 * later. Gives back which promise was broken.
 */
async function dieBeforeTheRoot(mutant: Mutant): Promise<unknown> {
  const time: VirtualTime = { now: Date.parse('2030-01-01T00:00:00Z') }
  const auditor = audit(time, { everyClient: true })
  const publisher = startProcess(auditor, time)
  await submit(publisher, { request: make.bootstrap(), principal: 'test' })
  await publish(publisher)
  await submit(publisher, { request: make.root({ version: 2, online: 1, signedBy: [0, 1] }), principal: 'test' })
  const { promise: died, resolve } = Promise.withResolvers<void>()
  const create: typeof auditor.metadata.create = async (name, bytes) => {
    if (name !== '2.root.json') return auditor.metadata.create(name, bytes)
    resolve()
    return new Promise<never>(() => {})
  }
  const dying = { state: auditor.state, metadata: { ...auditor.metadata, create } }
  await Promise.race([publish(startProcess(dying, time)), died])
  // Longer than the lease of the dead, and than old online keys sign on.
  time.now += 61_000
  const next = startProcess(mutant(auditor, 'publisher'), time)
  for (let half = 0; half < 4; half++) {
    await publish(next)
    time.now += 31_000
  }
  assert.ok(await auditor.metadata.read('2.root.json'))
  return auditor.violation
}

it('Old online keys sign on from when the new root was visible, not from the commit that decided it', async () => {
  assert.equal(await dieBeforeTheRoot((stores) => stores), undefined)
  assert.match(String(await dieBeforeTheRoot(agedByCommit)), /within its grace period/)
})
