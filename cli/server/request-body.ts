import type { IncomingMessage } from 'node:http'
import { finished } from 'node:stream/promises'
import { ApiError, tooLarge } from '../../shared/app/errors.ts'
import { maximumRequestBytes } from '../../shared/repository/request-size.ts'

/** The chunks of a body. Throws ApiError 'broken-off' where its sender goes away, which is no fault of the service. */
export async function* chunksOf(incoming: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    yield* incoming
  } catch (cause) {
    throw new ApiError('broken-off', 'Broken off.', 'The connection ended before the body did. Send it again.', {
      cause,
    })
  }
}

/** The whole body, to the byte. Throws ApiError 'too-large' once it has come to the end of one that is longer than the API takes. */
export async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  // Copied, for chunks may be of a byte each, and take hundreds as long as they are kept.
  let body = Buffer.alloc(0)
  let length = 0
  // To its end, whatever its length: many a client reads no answer before it has sent everything.
  for await (const chunk of chunksOf(incoming)) {
    const end = length + chunk.length
    if (end <= maximumRequestBytes) {
      if (end > body.length) body = enlarged(body, Math.min(2 * end, maximumRequestBytes))
      chunk.copy(body, length)
    } else body = Buffer.alloc(0)
    length = end
  }
  if (length > maximumRequestBytes) throw tooLarge()
  return body.subarray(0, length)
}

function enlarged(body: Buffer, length: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafe(length)
  body.copy(larger)
  return larger
}

/** Lets what nobody has read of a body go by, for the same clients. */
export async function rest(incoming: IncomingMessage): Promise<void> {
  if (incoming.readableEnded || incoming.destroyed) return
  incoming.resume()
  await finished(incoming).catch(() => {})
}
