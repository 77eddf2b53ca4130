import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { type S3Place, s3ObjectStore } from '../../shared/adapters/aws/s3-object-store.ts'
import { objectStoreContract } from '../contract/object-store.ts'
import { noTag, rejectsWith, text } from '../contract/object-store-helpers.ts'
import { type Emulator, freePort, useEnvironment } from './emulator.ts'
import { startMinistack } from './ministack.ts'
import { bucket, s3ClientFor, storesIn } from './s3-stores.ts'
import { startVersitygw } from './versitygw.ts'

const ministack = await startMinistack()
const versitygw = await startVersitygw()
after(() => ministack[Symbol.asyncDispose]())
after(() => versitygw[Symbol.asyncDispose]())

async function contractOn(name: string, emulator: Emulator, unmet?: readonly string[]): Promise<void> {
  const newStore = await storesIn(s3ClientFor(emulator))
  const made = async () => ({ store: newStore(), [Symbol.asyncDispose]: async () => {} })
  objectStoreContract(`s3ObjectStore on ${name}`, made, unmet)
}
await contractOn('ministack', ministack)
// It compares, then writes, and a deletion in between goes unseen; and it reads content and tag one after the other, so that now
// and then they are of two versions. S3 does both at once.
await contractOn('versitygw', versitygw, [
  'leaves nothing when a replacement and a deletion race',
  'shows readers the whole of one version, with its own tag',
])

describe('s3ObjectStore', () => {
  it('takes region, endpoint and credentials from the environment', async () => {
    using _ = useEnvironment(ministack.environment)
    const store = s3ObjectStore({ bucket, prefix: 'environment/' })
    const tag = await store.create('a', text('one'))
    assert.equal((await store.read('a'))?.tag, tag)
  })

  it('keeps to its prefix', async () => {
    const client = s3ClientFor(ministack)
    const [one, other] = ['one/', 'other/'].map((prefix) => s3ObjectStore({ bucket, prefix }, client))
    await one?.create('a', text('1'))
    await other?.create('b', text('2'))
    assert.deepEqual(await one?.list(''), ['a'])
    assert.equal(await one?.read('b'), undefined)
    assert.deepEqual(await s3ObjectStore({ bucket }, client).list('one'), ['one/a'])
  })

  it('stores what caches and browsers are to be told', async () => {
    const client = s3ClientFor(ministack)
    const cacheControl = (name: string) => (name === 'timestamp.json' ? 'no-cache' : undefined)
    const store = s3ObjectStore({ bucket, prefix: 'headers/', cacheControl }, client)
    const tag = await store.create('timestamp.json', text('1'))
    await store.replace('timestamp.json', text('2'), tag)
    await store.create('1.root.json', text('1'))
    const head = (name: string) => client.send(new HeadObjectCommand({ Bucket: bucket, Key: `headers/${name}` }))
    assert.equal((await head('timestamp.json')).CacheControl, 'no-cache')
    assert.equal((await head('1.root.json')).CacheControl, undefined)
    assert.equal((await head('1.root.json')).ContentType, 'application/json')
  })

  it('tells the age by the clock of the store', async (test) => {
    const store = s3ObjectStore({ bucket, prefix: 'age/' }, s3ClientFor(ministack))
    await store.create('a', text('one'))
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    // This process would take it for fifty years old.
    test.mock.timers.enable({ apis: ['Date'], now: new Date('2076-01-01') })
    const { age } = (await store.read('a')) ?? { age: -1 }
    assert.ok(age >= 1_000 && age < 10_000, `${age} ms`)
  })

  async function allUnavailable(client: S3Client, place: S3Place): Promise<void> {
    const store = s3ObjectStore(place, client)
    await rejectsWith('unavailable', store.create('a', text('one')))
    await rejectsWith('unavailable', store.replace('a', text('one'), noTag))
    await rejectsWith('unavailable', store.read('a'))
    await rejectsWith('unavailable', store.delete('a'))
    await rejectsWith('unavailable', store.list(''))
  }

  it("calls a bucket that is not there 'unavailable', not an absence", async () => {
    await allUnavailable(s3ClientFor(ministack), { bucket: 'no-such-bucket' })
  })

  it("calls wrong credentials 'unavailable'", async () => {
    const environment = { ...versitygw.environment, AWS_SECRET_ACCESS_KEY: 'wrong' }
    await allUnavailable(s3ClientFor({ ...versitygw, environment }), { bucket })
  })

  it("calls a service that is not there 'unavailable'", async () => {
    const nowhere = { ...ministack, endpoint: `http://127.0.0.1:${await freePort()}` }
    await allUnavailable(s3ClientFor(nowhere), { bucket })
  })
})
