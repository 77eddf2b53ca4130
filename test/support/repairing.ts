import assert from 'node:assert/strict'
import { readCurrent } from '../../shared/repository/current.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { readCommits } from '../../shared/repository/read.ts'
import { diagnose, type RepairOptions } from '../../shared/repository/repair/diagnose.ts'
import { repair } from '../../shared/repository/repair/repair.ts'
import { type Client, isClean } from './client.ts'
import { addRequest, restarted, run, type TestRepository } from './repository.ts'

/** Repairs in a process that knows nothing, and shows that a client which saw it before goes on, and the service too. */
export async function repaired(repository: TestRepository, client: Client, options: RepairOptions = {}) {
  const everything = await client
    .copy()
    .everything()
    .catch(() => undefined)
  const process = restarted(repository)
  const before = await contents(repository.ports.state)
  const { plan, ...notes } = await diagnose(process, options)
  assert.deepEqual(await contents(repository.ports.state), before, 'a diagnosis changes nothing')
  assert.deepEqual(notes.blocked, [])
  assert.ok(plan)
  const commit = await repair(process, plan)
  await client.refresh()
  if (everything !== undefined && options.above === undefined) assert.deepEqual(await client.everything(), everything)
  const again = await diagnose(restarted(repository))
  assert.deepEqual([again.steps, again.lost, again.blocked], [[], [], []], 'nothing is left to be repaired')
  await isClean(repository)
  const after = restarted(repository)
  assert.equal((await run(after, addRequest(['after'], 9))).state, 'SUCCESS')
  await client.refresh()
  assert.equal((await client.find('after'))?.length, 9)
  await assert.doesNotReject(Array.fromAsync(readCommits(after, { limit: 1000 })), 'the journal is one chain')
  return { ...notes, commit, current: await readCurrent(after) }
}

export async function contents(store: ObjectStore): Promise<ReadonlyMap<string, Uint8Array>> {
  const all = new Map<string, Uint8Array>()
  for (const name of await store.list('')) {
    const stored = await store.read(name)
    if (stored !== undefined) all.set(name, stored.bytes)
  }
  return all
}

export async function restore(store: ObjectStore, backup: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const name of await store.list('')) await store.delete(name)
  for (const [name, bytes] of backup) await store.create(name, bytes)
}

async function spoil(store: ObjectStore, name: string): Promise<void> {
  await store.delete(name)
  await store.create(name, Buffer.from('spoilt'))
}

export const damages: Readonly<Record<string, (store: ObjectStore, name: string) => Promise<void>>> = {
  'is missing': (store, name) => store.delete(name),
  'is spoilt': spoil,
}
