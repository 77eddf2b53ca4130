import type { IncomingMessage } from 'node:http'
import { finished } from 'node:stream/promises'
import { maximumBodyBytes, tooLarge } from '../../shared/app/errors.ts'

/** The whole body, to the byte. Throws ApiError 'too-large' once it has come to the end of one that is longer than the API takes. */
export async function bodyOf(incoming: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  // To its end, whatever its length: many a client reads no answer before it has sent everything.
  for await (const chunk of incoming) {
    length += chunk.length
    if (length <= maximumBodyBytes) chunks.push(chunk)
    else chunks.length = 0
  }
  if (length > maximumBodyBytes) throw tooLarge()
  return Buffer.concat(chunks)
}

/** Lets what nobody has read of a body go by, for the same clients. */
export async function rest(incoming: IncomingMessage): Promise<void> {
  if (incoming.readableEnded || incoming.destroyed) return
  incoming.resume()
  await finished(incoming).catch(() => {})
}
