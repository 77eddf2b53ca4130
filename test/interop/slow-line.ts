/** A line between clients and the service that takes its time, so that a refresh lasts as long as it does far away. */

import { Agent, request as ask, createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Listening, listening } from './listening.ts'

/** `delay`: milliseconds that an answer is under way. */
export async function startSlowLine(upstream: URL, delay: (status: number) => number): Promise<Listening> {
  const agent = new Agent({ keepAlive: true })
  const server = createServer((request, response) => {
    const passed = ask(new URL(request.url ?? '/', upstream), { agent }, async (answer) => {
      const { statusCode = 502 } = answer
      const body: Buffer[] = []
      for await (const part of answer) body.push(part)
      await sleep(delay(statusCode))
      response.writeHead(statusCode).end(Buffer.concat(body))
    })
    passed.on('error', (error) => response.writeHead(502).end(String(error)))
    passed.end()
  })
  return listening(server, () => agent.destroy())
}
