import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { nothing, Service } from '../support/signed-service.ts'
import { tuffet } from '../support/tuffet.ts'

describe('HTTP_PROXY and NO_PROXY', () => {
  let service: Service
  let port: string
  /** Knows one name that nobody else does, and keeps what it was asked for. */
  const proxy = createServer()
  const asked: string[] = []
  const env = () => {
    const { port } = proxy.address() as AddressInfo
    return { ...nothing, http_proxy: `http://127.0.0.1:${port}`, no_proxy: 'elsewhere.invalid' }
  }
  const task = (api: string, more = {}) => tuffet(['--api', api, 'task', 'ab'], '', { env: { ...env(), ...more } })

  before(async () => {
    service = await new Service().start()
    port = new URL(service.url).port
    proxy.on('connect', ({ url = '' }, incoming) => {
      asked.push(url)
      const outgoing = connect(Number(port), '127.0.0.1', () => {
        incoming.write('HTTP/1.1 200 OK\r\n\r\n')
        incoming.pipe(outgoing).pipe(incoming)
      })
      incoming.on('error', () => outgoing.destroy())
      outgoing.on('error', () => incoming.destroy())
    })
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
  })
  after(async () => {
    proxy.close()
    await service[Symbol.asyncDispose]()
  })

  it('say by which proxy requests go', async () => {
    const { code, stderr } = await task(`http://service.invalid:${port}`)
    assert.equal(code, 0, stderr)
    assert.deepEqual(asked.splice(0), [`service.invalid:${port}`])
  })

  it('leave alone what is on this machine, and what they name', async () => {
    const { code, stderr } = await task(service.url)
    assert.equal(code, 0, stderr)
    assert.equal((await task(`http://elsewhere.invalid:${port}`)).code, 3)
    assert.equal((await task(`http://service.invalid:${port}`, { no_proxy: '*' })).code, 3)
    assert.deepEqual(asked, [])
  })

  it('are told of where they name no URL, without what they hold', async () => {
    const { code, stderr } = await task(service.url, { http_proxy: 'ann:secret@proxy:3128' })
    assert.equal(code, 2)
    assert.match(stderr, /^error: http_proxy is no URL\. Write it like http:\/\/proxy\.example:3128\.\n$/)
  })
})
