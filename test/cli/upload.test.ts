import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { upload } from '../../cli/upload.ts'
import { newToken } from '../../shared/app/tokens.ts'
import { type Served, serveProcess } from '../support/served.ts'

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe('the upload of a bulk file to the embedded service', () => {
  const tokens = {
    one: newToken('one', 'publish'),
    two: newToken('two', 'publish'),
    reader: newToken('reader', 'read'),
    boss: newToken('boss', 'administer'),
  }
  let directory: string
  let served: Served
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet upload '))
    const file = join(directory, 'tokens.json')
    await writeFile(file, JSON.stringify(Object.values(tokens).map(({ entry }) => entry)), { mode: 0o600 })
    served = await serveProcess(['--data', join(directory, 'data'), '--port', '0', '--trial', '--token-file', file])
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  const call = async (method: string, path: string, { body, as }: { body?: unknown; as?: keyof typeof tokens }) => {
    const headers: Record<string, string> = as === undefined ? {} : { authorization: `Bearer ${tokens[as].token}` }
    const sent = body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body)
    const response = await fetch(new URL(path, served.url), {
      method,
      headers,
      ...(body !== undefined && { body: sent }),
    })
    return { status: response.status, text: await response.text() }
  }
  async function begin(announced: object = {}): Promise<{ id: string; url: string }> {
    const { status, text } = await call('POST', '/api/v1/imports', { body: { format: 'csv', ...announced }, as: 'one' })
    assert.equal(status, 201, text)
    const { data } = JSON.parse(text)
    return { id: data.import_id, url: data.upload.url }
  }
  const stored = (id: string) => readFile(join(directory, 'data/state/bulk', id)).catch(() => undefined)

  it('keeps what was sent, of any type and beyond what other requests may have', async () => {
    const bytes = randomBytes(12 * 1024 * 1024)
    const { id, url } = await begin({ bytes: bytes.length, sha256: hashOf(bytes) })
    assert.equal(url, `/api/v1/imports/${id}/file`)
    const { status, text } = await call('PUT', url, { body: bytes, as: 'one' })
    assert.equal(status, 200, text)
    assert.deepEqual(JSON.parse(text).data, { import_id: id, bytes: bytes.length, sha256: hashOf(bytes) })
    assert.deepEqual(await stored(id), bytes)
  })

  it('is done once: the same again is a success, another file is refused', async () => {
    const { id, url } = await begin()
    const bytes = Buffer.from('one')
    for (let time = 0; time < 2; time++) assert.equal((await call('PUT', url, { body: bytes, as: 'one' })).status, 200)
    const other = await call('PUT', url, { body: Buffer.from('two'), as: 'one' })
    assert.deepEqual([other.status, (await stored(id))?.toString()], [409, 'one'])
    assert.match(other.text, /Begin another import/)
  })

  it('is for who began it, and administrators', async () => {
    const { id, url } = await begin()
    const body = Buffer.from('x')
    assert.equal((await call('PUT', url, { body })).status, 401)
    assert.equal((await call('PUT', url, { body, as: 'reader' })).status, 403)
    assert.equal((await call('PUT', url, { body, as: 'two' })).status, 403)
    assert.equal((await call('PUT', `/api/v1/imports/${'0'.repeat(64)}/file`, { body, as: 'one' })).status, 404)
    assert.equal((await call('PUT', '/api/v1/imports/..%2f..%2fa/file', { body, as: 'boss' })).status, 404)
    assert.equal(await stored(id), undefined)
    assert.equal((await call('PUT', url, { body, as: 'boss' })).status, 200)
  })

  it('keeps nothing of what was not announced', async () => {
    const { id, url } = await begin({ sha256: hashOf(Buffer.from('right')) })
    const wrong = await call('PUT', url, { body: Buffer.from('wrong'), as: 'one' })
    assert.equal(wrong.status, 422)
    assert.match(wrong.text, /The SHA-256 of what was uploaded is/)
    assert.equal(await stored(id), undefined)
    assert.equal((await call('PUT', url, { body: Buffer.from('right'), as: 'one' })).status, 200)
    const longer = await begin({ bytes: 2 })
    assert.equal((await call('PUT', longer.url, { body: Buffer.from('xxx'), as: 'one' })).status, 422)
  })

  it('keeps nothing of what broke off', async () => {
    const { id, url } = await begin()
    const headers = { authorization: `Bearer ${tokens.one.token}`, 'content-length': 1_000_000 }
    const sending = request(new URL(url, served.url), { method: 'PUT', headers })
    sending.on('error', () => {})
    sending.write(randomBytes(400_000))
    const temporary = join(directory, 'data/.state.tmp')
    while ((await readdir(temporary)).length === 0) await setTimeout(10)
    sending.destroy()
    while ((await readdir(temporary)).length > 0) await setTimeout(10)
    assert.equal(await stored(id), undefined)
    assert.equal((await call('PUT', url, { body: Buffer.from('whole'), as: 'one' })).status, 200)
  })

  it('takes no more memory the larger the file is', async (test) => {
    const megabyte = randomBytes(1024 * 1024)
    const peak = async () =>
      Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${served.child.pid}/status`, 'utf8'))?.[1]) * 1024
    const before = await peak().catch(() => Number.NaN)
    if (Number.isNaN(before)) return test.skip('Only Linux tells.')
    const { id, url } = await begin()
    const headers = { authorization: `Bearer ${tokens.one.token}` }
    const sending = request(new URL(url, served.url), { method: 'PUT', headers })
    const answered = once(sending, 'response')
    for (let sent = 0; sent < 300; sent++) if (!sending.write(megabyte)) await once(sending, 'drain')
    sending.end()
    const [response] = await answered
    assert.equal(response.statusCode, 200)
    response.resume()
    assert.equal((await stored(id))?.length, 300 * 1024 * 1024)
    assert.ok((await peak()) - before < 150 * 1024 * 1024, `${(await peak()) - before} bytes more`)
  })

  it('says what the service said, to who uses the command', async () => {
    const { url } = await begin()
    await assert.rejects(
      upload(new URL(url, served.url), {}, Buffer.from('x'), () => {}),
      /answered 401 to the upload: .*token/i,
    )
  })
})
