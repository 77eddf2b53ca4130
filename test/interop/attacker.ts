/** A proxy before the service that changes what passes: the attacker that every client must notice. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Returns the bytes to pass on for the path of a successful answer, changed or not. */
export type Attack = (path: string, body: Buffer) => Buffer

export interface Attacker extends AsyncDisposable {
  url: URL
}

/** `forged`: answers by path that the attacker gives without asking anybody. */
export async function startAttacker(
  upstream: URL,
  attack: Attack,
  forged: ReadonlyMap<string, Buffer> = new Map(),
): Promise<Attacker> {
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/'
    const own = forged.get(path)
    if (own !== undefined) {
      response.writeHead(200).end(own)
      return
    }
    try {
      const answer = await fetch(new URL(path, upstream))
      const body = Buffer.from(await answer.arrayBuffer())
      response.writeHead(answer.status).end(answer.ok ? attack(path, body) : body)
    } catch (error) {
      response.writeHead(502).end(String(error))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}
