import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { remembered } from '../../shared/app/remembered.ts'

/** Everything from here, nothing from elsewhere, and no script in the page itself. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Tuffet API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="swagger-ui.css">
  </head>
  <body>
    <div id="contract"></div>
    <script src="swagger-ui-bundle.js"></script>
    <script src="start.js"></script>
  </body>
</html>
`

const start = `SwaggerUIBundle({ url: new URL('../openapi.json', location.href).href, dom_id: '#contract', deepLinking: true, validatorUrl: null })\n`

/**
 * The contract for people to read, at `/docs`: Swagger UI out of our own dependencies. All links are relative, for a proxy may have put
 * the service below a path.
 */
export function serveDocs(server: FastifyInstance): void {
  const package_ = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  server.get('/docs', async (_, reply) => reply.redirect('docs/'))
  server.get('/docs/', async (_, reply) =>
    reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(page),
  )
  server.get('/docs/start.js', async (_, reply) => reply.type('text/javascript; charset=utf-8').send(start))
  for (const [file, type] of [
    ['swagger-ui.css', 'text/css; charset=utf-8'],
    ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ] as const) {
    // One copy, however many slow readers there are.
    const content = remembered(() => readFile(join(package_, file)))
    server.get(`/docs/${file}`, async (_, reply) => reply.type(type).send(await content()))
  }
}
