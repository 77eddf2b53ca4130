import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { range, rejectsWith, text } from '../contract/object-store-helpers.ts'
import { type Fault, type ProxiedRequest, s3Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { startMinistack } from './ministack.ts'
import { requestsDuring } from './requests.ts'
import { s3ClientFor, storesIn } from './s3-stores.ts'
import { startVersitygw } from './versitygw.ts'

const ministack = await startMinistack()
const versitygw = await startVersitygw()
const proxy = await startFaultProxy(ministack.endpoint)
after(() => ministack[Symbol.asyncDispose]())
after(() => versitygw[Symbol.asyncDispose]())
after(() => proxy[Symbol.asyncDispose]())

const newStore = await storesIn(s3ClientFor({ ...ministack, ...proxy }))
const ofMany = ({ method, url }: ProxiedRequest) => method === 'POST' && url.includes('?delete')
const names = range(1_500).map((at) => `folder/${at} & <${at}>`)

/** What S3 answers where it refuses one of several. */
function refusing(key: string, code: string): Fault {
  const refusal = `<Error><Key>${key}</Key><Code>${code}</Code><Message>Injected.</Message></Error>`
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult>${refusal}</DeleteResult>`
  return { kind: 'answer', status: 200, headers: { 'content-type': 'application/xml' }, body }
}

describe('Deletions from S3 at the same time', () => {
  it('share requests, there or not there', async () => {
    const store = newStore()
    const there = [0, 1, 700, 1_400, 1_499].map((at) => names[at] ?? '')
    for (const name of [...there, 'left']) await store.create(name, text(name))
    const requests = await requestsDuring(proxy, () => Promise.all(names.map(store.delete)))
    assert.deepEqual(requests, { 'S3 delete': 1, 'S3 delete of many': 2 })
    assert.deepEqual(await store.list(''), ['left'])
  })

  it('do so on versitygw, too', async () => {
    const store = (await storesIn(s3ClientFor(versitygw)))()
    for (const name of names.slice(0, 20)) await store.create(name, text(name))
    await Promise.all(names.map(store.delete))
    assert.deepEqual(await store.list(''), [])
  })

  it('go alone if they are alone, or where XML has no way to name them', async () => {
    const store = newStore()
    const odd = ['a\u0001', 'b\uffff', 'é']
    for (const name of odd) await store.create(name, text(name))
    const requests = await requestsDuring(proxy, async () => {
      await store.delete('one')
      await Promise.all(odd.map(store.delete))
    })
    assert.deepEqual(requests, { 'S3 delete': 4 })
    assert.deepEqual(await store.list(''), [])
  })

  for (const [code, told] of [
    ['AccessDenied', 'read-only'],
    ['InternalError', 'unavailable'],
  ] as const) {
    it(`are told each what became of its own: ${code}`, async () => {
      const store = newStore()
      await store.create('x', text('x'))
      const [prefix] = /\d+\/x/.exec(proxy.requests.at(-1)?.url ?? '') ?? []
      using _ = proxy.inject(ofMany, refusing(prefix ?? '', code))
      const deleted = ['first', 'x', 'y'].map((name) => store.delete(name))
      await deleted[0]
      await rejectsWith(told, deleted[1] ?? assert.fail())
      await deleted[2]
      await store.delete('x')
    })
  }

  it('fail together where the request does, and go on afterwards', async () => {
    const store = newStore()
    const fault = proxy.inject(ofMany, s3Fault(503, 'SlowDown'), Number.POSITIVE_INFINITY)
    const deleted = ['first', 'x', 'y'].map((name) => store.delete(name))
    await deleted[0]
    for (const one of deleted.slice(1)) await rejectsWith('unavailable', one)
    fault[Symbol.dispose]()
    await Promise.all(['x', 'y', 'z'].map(store.delete))
  })
})
