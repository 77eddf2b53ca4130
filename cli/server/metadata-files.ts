import type { FastifyInstance, FastifyReply } from 'fastify'
import { cacheControl } from '../../shared/app/cache-control.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'

const fileName = /^[\w.-]+\.json$/

/**
 * Serves what clients read, under `/metadata/`. Whole files, read at once: `timestamp.json` may be replaced at any moment, and
 * half of one version with half of the next is neither.
 */
export function serveMetadata(server: FastifyInstance, metadata: ObjectStore): void {
  server.get<{ Params: { '*': string } }>('/metadata/*', async (request, reply) => {
    const name = request.params['*']
    if (name === '') return listing(metadata, reply)
    const stored = fileName.test(name) ? await metadata.read(name) : undefined
    if (stored === undefined) {
      // A client that probes for the next root must not be told tomorrow what was missing today.
      return reply.code(404).header('cache-control', 'no-store').type('text/plain').send('There is no such file.\n')
    }
    const etag = `"${stored.tag}"`
    reply.header('cache-control', cacheControl(name))
    reply.header('etag', etag)
    if (isHeld(request.headers['if-none-match'], etag)) return reply.code(304).send()
    return reply.type('application/json').send(Buffer.from(stored.bytes))
  })
  server.get('/metadata', async (_, reply) => reply.redirect('metadata/'))
}

/** A proxy that compresses makes a weak tag (`W/`) of ours, and asks with that. */
function isHeld(asked: string | undefined, etag: string): boolean {
  return asked?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag) ?? false
}

async function listing(metadata: ObjectStore, reply: FastifyReply): Promise<FastifyReply> {
  // No name that the service writes needs escaping, and no other is shown.
  const names = (await metadata.list('')).filter((name) => fileName.test(name))
  const lines = names.map((name) => `<li><a href="${name}">${name}</a></li>`).join('\n')
  const page = `<!doctype html>\n<html lang="en">\n<title>TUF metadata</title>\n<ul>\n${lines}\n</ul>\n</html>\n`
  return reply.header('cache-control', 'no-store').type('text/html; charset=utf-8').send(page)
}
