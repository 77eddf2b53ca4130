import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { content, rejectsWith, text } from '../contract/object-store-helpers.ts'
import { type Fault, type ProxiedRequest, s3Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { startMinistack } from './ministack.ts'
import { s3ClientFor, storesIn } from './s3-stores.ts'

const ministack = await startMinistack()
const proxy = await startFaultProxy(ministack.endpoint)
after(() => ministack[Symbol.asyncDispose]())
after(() => proxy[Symbol.asyncDispose]())

const throughProxy = s3ClientFor({ ...ministack, ...proxy })
const newStore = await storesIn(throughProxy)

const puts = ({ method }: ProxiedRequest) => method === 'PUT'
const gets = ({ method, url }: ProxiedRequest) => method === 'GET' && !url.includes('list-type')
const lists = ({ url }: ProxiedRequest) => url.includes('list-type')
const anything = () => true
const times = (matches: (request: ProxiedRequest) => boolean) => proxy.requests.filter(matches).length

describe('s3ObjectStore, when S3', () => {
  let store: ObjectStore
  let before: number
  beforeEach(() => {
    store = newStore()
    before = times(puts)
  })
  const putsMade = () => times(puts) - before

  it('says 409 to a create: repeats it', async () => {
    using _ = proxy.inject(puts, s3Fault(409, 'ConditionalRequestConflict'), 3)
    const tag = await store.create('a', text('one'))
    assert.equal((await store.read('a'))?.tag, tag)
    assert.equal(putsMade(), 4)
  })

  it('says 409 to a replacement: repeats it, and loses if another was faster', async () => {
    const tag = await store.create('a', text('one'))
    using first = proxy.inject(puts, s3Fault(409, 'ConditionalRequestConflict'), 2)
    const second = await store.replace('a', text('two'), tag)
    assert.equal((await store.read('a'))?.tag, second)
    first[Symbol.dispose]()
    using _ = proxy.inject(puts, s3Fault(409, 'OperationAborted'), 2)
    await rejectsWith('changed', store.replace('a', text('three'), tag))
  })

  it("says 409 without end: 'unavailable' after ten times", async () => {
    using _ = proxy.inject(puts, s3Fault(409, 'ConditionalRequestConflict'), Number.POSITIVE_INFINITY)
    await rejectsWith('unavailable', store.create('a', text('one')))
    assert.equal(putsMade(), 10)
  })

  for (const [status, code] of [
    [503, 'SlowDown'],
    [500, 'InternalError'],
  ] as const) {
    it(`says ${status} ${code} twice: nobody notices`, async () => {
      using _ = proxy.inject(anything, s3Fault(status, code), 2)
      await store.create('a', text('one'))
      assert.equal(await content(store, 'a'), 'one')
    })

    it(`says ${status} ${code} without end: 'unavailable', and goes on afterwards`, async () => {
      const tag = await store.create('a', text('one'))
      const fault = proxy.inject(anything, s3Fault(status, code), Number.POSITIVE_INFINITY)
      await rejectsWith('unavailable', store.create('b', text('one')))
      await rejectsWith('unavailable', store.replace('a', text('two'), tag))
      await rejectsWith('unavailable', store.read('a'))
      await rejectsWith('unavailable', store.delete('a'))
      await rejectsWith('unavailable', store.list(''))
      fault[Symbol.dispose]()
      assert.deepEqual(await store.list(''), ['a'])
      await store.replace('a', text('two'), tag)
    })
  }

  const unanswered: Record<string, Fault> = {
    'loses the answer to': { kind: 'lose the answer' },
    'falls silent after': { kind: 'fall silent' },
  }
  for (const [what, fault] of Object.entries(unanswered)) {
    it(`${what} a create that took effect: it is known for our own`, async () => {
      using _ = proxy.inject(puts, fault)
      const tag = await store.create('a', text('one'))
      assert.equal((await store.read('a'))?.tag, tag)
      assert.equal(putsMade(), 2)
    })

    it(`${what} a replacement that took effect: it is known for our own`, async () => {
      const tag = await store.create('a', text('one'))
      using _ = proxy.inject(puts, fault)
      const second = await store.replace('a', text('two'), tag)
      assert.equal((await store.read('a'))?.tag, second)
      await rejectsWith('changed', store.replace('a', text('three'), tag))
    })

    it(`${what} a deletion: it is done`, async () => {
      await store.create('a', text('one'))
      using _ = proxy.inject(({ method }) => method === 'DELETE', fault)
      await store.delete('a')
      assert.equal(await store.read('a'), undefined)
    })
  }

  it("loses the answer to a create each time: 'unavailable', and the same again succeeds", async () => {
    const fault = proxy.inject(puts, { kind: 'lose the answer' }, Number.POSITIVE_INFINITY)
    await rejectsWith('unavailable', store.create('a', text('one')))
    fault[Symbol.dispose]()
    const tag = await store.create('a', text('one'))
    assert.equal((await store.read('a'))?.tag, tag)
    await rejectsWith('exists', store.create('a', text('two')))
  })

  it('loses the answer to a replacement that others then replace: it is not taken for current', async () => {
    const tag = await store.create('a', text('one'))
    const afterwards = async () => {
      const stored = await store.read('a')
      if (stored !== undefined) await store.replace('a', text('theirs'), stored.tag)
    }
    using _ = proxy.inject(({ headers, method }) => method === 'PUT' && headers['if-match'] === tag, {
      kind: 'lose the answer',
      afterwards,
    })
    await rejectsWith('changed', store.replace('a', text('two'), tag))
    assert.equal(await content(store, 'a'), 'theirs')
  })

  for (const [what, bytes] of [
    ['an object', 200_000],
    // So large that it is read in another way.
    ['a bulk file', 10_000_000],
  ] as const) {
    it(`cuts ${what} in the middle: 'unavailable', never a part`, async () => {
      const whole = Buffer.alloc(bytes, 'tuffet ')
      await store.create('a', whole)
      using _ = proxy.inject(gets, { kind: 'cut the answer' })
      await rejectsWith('unavailable', store.read('a'))
      assert.ok(whole.equals((await store.read('a'))?.bytes ?? text('')))
    })

    it(`cuts a range of ${what} in the middle: 'unavailable', never a part`, async () => {
      const whole = Buffer.alloc(bytes, 'tuffet ')
      await store.create('a', whole)
      using _ = proxy.inject(gets, { kind: 'cut the answer' })
      await rejectsWith('unavailable', store.range('a', 1, bytes - 1))
      assert.ok(whole.subarray(1, -1).equals((await store.range('a', 1, bytes - 1)) ?? text('')))
    })
  }

  it('cuts a list in the middle: never a part', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `name-${index + 10}`)
    for (const name of names) await store.create(name, text(name))
    using _ = proxy.inject(lists, { kind: 'cut the answer' })
    const listed = await store.list('').catch(() => store.list(''))
    assert.deepEqual(listed, names)
  })

  it("denies: a write is 'read-only' and not repeated, a read 'unavailable'", async () => {
    using _ = proxy.inject(anything, s3Fault(403, 'AccessDenied'), Number.POSITIVE_INFINITY)
    await rejectsWith('read-only', store.create('a', text('one')))
    assert.equal(putsMade(), 1)
    await rejectsWith('read-only', store.delete('a'))
    await rejectsWith('unavailable', store.read('a'))
    await rejectsWith('unavailable', store.list(''))
  })
})
