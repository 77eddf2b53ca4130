import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server of this process, on a free port; disposing of it breaks what is under way. */
export interface Listening extends AsyncDisposable {
  readonly url: URL
}

export async function listening(server: Server, onEnd: () => void = () => {}): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      onEnd()
    },
  }
}
