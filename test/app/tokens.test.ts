import assert from 'node:assert/strict'
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { ApiError } from '../../shared/app/errors.ts'
import { type Permission, permissions } from '../../shared/app/principal.ts'
import { type Route, routes } from '../../shared/app/routes.ts'
import {
  bearer,
  decodeTokens,
  newToken,
  readTokens,
  type TokenEntry,
  TokenFileError,
  tokensOf,
} from '../../shared/app/tokens.ts'
import { apiEvent, apiOver, type TestApi } from '../support/api.ts'
import { bootstrapped } from '../support/repository.ts'

const made = new Map(permissions.map((permission) => [permission, newToken(`the-${permission}`, permission)]))
const tokenOf = (permission: Permission) => ({ authorization: `Bearer ${made.get(permission)?.token}` })
const expired = newToken('was', 'administer', new Date(Date.now() - 1000))

describe('tokens', () => {
  let directory: string
  let file: string
  let api: TestApi
  const write = (entries: readonly TokenEntry[]) => writeFile(file, JSON.stringify(entries))
  const all = [...made.values(), expired].map(({ entry }) => entry)

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet-tokens-'))
    file = join(directory, 'tokens.json')
    await write(all)
    api = apiOver(await bootstrapped(), { authenticate: await tokensOf(file) })
  })
  after(() => rm(directory, { recursive: true }))

  for (const route of Object.values<Route>(routes)) {
    const request = `${route.method} ${route.path.replace(/\{\w+\}/, '1')}`
    for (const [index, permission] of permissions.entries()) {
      const enough = index >= permissions.indexOf(route.permission)
      it(`${enough ? 'let in' : 'keep out'} who may ${permission} at ${request}`, async () => {
        const { status, body } = await api.call(request, { headers: tokenOf(permission) })
        if (enough) assert.ok(status !== 401 && status !== 403, `${status}`)
        else {
          assert.equal(status, 403)
          assert.ok(String(body.detail['error']).includes(`permission to ${route.permission}`))
        }
      })
    }

    it(`are needed at ${request}`, async () => {
      for (const headers of [
        {},
        { authorization: 'Basic eDp5' },
        { authorization: 'Bearer x' },
        { authorization: '' },
      ]) {
        const refused = await api.call(request, { headers })
        assert.equal(refused.status, 401)
        assert.match(String(refused.headers['www-authenticate']), /^Bearer/)
      }
    })
  }

  it('end when they expire', async () => {
    const headers = { authorization: `Bearer ${expired.token}` }
    const refused = await api.call('GET /status', { headers })
    assert.equal(refused.status, 401)
    assert.match(String(refused.body.detail['error']), /expired at/)
  })

  it('name who asked in the journal', async () => {
    await api.call('POST /artifacts/publish', { headers: tokenOf('publish') })
    const { body } = await api.call('GET /commits?limit=1', { headers: tokenOf('read') })
    assert.ok(JSON.stringify(body).includes('"principal":"the-publish"'))
  })

  it('are read again when the file changes, and let nobody in when it cannot be read', async () => {
    const { token, entry } = newToken('newcomer', 'read')
    const headers = { authorization: `Bearer ${token}` }
    assert.equal((await api.call('GET /status', { headers })).status, 401)
    await write([...all, entry])
    await utimes(file, 0, 0)
    assert.equal((await api.call('GET /status', { headers })).status, 200)
    await writeFile(file, '[')
    const refused = await api.call('GET /status', { headers })
    assert.equal(refused.status, 503)
    await write(all)
    assert.equal((await api.call('GET /status', { headers })).status, 401)
  })
})

describe('tokens that are revoked', () => {
  it('while the service starts and reads them let nobody in', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tuffet-tokens-'))
    try {
      const file = join(directory, 'tokens.json')
      const { token, entry } = newToken('leaked', 'administer')
      await writeFile(file, JSON.stringify([entry]))
      let revoked = false
      const authenticate = await tokensOf(file, async () => {
        const tokens = await readTokens(file)
        if (!revoked) await writeFile(file, '[]')
        revoked = true
        return tokens
      })
      const event = apiEvent('GET /status', { headers: { authorization: `Bearer ${token}` } })
      await assert.rejects(
        authenticate(event),
        (error) => error instanceof ApiError && error.code === 'unauthenticated',
      )
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})

describe('what is sent as a token', () => {
  const { token, entry } = newToken('ci', 'publish')
  const admitted = (header: string) => {
    try {
      return bearer(header, [entry], new Date()).name
    } catch (error) {
      assert.ok(error instanceof ApiError && error.code === 'unauthenticated', String(error))
      return undefined
    }
  }

  it('is good to the letter, and anything else is refused', () => {
    assert.equal(admitted(`bearer  ${token} `), 'ci')
    const edit = fc.tuple(fc.nat(token.length), fc.nat(2), fc.string({ unit: 'binary', maxLength: 3 }))
    fc.assert(
      fc.property(edit, ([at, without, put]) => {
        const sent = token.slice(0, at) + put + token.slice(at + without)
        // Blanks around it are none of it.
        assert.equal(admitted(`Bearer ${sent}`), sent.replaceAll(/^ +| +$/g, '') === token ? 'ci' : undefined)
      }),
      { numRuns: 2000 },
    )
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (header) => assert.equal(admitted(header), undefined)))
  })

  it('has an end wherever the file takes one', () => {
    const near = fc.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/)
    const past = fc.date({ max: new Date(0), noInvalidDate: true }).map((date) => date.toISOString())
    fc.assert(
      fc.property(fc.oneof(near, past), (expires) => {
        const file = Buffer.from(JSON.stringify([{ ...entry, expires }]))
        let entries: TokenEntry[]
        try {
          entries = decodeTokens(file)
        } catch (error) {
          assert.ok(error instanceof TokenFileError, String(error))
          return
        }
        // After the last year of four digits.
        assert.throws(() => bearer(`Bearer ${token}`, entries, new Date('+010001-01-01T00:00:00Z')), /expired/)
      }),
      { numRuns: 2000, examples: [['2026-02-29T00:00:00Z'], ['2026-11-22T24:00:00Z'], ['2026-11-22T10:00:00-00:00']] },
    )
  })
})

describe('a token file', () => {
  it('does not hold the tokens', () => {
    const { token, entry } = newToken('ci', 'publish')
    assert.ok(!JSON.stringify(entry).includes(token))
    assert.notEqual(newToken('ci', 'publish').token, token)
    assert.deepEqual(decodeTokens(Buffer.from(JSON.stringify([entry]))), [entry])
  })

  it('is refused where it is none', () => {
    const { entry } = newToken('ci', 'publish')
    for (const wrong of [
      {},
      [{ ...entry, permission: 'all' }],
      [{ ...entry, sha256: 'x' }],
      [{ ...entry, expires: 'soon' }],
      [{ ...entry, name: '' }],
      [{ ...entry, token: 'x' }],
    ]) {
      assert.throws(() => decodeTokens(Buffer.from(JSON.stringify(wrong))), TokenFileError)
    }
  })
})
