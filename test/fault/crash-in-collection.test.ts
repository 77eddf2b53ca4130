import assert from 'node:assert/strict'
import { it } from 'node:test'
import { collect } from '../../shared/repository/collect.ts'
import { publish } from '../../shared/repository/publish.ts'
import { submit } from '../../shared/repository/submit.ts'
import { type Client, clientOf } from '../support/client.ts'
import { memoryObjectStore } from '../support/memory-object-store.ts'
import { type Death, mortal } from './mortal.ts'
import { make, startProcess, type VirtualTime } from './world.ts'

const hour = 60 * 60 * 1000

/** A repository with something of every kind to collect. */
async function world() {
  const time: VirtualTime = { now: Date.parse('2030-01-01T00:00:00Z') }
  const stores = { metadata: memoryObjectStore(() => time.now), state: memoryObjectStore(() => time.now) }
  const publisher = startProcess(stores, time)
  const change = async (length: number) => {
    await submit(publisher, {
      request: make.add(['a', 'b', 'c', 'd'], length),
      principal: 'test',
      idempotencyKey: `${length}`,
    })
    time.now += hour
    await publish(publisher)
  }
  await submit(publisher, { request: make.bootstrap(), principal: 'test' })
  await publish(publisher)
  await change(1)
  await submit(publisher, { request: make.settings({ timestamp: 7 }), principal: 'test' })
  await submit(publisher, { request: make.add(['a', 'b'], 2), principal: 'test' })
  // Dies with all files written, before the swap.
  const { promise: died, resolve } = Promise.withResolvers<void>()
  const replace = () => {
    resolve()
    return new Promise<never>(() => {})
  }
  await Promise.race([publish(startProcess({ ...stores, metadata: { ...stores.metadata, replace } }, time)), died])
  for (const length of [3, 4, 5]) await change(length)
  time.now += 30 * 24 * hour
  await publish(publisher)
  await change(6)
  return { time, stores }
}

async function contents(store: ReturnType<typeof memoryObjectStore>, without: readonly string[] = []) {
  const names = (await store.list('')).filter((name) => !without.includes(name))
  return Promise.all(names.map(async (name) => [name, Buffer.from((await store.read(name))?.bytes ?? '').toString()]))
}

async function dieCollecting(death: Death | undefined) {
  const { time, stores } = await world()
  const process = mortal(stores, death)
  const client: Client = clientOf(startProcess(stores, time))
  await client.refresh()
  const everything = await client.everything()
  const collected = await Promise.race([collect(startProcess(process, time), { records: true }), process.died])
  await client.copy().refresh()
  // Some other process goes on with what it finds.
  time.now += 2 * hour
  await collect(startProcess(stores, time), { records: true })
  await client.refresh()
  assert.deepEqual(await client.everything(), everything)
  return {
    collected,
    operations: process.operations.length,
    metadata: await contents(stores.metadata),
    state: await contents(stores.state, ['collected.json', 'lease.json']),
  }
}

it('The collector dies at every operation, and the next one leaves what it would have left', async () => {
  const whole = await dieCollecting(undefined)
  const { operations, collected, ...left } = whole
  assert.deepEqual(collected, { superseded: 10, aborted: 1, records: 11 })
  for (let at = 1; at <= operations; at++) {
    for (const after of [false, true]) {
      const now = await dieCollecting({ at, after })
      assert.deepEqual(
        now.metadata.map(([name]) => name),
        left.metadata.map(([name]) => name),
        `${at} ${after}`,
      )
      assert.deepEqual(
        now.state.map(([name]) => name),
        left.state.map(([name]) => name),
        `${at} ${after}`,
      )
    }
  }
})
