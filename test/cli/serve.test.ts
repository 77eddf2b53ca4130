import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { runInNewContext } from 'node:vm'
import { artifact } from '../support/api.ts'
import { post, type Served, serveInVain, serveProcess } from '../support/served.ts'

let directory: string
let count = 0
const freshData = () => join(directory, `data-${count++}`)
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tuffet serve '))
})
after(() => rm(directory, { recursive: true }))

describe('a service', () => {
  let served: Served
  let data: string
  let artifacts: string
  const get = (path: string) => fetch(new URL(path, served.url))
  before(async () => {
    data = freshData()
    artifacts = join(directory, 'artifacts')
    await mkdir(join(artifacts, 'dir'), { recursive: true })
    served = await serveProcess(['--data', data, '--port', '0', '--trial', '--artifacts', artifacts])
  })
  after(() => served.stop())

  it('says its URL, and nothing else, on standard output', async () => {
    await get('/health')
    assert.equal(served.output().stdout, `${served.url.origin}\n`)
    assert.equal(served.url.hostname, '127.0.0.1')
  })

  it('keeps its key and its state to itself', async () => {
    const mode = async (path: string) => ((await stat(join(data, path))).mode & 0o777).toString(8)
    assert.equal(await mode('keys/online.pem'), '600')
    assert.equal(await mode('keys'), '700')
    assert.equal(await mode('state'), '700')
    assert.equal(await mode('.state.tmp'), '700')
    assert.equal(await mode('log'), '700')
    for (const path of [
      '/keys/online.pem',
      '/state/',
      '/metadata/../keys/online.pem',
      '/metadata/..%2fkeys%2fonline.pem',
    ])
      assert.equal((await get(path)).status, 404, path)
  })

  it('serves metadata', async () => {
    const timestamp = await get('/metadata/timestamp.json')
    assert.equal(timestamp.status, 200)
    assert.match(timestamp.headers.get('cache-control') ?? '', /no-(cache|store)/)
    const root = await get('/metadata/1.root.json')
    assert.match(root.headers.get('cache-control') ?? '', /immutable/)
    for (const missing of ['2.root.json', 'root.json', 'nothing', '%00', 'a%2fb'])
      assert.equal((await get(`/metadata/${missing}`)).status, 404, missing)
    const listing = await (await get('/metadata/')).text()
    for (const name of ['1.root.json', 'timestamp.json', '1.bins-0.json'])
      assert.ok(listing.includes(`"${name}"`), name)
    const etag = timestamp.headers.get('etag') ?? ''
    const again = (held: string) => fetch(timestamp.url, { headers: { 'if-none-match': held } })
    for (const held of [etag, `W/${etag}`, `"other", W/${etag}`]) assert.equal((await again(held)).status, 304, held)
    assert.equal((await again('"other"')).status, 200)
  })

  it('answers 405 to methods that no endpoint takes', async () => {
    for (const method of ['HEAD', 'OPTIONS', 'PATCH']) {
      const answer = await fetch(new URL('/api/v1/status', served.url), { method })
      assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET'], method)
    }
  })

  it('answers about its health and its contract', async () => {
    assert.deepEqual(await (await get('/health')).json(), { status: 'ok' })
    const contract = (await (await get('/openapi.json')).json()) as { openapi: string }
    assert.match(contract.openapi, /^3\.1/)
    assert.equal((await get('/nothing')).status, 404)
  })

  it('renders its contract with what it serves itself, also where a proxy has put it below a path', async () => {
    const above = 'https://example.org/tuffet/'
    const through = async (link: string, at = above) => {
      const url = new URL(link, at)
      assert.ok(url.href.startsWith(above), url.href)
      const answer = await fetch(new URL(url.href.slice(above.length), served.url), { redirect: 'manual' })
      const location = answer.headers.get('location')
      return { url, status: answer.status, text: await answer.text(), headers: answer.headers, location }
    }
    for (const folder of ['docs', 'metadata']) {
      const { location, url } = await through(folder)
      assert.equal((await through(location ?? '/', url.href)).url.href, `${above}${folder}/`)
    }
    const page = await through('docs/')
    assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'; script-src 'self'/)
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '')
    const files = links.filter((link) => !link.startsWith('data:'))
    assert.equal(files.length, 3)
    for (const link of files) assert.equal((await through(link, page.url.href)).status, 200, link)

    const shown: string[] = []
    const SwaggerUIBundle = ({ url }: { url: string }) => shown.push(url)
    const { text: script } = await through('start.js', page.url.href)
    runInNewContext(script, { SwaggerUIBundle, URL, location: page.url })
    assert.deepEqual(shown, [`${above}openapi.json`])
    for (const path of ['openapi.json', 'api/v1/openapi.json']) {
      const { text, url } = await through(path)
      const [server] = JSON.parse(text).servers
      assert.equal(new URL(server.url, url).href, above)
    }
  })

  it('serves artifacts under their plain and their hashed names', async () => {
    const content = Buffer.from('content')
    const [sha256, sha512] = ['sha256', 'sha512'].map((name) => createHash(name).update(content).digest('hex'))
    await writeFile(join(artifacts, 'dir', "@a+b~(1)'!$&,;=.tgz"), content)
    await writeFile(join(artifacts, '.hidden'), content)
    await writeFile(join(artifacts, 'empty'), '')
    const name = encodeURIComponent("@a+b~(1)'!$&,;=.tgz")
    for (const path of [
      `dir/${name}`,
      `dir/${sha256}.${name}`,
      `dir/${sha512}.${name}`,
      `${sha256}.dir/${name}`,
      `${sha256}..hidden`,
    ]) {
      const answer = await get(`/artifacts/${path}`)
      assert.equal(answer.status, 200, path)
      assert.equal(await answer.text(), 'content')
      assert.equal(answer.headers.get('content-type'), 'application/octet-stream')
      assert.match(answer.headers.get('content-security-policy') ?? '', /sandbox/)
    }
    assert.equal((await get('/artifacts/empty')).status, 200)
    await writeFile(join(artifacts, '.hidden'), 'changed')
    assert.equal((await get(`/artifacts/${sha256}..hidden`)).status, 404)
    assert.equal(await (await get('/artifacts/.hidden')).text(), 'changed')
  })

  it('serves nothing from outside of its directories', async () => {
    await writeFile(join(directory, 'secret'), 'secret')
    await symlink(join(directory, 'secret'), join(artifacts, 'link'))
    for (const path of [
      '../secret',
      '..%2fsecret',
      'dir/../../secret',
      'dir/%2e%2e/%2e%2e/secret',
      'link',
      'dir',
      '',
      '%00',
    ])
      assert.notEqual(await rawStatus(served, `/artifacts/${path}`), 200, path)
  })

  it('takes a body to the byte', async () => {
    const url = new URL('/api/v1/artifacts', served.url)
    const send = async (body: string | Uint8Array<ArrayBuffer>) => {
      const answer = await fetch(url, { method: 'POST', body })
      return { status: answer.status, text: await answer.text() }
    }
    const invalid = await send(Buffer.from('{"artifacts": ["\xff"]}', 'latin1'))
    assert.equal(invalid.status, 422)
    assert.match(invalid.text, /not valid UTF-8/)
    const large = await send(Buffer.alloc(5 * 1024 * 1024 + 1, ' '))
    assert.equal(large.status, 413)
    assert.match(large.text, /5 MiB/)
    const twice = await send('{"artifacts": [], "artifacts": []}')
    assert.match(twice.text, /key twice/)
  })

  it('publishes what is posted', async () => {
    const posted = await post(served, 'artifacts/', { artifacts: [artifact('a')] }, { prefer: 'wait=10' })
    assert.equal(posted.status, 200)
    assert.equal(posted.body.data.state, 'SUCCESS')
    assert.equal((await get('/api/v1/artifacts/?path=a')).status, 200)
  })

  it('keeps out pages of other sites', async () => {
    const status = async (headers: Record<string, string>) =>
      rawStatus(served, '/api/v1/artifacts/publish', 'POST', headers)
    const { host } = served.url
    assert.equal(await status({ host, origin: 'https://evil.example' }), 403)
    assert.equal(await status({ host, origin: 'null' }), 403)
    assert.equal(await status({ host: 'evil.example' }), 403)
    assert.equal(await status({ host, 'sec-fetch-site': 'cross-site' }), 403)
    assert.equal(await status({ host: `127.0.0.1.evil.example:${served.url.port}` }), 403)
    assert.equal(await status({ host, origin: served.url.origin, 'sec-fetch-site': 'same-origin' }), 202)
    assert.equal(await status({ host: `localhost:${served.url.port}` }), 202)
  })

  it('keeps others off its directory', async () => {
    const refused = await serveInVain(['--data', data, '--port', '0'])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /in use by another/)
    assert.equal(refused.stdout, '')
  })
})

describe('a service behind a proxy that lets browsers in', () => {
  it('changes nothing for pages of other sites', async (test) => {
    const served = await serveProcess(['--data', freshData(), '--port', '0', '--behind-proxy'])
    test.after(() => served.stop())
    // Nothing to publish yet, for whoever may ask.
    const asked = 404
    const host = 'tuf.example'
    const own = `https://${host}`
    const evil = 'https://evil.example'
    for (const [headers, status] of [
      [{ 'sec-fetch-site': 'cross-site', origin: evil }, 403],
      [{ 'sec-fetch-site': 'same-site', origin: 'https://other.tuf.example' }, 403],
      [{ 'sec-fetch-site': 'same-origin', origin: own }, asked],
      // The proxy may pass on another host, and browsers do not say the site over plain HTTP.
      [{ 'sec-fetch-site': 'same-origin', origin: own, host: 'upstream' }, asked],
      [{ origin: evil }, 403],
      [{ origin: 'null' }, 403],
      [{ origin: own }, asked],
      [{ origin: own, host: 'upstream', 'x-forwarded-host': host }, asked],
      [{}, asked],
    ] as const) {
      const said = JSON.stringify(headers)
      assert.equal(await rawStatus(served, '/api/v1/artifacts/publish', 'POST', { host, ...headers }), status, said)
      assert.equal(await rawStatus(served, '/api/v1/imports/x/file', 'PUT', { host, ...headers }), status, said)
      assert.equal(await rawStatus(served, '/api/v1/status', 'GET', { host, ...headers }), 200, said)
    }
  })
})

/** `fetch` would tidy up the path and the headers. */
async function rawStatus(served: Served, path: string, method = 'GET', headers: Record<string, string> = {}) {
  const { hostname, port } = served.url
  return new Promise<number>((resolve, reject) => {
    request({ hostname, port, path, method, headers }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })
}
