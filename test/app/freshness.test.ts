import assert from 'node:assert/strict'
import { it } from 'node:test'
import { publish } from '../../shared/repository/publish.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { apiOver } from '../support/api.ts'
import { type Client, tufClient } from '../support/client.ts'
import { signRoot } from '../support/keys.ts'
import { addRequest, bootstrapped, bootstrapRequest, restarted, run, testRepository } from '../support/repository.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

it('In a year of outages shorter than half a day nobody sees an expired role, and status says how long one may last', async () => {
  const repository = await bootstrapped()
  const { metadata, clock } = repository.ports
  const began = clock.now().getTime()
  const clientAt = (late: number): Client =>
    tufClient(
      async (file) => (await metadata.read(file))?.bytes,
      () => new Date(clock.now().getTime() + late),
    )
  const kept = clientAt(0)
  const survived: number[] = []
  let refresher = restarted(repository)
  for (let turn = 0; clock.now().getTime() - began < 360 * day; turn++) {
    // From a few minutes up to the half of the shortest life, less the minute that a refresher takes to come round.
    repository.pass(((turn * 7919) % 719) * minute)
    if (turn % 40 === 0) await run(repository, addRequest([`file-${turn % 7}`], turn))
    if (turn % 90 === 0) refresher = restarted(repository)
    await kept.refresh()
    await publish(refresher)
    await kept.refresh()
    if (turn % 50 !== 0) continue
    await kept.everything()
    const { data } = (await apiOver(repository).call('GET /status')).body
    const lasts = Number(data['survives_seconds']) * 1000
    assert.ok(lasts >= 12 * hour, `${lasts} ms`)
    const inTime = clientAt(lasts - 2000)
    await inTime.refresh()
    await inTime.everything()
    await assert.rejects(async () => {
      const late = clientAt(lasts + 2000)
      await late.refresh()
      await late.everything()
    }, /expired at/)
    survived.push(lasts)
  }
  assert.ok(survived.length > 20 && new Set(survived).size > 5)
})

it('No outage outlasts the root', async () => {
  const repository = testRepository()
  const { rootKeys, online } = repository
  const expires = new Date(repository.ports.clock.now().getTime() + 3 * hour)
  const root = parseJson(signRoot({ root: rootKeys, online, threshold: rootKeys.length, expires }).bytes)
  await run(repository, { ...bootstrapRequest(repository), root })
  const { data } = (await apiOver(repository).call('GET /status')).body
  assert.ok(Math.abs(Number(data['survives_seconds']) * 1000 - 3 * hour) < minute, JSON.stringify(data))
})
