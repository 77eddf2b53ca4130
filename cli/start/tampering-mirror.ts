import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server that answers whatever it is asked with these bytes, one of them changed; ends when it is disposed of. */
export async function tamperingMirror(bytes: Uint8Array): Promise<AsyncDisposable & { readonly url: URL }> {
  const tampered = Uint8Array.from(bytes)
  const middle = Math.floor(tampered.length / 2)
  tampered[middle] = (tampered[middle] ?? 0) ^ 1
  const server = createServer((_, response) => response.end(tampered))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}
