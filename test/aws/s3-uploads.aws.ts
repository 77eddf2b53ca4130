import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { CreateBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { upload } from '../../cli/upload.ts'
import { s3Uploads } from '../../shared/adapters/aws/s3-uploads.ts'
import { clientConfig } from './clients.ts'
import { type Emulator, useEnvironment } from './emulator.ts'
import { startMinistack } from './ministack.ts'
import { bucket, s3ClientFor } from './s3-stores.ts'
import { startVersitygw } from './versitygw.ts'

const ministack = await startMinistack()
const versitygw = await startVersitygw()
after(() => ministack[Symbol.asyncDispose]())
after(() => versitygw[Symbol.asyncDispose]())

const file = Buffer.from('a;1;sha256;00\n'.repeat(100_000))
const sha256 = createHash('sha256').update(file).digest('hex')
const announced = { bytes: file.length, sha256 }
let ids = 0
const newId = () => `${Date.now().toString(16)}${ids++}`.padStart(64, '0')

interface Strictness {
  /** It looks at the signature of an address, at what the headers say, and at whether there is an object already. */
  readonly checks: boolean
}

async function uploadsTo(name: string, emulator: Emulator, { checks }: Strictness): Promise<void> {
  const client = s3ClientFor(emulator)
  await client.send(new CreateBucketCommand({ Bucket: bucket })).catch(() => undefined)
  const uploads = s3Uploads(bucket, clientConfig(emulator))
  const put = async (url: string, headers: Readonly<Record<string, string>>, body: Uint8Array) =>
    (await fetch(url, { method: 'PUT', headers, body: Buffer.from(body) })).status

  describe(`an upload to ${name}`, () => {
    it('is what the command sends, to an address that was signed for it', async () => {
      const id = newId()
      const { method, url, headers } = await uploads.address(id, announced)
      assert.equal(method, 'PUT')
      const told: number[] = []
      await upload(new URL(url), headers, file, (sent) => told.push(sent))
      assert.ok(told.length > 3 && told.at(-1) === file.length)
      assert.deepEqual(await uploads.arrived(id), announced)
      assert.ok(await client.send(new HeadObjectCommand({ Bucket: bucket, Key: `bulk/${id}` })))
    })

    it('is a success when it is sent again, because its answer was lost', async () => {
      const id = newId()
      // Small, for versitygw says yes to who asks first, and hangs up on the rest.
      const { url, headers } = await uploads.address(id, {})
      for (let time = 0; time < 2; time++) await upload(new URL(url), headers, Buffer.from('x'), () => {})
      assert.equal((await uploads.arrived(id))?.bytes, 1)
    })

    it('may be of what was not announced', async () => {
      const id = newId()
      const { url, headers } = await uploads.address(id, {})
      assert.equal(await put(url, headers, file), 200)
      assert.deepEqual(await uploads.arrived(id), announced)
    })

    it('has not arrived before it was sent', async () => {
      assert.equal(await uploads.arrived(newId()), undefined)
    })

    it('signs what it holds the client to, and no secret', async () => {
      const { url, headers } = await uploads.address(newId(), announced)
      const query = new URL(url).searchParams
      assert.equal(query.get('X-Amz-SignedHeaders'), 'content-length;host;if-none-match;x-amz-checksum-sha256')
      assert.deepEqual(headers, {
        'if-none-match': '*',
        'content-length': String(file.length),
        'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64'),
      })
      assert.equal(query.get('X-Amz-Expires'), '3600')
      assert.equal(query.get('X-Amz-Content-Sha256') ?? query.get('x-amz-content-sha256'), 'UNSIGNED-PAYLOAD')
    })

    it('is of the very bytes that were announced', async () => {
      const id = newId()
      const { url, headers } = await uploads.address(id, announced)
      const other = Buffer.from(file)
      other[0] = 0x62
      assert.ok((await put(url, headers, other)) >= 400)
      assert.equal(await uploads.arrived(id), undefined)
    })

    it('is done once', async () => {
      const id = newId()
      const { url, headers } = await uploads.address(id, {})
      assert.equal(await put(url, headers, file), 200)
      assert.equal(await put(url, headers, Buffer.from('other')), 412)
      assert.deepEqual(await uploads.arrived(id), announced)
    })

    it('needs every header and the name that were signed', {
      skip: !checks && 'It does not look at them.',
    }, async () => {
      const id = newId()
      const { url, headers } = await uploads.address(id, announced)
      const { 'if-none-match': _, ...withoutCondition } = headers
      assert.equal(await put(url, withoutCondition, file), 403)
      const elsewhere = new URL(url)
      elsewhere.pathname = elsewhere.pathname.replace('bulk/', 'inbox/')
      assert.equal(await put(elsewhere.href, headers, file), 403)
      assert.equal(await uploads.arrived(id), undefined)
    })
  })
}
await uploadsTo('ministack', ministack, { checks: false })
await uploadsTo('versitygw', versitygw, { checks: true })

describe('s3Uploads', () => {
  it('signs with what the environment has', async () => {
    using _ = useEnvironment(ministack.environment)
    const id = newId()
    const uploads = s3Uploads(bucket)
    const { url, headers } = await uploads.address(id, announced)
    await upload(new URL(url), headers, file, () => {})
    assert.deepEqual(await uploads.arrived(id), announced)
  })

  it('sends nobody to where the bucket is not', async () => {
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' }
    const { url } = await s3Uploads('my-bucket', { region: 'eu-central-1', credentials }).address('ab', {})
    assert.match(url, /^https:\/\/my-bucket\.s3\.eu-central-1\.amazonaws\.com\/bulk\/ab\?/)
    assert.equal(new URL(url).searchParams.get('X-Amz-Security-Token'), 'c')
    // A checksum of the content that the address does not know would let nobody in.
    assert.deepEqual(
      [...new URL(url).searchParams.keys()].filter((name) => name.includes('checksum')),
      [],
    )
  })

  it('does not read what is too large to be of use', async () => {
    const bytes = 600 * 1024 * 1024
    const server = createServer((_, response) => response.writeHead(200, { 'content-length': bytes }).end())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const uploads = s3Uploads(bucket, { ...clientConfig(ministack), endpoint })
      assert.deepEqual(await uploads.arrived('ab'), { bytes, sha256: '' })
    } finally {
      server.close()
    }
  })

  it('tells in the words of the store that S3 does not answer', async () => {
    const nowhere = { ...clientConfig(ministack), endpoint: 'http://127.0.0.1:1', maxAttempts: 1 }
    await assert.rejects(s3Uploads(bucket, nowhere).arrived('ab'), { name: 'StoreError', code: 'unavailable' })
  })
})
