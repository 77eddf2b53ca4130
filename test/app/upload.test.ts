import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { uploadHandler, uploadsHere } from '../../shared/app/handlers/upload.ts'
import { principal } from '../../shared/app/principal.ts'
import { beginImport } from '../../shared/repository/imports.ts'
import { StoreError } from '../../shared/repository/ports.ts'
import { maximumBulkBytes } from '../../shared/repository/uploads.ts'
import { apiEvent } from '../support/api.ts'
import { bootstrapped } from '../support/repository.ts'

const id = 'ab'.repeat(32)
const silent = { info: () => {}, warn: () => {}, error: () => {} }

/** Sends so many bytes to a service that does with them what `receive` does. */
async function send(
  bytes: number,
  receive: (chunks: AsyncIterable<Uint8Array>) => Promise<boolean>,
  { begun = 0, who = principal('tester', 'administer') } = {},
) {
  const repository = await bootstrapped()
  await beginImport(repository, id, { principal: 'tester', format: 'csv' })
  repository.pass(begun)
  const service = {
    repository,
    uploads: uploadsHere(async () => undefined),
    authenticate: async () => who,
    log: silent,
  }
  const piece = new Uint8Array(16 * 1024 * 1024)
  let taken = 0
  async function* body() {
    for (; taken < bytes; taken += Math.min(piece.length, bytes - taken)) yield piece.subarray(0, bytes - taken)
  }
  const handler = uploadHandler(service, async (_, chunks) => receive(chunks))
  const { statusCode, body: text } = await handler(apiEvent(`PUT /imports/${id}/file`), id, body())
  return { status: statusCode, body: JSON.parse(text ?? ''), taken }
}

async function count(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0
  for await (const chunk of chunks) bytes += chunk.length
  return bytes
}

describe('the upload', () => {
  it('takes the largest file, and of a larger one no more, but reads it to its end', async () => {
    const largest = await send(maximumBulkBytes, async (chunks) => (await count(chunks)) === maximumBulkBytes)
    assert.deepEqual([largest.status, largest.body.data.bytes], [200, maximumBulkBytes])
    let seen = 0
    const tooLarge = await send(maximumBulkBytes + 20_000_000, async (chunks) => {
      for await (const chunk of chunks) seen += chunk.length
      return true
    })
    assert.equal(tooLarge.status, 413)
    assert.match(tooLarge.body.detail.error, /512 MiB.*Split it by lines/)
    assert.ok(seen <= maximumBulkBytes)
    assert.equal(tooLarge.taken, maximumBulkBytes + 20_000_000)
  })

  it('is over after seven days, and reads to its end all the same', async () => {
    const late = await send(20_000_000, async () => assert.fail('Nobody may receive it.'), { begun: 7 * 86_400_000 })
    assert.deepEqual([late.status, late.taken], [404, 20_000_000])
  })

  it('is only for who may publish', async () => {
    const refused = await send(9, async () => assert.fail('Nobody may receive it.'), { who: principal('ann', 'read') })
    assert.deepEqual([refused.status, refused.taken], [403, 9])
    assert.equal(
      refused.body.detail.error,
      'This needs the permission to publish; ann has: read. Use a token that has it.',
    )
  })

  it('is not available on a disk that is full', async () => {
    const full = await send(1, async () => {
      throw new StoreError('full', 'Make room.')
    })
    assert.deepEqual([full.status, full.body.detail.code], [503, 'full'])
  })
})
