import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Requests on one connection of which none is answered yet. Clients, browsers and proxies send one and wait. */
const most = 16

/**
 * Ends a connection that asks on and on without taking the answers: each of them would be in memory, and a piece of what arrives
 * can hold a thousand requests.
 */
export function boundPipelining(server: FastifyInstance): void {
  const open = new WeakMap<Socket, number>()
  server.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw
    const now = (open.get(socket) ?? 0) + 1
    open.set(socket, now)
    reply.raw.once('close', () => open.set(socket, (open.get(socket) ?? 1) - 1))
    if (now <= most) return done()
    reply.hijack()
    socket.destroy()
  })
}
