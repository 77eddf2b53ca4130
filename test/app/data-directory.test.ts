import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { openStores } from '../../shared/app/data-directory.ts'
import { temporaryDirectory } from '../adapters/local/temporary-directory.ts'

/** Looks for one root after the other without a pause, and tells how long each was when it was first there. */
const prober = `
  const { existsSync, readFileSync } = require('node:fs')
  const { workerData, parentPort } = require('node:worker_threads')
  const { directory, roots } = workerData
  const lengths = []
  for (let version = 1; version <= roots; version++) {
    const path = directory + '/' + version + '.root.json'
    while (!existsSync(path));
    lengths.push(readFileSync(path).length)
  }
  parentPort.postMessage(lengths)`

it('a root in a data directory is whole as soon as it can be seen there', async () => {
  await using data = await temporaryDirectory()
  const { metadata } = await openStores(data.path)
  const roots = 50
  const workerData = { directory: join(data.path, 'metadata'), roots }
  const worker = new Worker(prober, { eval: true, workerData })
  const told = once(worker, 'message') as Promise<[number[]]>
  await once(worker, 'online')
  const root = Buffer.alloc(10_000, 'a root')
  for (let version = 1; version <= roots; version++) await metadata.create(`${version}.root.json`, root)
  const [lengths] = await told
  assert.deepEqual(new Set(lengths), new Set([root.length]))
})
