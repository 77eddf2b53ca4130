import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { tuffet } from '../support/tuffet.ts'

const day = 24 * 60 * 60 * 1000
const inDays = (days: number) => new Date(Date.now() + days * day).toISOString()

/** What `tuffet status` prints of a service that says this. */
async function shown(data: object): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ data, message: 'Status.' }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const { code, stdout, stderr } = await tuffet(['--api', `http://127.0.0.1:${port}`, 'status'], '', {})
    assert.equal(code, 0, stderr)
    return stdout
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

describe('tuffet status', () => {
  const data = { bootstrap: { state: 'finished' }, tasks: { waiting: 0, more: false }, awaited_signatures: [] }

  it('warns of the root and of roles signed offline before they expire, and after', async () => {
    const printed = await shown({
      ...data,
      to_renew: [
        { role: 'root', version: 3, expires: inDays(20) },
        { role: 'project', version: 7, expires: inDays(-2) },
      ],
    })
    assert.match(
      printed,
      /^warning: root version 3 expires in 20 days, and only its holders can .* \(tuffet root update\)\.$/m,
    )
    assert.match(printed, /^warning: project version 7 expired 2 days ago, .* \(tuffet delegation renew project\)\.$/m)
  })

  it('warns of keys that the service should hold', async () => {
    const lacking = (role: string) => ({ role, keyids: ['3f'], threshold: 1 })
    const troubles = [{ code: 'key-not-held', message: 'The publisher lacks it.' }]
    const printed = await shown({ ...data, troubles, keys_not_held: [lacking('timestamp'), lacking('snapshot')] })
    assert.doesNotMatch(printed, /The publisher lacks it/)
    assert.match(printed, /^warning: .* keys to sign timestamp, snapshot \(key 3f\)\. .*tuffet serve --key FILE/m)
  })

  it('says what keeps the service from its work', async () => {
    const printed = await shown({ ...data, troubles: [{ code: 'full', message: 'No room is left.' }] })
    assert.match(printed, /^warning: No room is left\.$/m)
  })

  it('warns of roles that trust a key still that was taken from the service', async () => {
    const printed = await shown({ ...data, removed_keys_trusted: [{ role: 'both', keyids: ['3f'] }] })
    assert.match(printed, /^warning: Trusted .*, still: both \(1 key: 3f\)\. .*tuffet delegation update ROLE/m)
  })

  it('says nothing where nothing is due', async () => {
    assert.doesNotMatch(await shown({ ...data, to_renew: [], keys_not_held: [] }), /warning/)
  })
})
