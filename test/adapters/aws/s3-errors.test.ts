import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { S3Client } from '@aws-sdk/client-s3'
import { s3ObjectStore } from '../../../shared/adapters/aws/s3-object-store.ts'
import { s3Uploads } from '../../../shared/adapters/aws/s3-uploads.ts'
import type { ObjectStore, StoreErrorCode } from '../../../shared/repository/ports.ts'
import type { Uploads } from '../../../shared/repository/uploads.ts'

/** What S3 answers to everything but the question whether something is there, and how often it was asked. */
const s3: { status: number; code: string; message: string; asked: number; date?: string } = {
  status: 200,
  code: '',
  message: '',
  asked: 0,
}

const server = createServer((request, response) => {
  s3.asked++
  request.resume()
  const { status, code, message, date } = s3
  if (date !== undefined) response.setHeader('date', date)
  // An answer without a body has no words.
  if (request.method === 'HEAD') return void response.writeHead(200, { 'content-length': 1 }).end()
  response.writeHead(status, { 'content-type': 'application/xml', 'x-amz-request-id': 'THE-REQUEST' })
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`)
})

const encrypted = /encrypted with a KMS key.* SSE-S3/
const denied = /Check the role and the bucket policy/
const noKey =
  'User: arn:aws:sts::123456789012:assumed-role/front is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:123456789012:key/1'

describe('what S3 says is told by what, where, why, and how to mend it', () => {
  let store: ObjectStore
  let uploads: Uploads
  before(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const settings = {
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      forcePathStyle: true,
      maxAttempts: 2,
    }
    store = s3ObjectStore({ bucket: 'bucket', prefix: 'metadata/' }, new S3Client(settings))
    uploads = s3Uploads('bucket', settings)
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  const passing = { asked: 2, code: 'unavailable' } as const
  const final = { asked: 1, code: 'unavailable' } as const
  const refused = { asked: 1, code: 'read-only' } as const
  const cases: readonly {
    readonly says: readonly [status: number, code: string, message: string]
    readonly create: { readonly asked: number; readonly code: StoreErrorCode }
    readonly read?: { readonly asked: number; readonly code: StoreErrorCode }
    readonly remedy?: RegExp
  }[] = [
    { says: [503, 'SlowDown', 'Please reduce your request rate.'], create: passing },
    { says: [500, 'InternalError', 'We encountered an internal error.'], create: passing },
    { says: [403, 'RequestTimeTooSkewed', 'The difference is too large.'], create: final },
    { says: [404, 'NoSuchBucket', 'The specified bucket does not exist'], create: final },
    { says: [400, 'ExpiredToken', 'The provided token has expired.'], create: final },
    { says: [403, 'InvalidAccessKeyId', 'The key does not exist in our records.'], create: final },
    { says: [403, 'AccessDenied', 'Access Denied'], create: refused, read: final, remedy: denied },
    { says: [403, 'AccessDenied', noKey], create: refused, read: final, remedy: encrypted },
    { says: [400, 'KMS.DisabledException', 'The key is disabled.'], create: final, remedy: encrypted },
  ]
  for (const { says, create, read = create, remedy } of cases) {
    const [status, code, message] = says
    it(`${status} ${code}: ${message}`, async () => {
      Object.assign(s3, { status, code, message })
      for (const [what, expected, work] of [
        ['create', create, () => store.create('1.root.json', Buffer.from('{}'))],
        ['read', read, () => store.read('1.root.json')],
      ] as const) {
        s3.asked = 0
        const thrown = await work().then(
          () => assert.fail('It was no error.'),
          (error: Error & { code: string }) => error,
        )
        assert.deepEqual([thrown.name, thrown.code, s3.asked], ['StoreError', expected.code, expected.asked])
        const told = `Could not ${what} s3://bucket/metadata/1.root.json: ${code}: ${message} (request THE-REQUEST)`
        assert.ok(thrown.message.startsWith(told), thrown.message)
        if (remedy === undefined) assert.equal(thrown.message, told)
        else assert.match(thrown.message.slice(told.length), remedy)
      }
    })
  }

  it('and likewise of what clients have uploaded', async () => {
    Object.assign(s3, { status: 403, code: 'AccessDenied', message: 'Access Denied' })
    await assert.rejects(uploads.arrived('1'), (error: Error & { code: string }) => {
      const told = 'Could not look at s3://bucket/bulk/1: AccessDenied: Access Denied (request THE-REQUEST)'
      assert.ok(error.message.startsWith(told), error.message)
      assert.match(error.message, denied)
      return error.code === 'unavailable'
    })
  })

  it('a clock that is wrong is set by the answer, and the request made again', async () => {
    const date = new Date(Date.now() + 60 * 60 * 1000).toUTCString()
    Object.assign(s3, { status: 403, code: 'RequestTimeTooSkewed', message: 'Too late.', asked: 0, date })
    await assert.rejects(store.read('1.root.json'), /RequestTimeTooSkewed/)
    assert.equal(s3.asked, 2)
  })
})
