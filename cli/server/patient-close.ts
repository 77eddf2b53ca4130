import type { Server } from 'node:http'

/** Milliseconds that requests under way get to finish, such as one that waits for its task. */
const patience = 5000

/** Lets `close` end a server, and does not wait for ever. */
export async function closePatiently(server: Server, close: () => Promise<unknown>): Promise<void> {
  // A connection that its client keeps for later becomes idle when its last request has been answered, not before.
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  const impatience = setTimeout(() => server.closeAllConnections(), patience)
  await close()
  clearInterval(idle)
  clearTimeout(impatience)
}
