/** A proxy before the service that changes what passes: the attacker that every client must notice. */

import { createServer } from 'node:http'
import { type Listening, listening } from './listening.ts'

/** Returns the bytes to pass on for the path of a successful answer, changed or not. */
export type Attack = (path: string, body: Buffer) => Buffer

/** `forged`: answers by path that the attacker gives without asking anybody. */
export async function startAttacker(
  upstream: URL,
  attack: Attack,
  forged: ReadonlyMap<string, Buffer> = new Map(),
): Promise<Listening> {
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
  return listening(server)
}
