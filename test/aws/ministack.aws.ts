import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { KMSClient } from '@aws-sdk/client-kms'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { kmsSigner } from '../../shared/adapters/aws/kms-signer.ts'
import { s3ObjectStore } from '../../shared/adapters/aws/s3-object-store.ts'
import { rejectsWith, text } from '../contract/object-store-helpers.ts'
import { clientConfig } from './clients.ts'
import { useEnvironment } from './emulator.ts'
import { makeUser } from './iam.ts'
import { startMinistack } from './ministack.ts'

/** That the strict mode, on which the tests of permissions rest, is strict; and what the adapters make of it. */
describe('ministack in strict mode', async () => {
  const ministack = await startMinistack({ strict: true })
  after(() => ministack[Symbol.asyncDispose]())
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(ministack.authority ?? '', 'utf8')])
  const unknown = { ...ministack, environment: { ...ministack.environment, AWS_ACCESS_KEY_ID: 'AKIAUNKNOWN000000000' } }
  const bucket = 'strict'

  it('is served over TLS, to clients that know nothing but the environment', async () => {
    using _ = useEnvironment(ministack.environment)
    await new S3Client({}).send(new CreateBucketCommand({ Bucket: bucket }))
    const store = s3ObjectStore({ bucket })
    const tag = await store.create('a', text('one'))
    assert.equal((await store.read('a'))?.tag, tag)
    await assert.rejects(fetch(ministack.endpoint.replace('https:', 'http:')))
  })

  it('refuses whom it does not know', async () => {
    const store = s3ObjectStore({ bucket }, new S3Client({ ...clientConfig(unknown), forcePathStyle: true }))
    await rejectsWith('unavailable', store.read('a'))
    await assert.rejects(kmsSigner('alias/any', new KMSClient(clientConfig(unknown))), { name: 'SignerError' })
    assert.equal((await fetch(`${ministack.endpoint}/${bucket}/a`)).status, 403)
  })

  it("lets a user do what their policy allows; what it does not is 'read-only'", async () => {
    const user = await makeUser(ministack, [
      { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*` },
      { Effect: 'Allow', Action: 's3:PutObject', Resource: `arn:aws:s3:::${bucket}/theirs/*` },
    ])
    const client = new S3Client({ ...clientConfig({ ...ministack, environment: user }), forcePathStyle: true })
    const [theirs, others] = ['theirs/', 'others/'].map((prefix) => s3ObjectStore({ bucket, prefix }, client))
    assert.ok(theirs && others)
    const tag = await theirs.create('a', text('one'))
    assert.equal((await theirs.read('a'))?.tag, tag)
    await rejectsWith('read-only', others.create('a', text('one')))
    await rejectsWith('read-only', theirs.delete('a'))
    await rejectsWith('unavailable', theirs.list(''))
  })
})
