import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, it } from 'node:test'
import { bodyOf } from '../../cli/server/request-body.ts'
import { maximumRequestBytes } from '../../shared/repository/request-size.ts'

/** A body that comes in pieces of such lengths, all of them in the same memory: who keeps one has another in the end. */
async function* inPieces(bytes: Uint8Array, lengths: () => number) {
  const memory = Buffer.alloc(bytes.length)
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + lengths())
    memory.set(piece)
    yield memory.subarray(0, piece.length)
    at += piece.length
  }
}

const read = (bytes: Uint8Array, lengths: () => number) =>
  bodyOf(inPieces(bytes, lengths) as unknown as IncomingMessage)

describe('the body of a request', () => {
  it('is read to the byte, with no piece of it kept', async () => {
    const bytes = Buffer.from(Array.from({ length: 5000 }, (_, at) => at % 251))
    for (const length of [1, 7, 4096, 5000]) assert.deepEqual(await read(bytes, () => length), bytes)
    assert.deepEqual(await read(Buffer.alloc(0), () => 1), Buffer.alloc(0))
  })

  it('is as long as the API takes, and no longer', async () => {
    const most = Buffer.alloc(maximumRequestBytes, 'x')
    assert.deepEqual(await read(most, () => 100_000), most)
    for (const length of [100_000, maximumRequestBytes])
      await assert.rejects(
        read(Buffer.concat([most, Buffer.from('x')]), () => length),
        { code: 'too-large' },
      )
  })
})
