import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { it } from 'node:test'
import { tuffet } from '../support/tuffet.ts'

it('A file of metadata that does not end is given up', async (test) => {
  const server = createServer((_, response) => {
    const block = Buffer.alloc(1024 * 1024, ' ')
    Readable.from(forever(block)).pipe(response)
    response.on('close', () => response.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata/`
  const { code, stderr } = await tuffet(['check', url])
  assert.equal(code, 1, stderr)
  assert.match(stderr, /timestamp\.json has more than 67108864 bytes: no client reads that much/)
})

function* forever(block: Buffer) {
  for (;;) yield block
}
