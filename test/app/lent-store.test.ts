import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { MessageChannel, Worker } from 'node:worker_threads'
import { borrowedStore, lendStore } from '../../shared/app/lent-store.ts'
import { objectStoreContract } from '../contract/object-store.ts'
import { content } from '../contract/object-store-helpers.ts'
import { memoryObjectStore } from '../support/memory-object-store.ts'

objectStoreContract('lent to another thread', async () => {
  const store = memoryObjectStore()
  const { port1, port2 } = new MessageChannel()
  lendStore(store, port1)
  return {
    store: { ...store, ...borrowedStore(port2) },
    [Symbol.asyncDispose]: async () => port1.close(),
  }
})

describe('a lent store', () => {
  it('is written by another thread, which ends when it closes the port', async () => {
    const store = memoryObjectStore()
    const { port1, port2 } = new MessageChannel()
    lendStore(store, port1)
    const source = `(async () => {
      const { workerData } = await import('node:worker_threads')
      const { borrowedStore } = await import(workerData.module)
      const store = borrowedStore(workerData.port)
      const tag = await store.create('a', Buffer.from('one'))
      await store.replace('a', Buffer.from('two'), tag)
      const refused = await store.replace('a', Buffer.from('three'), tag).catch(({ name, code }) => name + ' ' + code)
      await store.create('refused', Buffer.from(refused))
      workerData.port.close()
    })()`
    const module = import.meta.resolve('../../shared/app/lent-store.ts')
    const worker = new Worker(source, {
      eval: true,
      workerData: { module, port: port2 },
      transferList: [port2],
    })
    const [code] = await once(worker, 'exit').finally(() => port1.close())
    assert.equal(code, 0)
    assert.equal(await content(store, 'a'), 'two')
    assert.equal(await content(store, 'refused'), 'StoreError changed')
  })
})
