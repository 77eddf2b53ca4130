import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { objectStoreContract } from '../../contract/object-store.ts'
import { text } from '../../contract/object-store-helpers.ts'
import { memoryObjectStore } from '../../support/memory-object-store.ts'

objectStoreContract('memory', async () => ({ store: memoryObjectStore(), [Symbol.asyncDispose]: async () => {} }))

describe('memoryObjectStore', () => {
  it('tells ages by its own clock, each version from its own beginning', async () => {
    let now = 1_000
    const store = memoryObjectStore(() => now)
    const tag = await store.create('a', text('one'))
    now += 500
    assert.equal((await store.read('a'))?.age, 500)
    await store.create('a', text('one'))
    assert.equal((await store.read('a'))?.age, 500)
    await store.replace('a', text('two'), tag)
    assert.equal((await store.read('a'))?.age, 0)
  })
})
