import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { s3ObjectStore } from '../../shared/adapters/aws/s3-object-store.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { addRequest, bootstrapped, run } from '../support/repository.ts'
import { tuffet } from '../support/tuffet.ts'
import { s3ClientFor } from './s3-stores.ts'
import { startVersitygw } from './versitygw.ts'

const versitygw = await startVersitygw()
after(() => versitygw[Symbol.asyncDispose]())
const client = s3ClientFor(versitygw)

describe('tuffet check of a bucket', () => {
  const bucket = 'published'
  const check = (where: string) => tuffet(['check', where, '--json'], '', { env: versitygw.environment })
  let store: ObjectStore
  let bin = ''

  before(async () => {
    const repository = await bootstrapped()
    await run(repository, addRequest(['a', 'b', 'c', 'd']))
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    store = s3ObjectStore({ bucket, prefix: 'metadata/' }, client)
    const { metadata } = repository.ports
    for (const name of await metadata.list(''))
      await store.create(name, (await metadata.read(name))?.bytes ?? assert.fail(name))
    bin = (await store.list('2.bins-'))[0] ?? assert.fail('no bin')
  })

  it('finds the metadata below metadata/, or where it is told, and that all of it is valid', async () => {
    for (const where of [`s3://${bucket}`, `s3://${bucket}/metadata/`]) {
      const { code, stdout, stderr } = await check(where)
      assert.equal(code, 0, stdout + stderr)
      const report = JSON.parse(stdout)
      assert.equal(report.where, `s3://${bucket}/metadata/`)
      assert.deepEqual([report.valid, report.targets, report.unused.strange], [true, 4, []])
      assert.ok(report.unused.superseded > 0)
    }
  })

  it('says what is missing there, and what is nobody’s', async () => {
    const bytes = (await store.read(bin))?.bytes ?? assert.fail(bin)
    await store.delete(bin)
    await store.create('notes.txt', Buffer.from('?'))
    const { code, stdout } = await check(`s3://${bucket}`)
    await store.create(bin, bytes)
    await store.delete('notes.txt')
    assert.equal(code, 4)
    const report = JSON.parse(stdout)
    assert.deepEqual(
      report.findings.map(({ file, problem }: { file: string; problem: string }) => [file, problem]),
      [[bin, 'missing']],
    )
    assert.deepEqual(report.unused.strange, ['notes.txt'])
  })

  it('says when there is nothing, or nobody who answers', async () => {
    assert.equal((await check(`s3://${bucket}/elsewhere`)).code, 4)
    const nowhere = await check('s3://no-such-bucket')
    assert.equal(nowhere.code, 3)
    assert.match(nowhere.stderr + nowhere.stdout, /s3:\/\/no-such-bucket/)
    assert.equal((await check('s3://')).code, 2)
  })
})
