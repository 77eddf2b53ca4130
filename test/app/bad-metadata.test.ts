import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { Json, JsonObject } from '../../shared/tuf/json.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { keyid } from '../../shared/tuf/keys.ts'
import { apiOver, artifact, type TestApi } from '../support/api.ts'
import { fileOf } from '../support/bad-roots.ts'
import { decided } from '../support/holders.ts'
import { makeKey, signRole } from '../support/keys.ts'
import { bootstrapped, type TestRepository } from '../support/repository.ts'

/** 422: seen as it comes in. ERRORED: a 202 whose task says why it was refused. */
interface Case {
  readonly name: string
  readonly body: unknown
  readonly ends: 422 | 'ERRORED'
  readonly says: RegExp
  readonly at?: readonly (string | number)[]
}

const [alice, bob] = [makeKey('ecdsa'), makeKey()]
const { publicKey: p384 } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const bigKey = {
  keytype: 'ecdsa',
  scheme: 'ecdsa-sha2-nistp384',
  keyval: { public: p384.export({ type: 'spki', format: 'pem' }).toString() },
}
const keys = { [alice.keyid]: alice.key, [bob.keyid]: bob.key }
/** The key of Alice as older tools write it. */
const twin = { ...alice.key, keytype: 'ecdsa-sha2-nistp256' }
const delegations = (role: object, more: object = {}) => ({
  delegations: { keys: { ...keys, ...more }, roles: [{ name: 'docs', paths: ['docs/*'], ...role }] },
})
const roleAt = (...rest: (string | number)[]) => ['body', 'delegations', 'roles', 0, ...rest]

const patterns: readonly (readonly [string, RegExp])[] = [
  ['', /it is empty/],
  ['/docs/*', /begins with "\/"/],
  ['docs/', /ends with "\/"/],
  ['docs//*', /empty segment/],
  ['docs/../*', /segment "\.\."/],
  ['docs/**', /some clients read "\*\*" at position 5 as more than itself/],
  ['docs/[ab]', /character "\[" at position 5/],
  ['docs/{a,b}', /character "\{"/],
  ['dócs/*', /not ASCII/],
  [`${'x'.repeat(181)}/*`, /segment of 181 characters/],
  [`${'x'.repeat(150)}/${'y'.repeat(150)}/*`, /takes 307 characters or more .* so it matches none; shorten it/],
]

const addCases: readonly Case[] = [
  ...patterns.map(([pattern, says]): Case => {
    const body = delegations({ paths: ['fine/*', pattern] })
    return {
      name: `the pattern ${JSON.stringify(pattern.slice(0, 20))}`,
      body,
      ends: 422,
      says,
      at: roleAt('paths', 1),
    }
  }),
  { name: 'no pattern', body: delegations({ paths: [] }), ends: 422, says: /./, at: roleAt('paths') },
  ...['root', 'targets', 'Snapshot', 'timestamp'].map(
    (name): Case => ({
      name: `the name ${name}`,
      body: delegations({ name }),
      ends: 422,
      says: /the name of a top-level role\. Choose another name/,
      at: roleAt('name'),
    }),
  ),
  ...['bins', 'bins-0', 'project-bins-f'].map(
    (name): Case => ({
      name: `the name ${name}`,
      body: delegations({ name }),
      ends: 'ERRORED',
      says: /one that hash bins or the role above them may have/,
    }),
  ),
  {
    name: 'a name that there is',
    body: delegations({ name: 'project' }),
    ends: 'ERRORED',
    says: /There is a role project already, and names are unique\. Update it, or choose another name/,
  },
  {
    name: 'one name twice',
    body: { delegations: { keys: {}, roles: [1, 2].map(() => ({ name: 'docs', paths: ['docs/*'] })) } },
    ends: 'ERRORED',
    says: /There is a role docs already/,
  },
  {
    name: 'a threshold of 0',
    body: delegations({ threshold: 0 }),
    ends: 422,
    says: /whole number from 1/,
    at: roleAt('threshold'),
  },
  {
    name: 'a threshold above the number of keys',
    body: delegations({ keyids: [alice.keyid], threshold: 2 }),
    ends: 'ERRORED',
    says: /Role docs asks for 2 signatures and has 1 keys\. Name more keys, or lower the threshold/,
  },
  {
    name: 'a threshold above the online keys',
    body: delegations({ threshold: 2 }),
    ends: 'ERRORED',
    says: /Role docs asks for 2 signatures and has 1 keys/,
  },
  {
    name: 'a key that is not sent along',
    body: delegations({ keyids: ['ab'.repeat(32)] }),
    ends: 'ERRORED',
    says: /names key (ab){32}, which is not among the delegations' keys\. Send it along/,
  },
  {
    name: 'a key of a type that clients refuse',
    body: delegations({}, { ['ab'.repeat(32)]: bigKey }),
    ends: 422,
    says: /"ecdsa-sha2-nistp384" is not one that clients read\. Use a P-256/,
  },
  {
    name: 'a key under another keyid',
    body: delegations({}, { ['ab'.repeat(32)]: alice.key }),
    ends: 422,
    says: /The keyid of this key is [0-9a-f]{64}/,
  },
  { name: 'no days', body: delegations({ 'x-rstuf-expire-policy': 0 }), ends: 422, says: /from 1 to 3650/ },
  { name: 'eleven years', body: delegations({ 'x-rstuf-expire-policy': 4015 }), ends: 422, says: /from 1 to 3650/ },
]

describe('Metadata that cannot be', () => {
  let repository: TestRepository
  let api: TestApi
  let published: readonly string[]
  before(async () => {
    repository = await bootstrapped()
    api = apiOver(repository)
    const project = { delegations: { keys: {}, roles: [{ name: 'project', paths: ['project/*', 'other/*'] }] } }
    assert.equal((await decided(api, 'POST /delegations', project)).state, 'SUCCESS')
    const artifacts = ['project/a', 'other/b', 'other/c', 'rest'].map((path) => artifact(path))
    assert.equal((await decided(api, 'POST /artifacts', { artifacts })).state, 'SUCCESS')
    published = await files()
  })
  /** Those that clients are told of. A refused task is a commit: of timestamp, and no file besides. */
  const files = () => repository.ports.metadata.list('')
  after(async () => assert.deepEqual(await files(), published))

  for (const bad of addCases) it(`POST /delegations: ${bad.name}`, () => isRefused('POST /delegations', bad))

  it('POST /delegations: one key under two keyids', async () => {
    const body = delegations({ keyids: [alice.keyid, keyid(twin)], threshold: 2 }, { [keyid(twin)]: twin })
    const says = /Role docs names keyids [0-9a-f]{64} and [0-9a-f]{64}, which are one and the same key/
    await isRefused('POST /delegations', { name: '', body, ends: 'ERRORED', says })
  })

  const rootOf = (changes: object) => {
    const { signed, ...rest } = fileOf(repository, {}, 2) as JsonObject
    return { metadata: { root: { ...rest, signed: { ...(signed as JsonObject), ...changes } } } }
  }
  const roots: readonly (readonly [name: string, changes: object, says: RegExp])[] = [
    ['another major', { spec_version: '2.0.0' }, /only 1\.x is understood/],
    ['consistent_snapshot that is a text', { consistent_snapshot: 'yes' }, /has to be true or false/],
    ['no keys', { keys: [] }, /root\.keys has to be an object/],
    ['no roles', { roles: {} }, /root\.roles\.root has to be an object/],
    ['a version of 0', { version: 0 }, /root\.version has to be/],
    ['an expiry that is a number', { expires: 5 }, /root\.expires has to be/],
    [
      'fractions of a second',
      { expires: '2030-01-01T00:00:00.5Z' },
      /root\.expires has to read .*"2030-01-01T00:00:00Z"/,
    ],
  ]
  for (const [name, changes, says] of roots) {
    it(`POST /metadata: ${name}`, () =>
      isRefused('POST /metadata', { name, body: rootOf(changes), ends: 422, says, at: ['body', 'metadata', 'root'] }))
  }

  const signatures: readonly (readonly [name: string, body: object, says: RegExp])[] = [
    ['a signature that is not hex', { keyid: 'ab', sig: 'xyz' }, /signature in hex digits/],
    ['half a byte', { keyid: 'ab', sig: 'abc' }, /signature in hex digits/],
    ['an empty signature', { keyid: 'ab', sig: '' }, /signature in hex digits/],
    ['no keyid', { sig: 'ab' }, /Is missing/],
  ]
  for (const [name, signature, says] of signatures) {
    it(`POST /metadata/sign: ${name}`, () =>
      isRefused('POST /metadata/sign', { name, body: { role: 'root', signature }, ends: 422, says }))
  }

  it('POST /metadata/sign: a signature for what does not wait', () => {
    const body = { role: 'root', signature: { keyid: alice.keyid, sig: 'ab' } }
    return isRefused('POST /metadata/sign', { name: '', body, ends: 'ERRORED', says: /No metadata of role root waits/ })
  })

  it('POST /delegations/{role}/metadata: a role delegated to itself', async () => {
    const { online } = repository
    const self = { name: 'project', keyids: [alice.keyid], threshold: 1, terminating: false, paths: ['project/*'] }
    const targets = {
      ...{ _type: 'targets' as const, spec_version: '1.0.31', version: 2, expires: '2030-01-01T00:00:00Z' },
      targets: new Map(),
      delegations: { keys: new Map([[alice.keyid, alice.key]]), roles: [self] },
    }
    const body = { metadata: parseJson(signRole(targets, online).bytes) as Json }
    const says = /This metadata of role project delegates to others.*Upload roles that hold their targets themselves/
    await isRefused('POST /delegations/project/metadata', { name: '', body, ends: 'ERRORED', says })
    const topLevel = { ...targets, delegations: { ...targets.delegations, roles: [{ ...self, name: 'targets' }] } }
    const named = { metadata: parseJson(signRole(topLevel, online).bytes) as Json }
    const why = /name is "targets"; clients delegate to no such role/
    await isRefused('POST /delegations/project/metadata', { name: '', body: named, ends: 422, says: why })
  })

  it('PUT /delegations: a change that leaves artifacts to nobody, unless it is asked for, and then lists them', async () => {
    // Hash bins take what nobody else does, so here a repository without.
    const roles = [{ name: 'project' as never, terminating: false, keyids: [], threshold: 1, paths: ['a/*', 'b/*'] }]
    const alone = await bootstrapped({ delegations: { keys: {}, roles } })
    const narrow = { delegations: { keys: {}, roles: [{ name: 'project', paths: ['a/*'] }] } }
    const other = apiOver(alone)
    const artifacts = ['a/1', 'b/1', 'b/2'].map((path) => artifact(path))
    assert.equal((await decided(other, 'POST /artifacts', { artifacts })).state, 'SUCCESS')
    const before = await alone.ports.metadata.list('')
    const refused = await decided(other, 'PUT /delegations', narrow)
    assert.equal(refused.state, 'ERRORED')
    assert.match(
      refused.error ?? '',
      /would not find 2 artifacts any more.*: b\/1 \(in project\), b\/2 \(in project\)\./,
    )
    assert.match(
      refused.error ?? '',
      /Remove them first, choose other paths, or ask for their removal with the request/,
    )
    assert.deepEqual(refused.details['lost_artifacts'], ['b/1', 'b/2'])
    assert.deepEqual(await alone.ports.metadata.list(''), before)
    const asked = await decided(other, 'PUT /delegations', { ...narrow, remove_artifacts: true })
    assert.deepEqual([asked.state, asked.details['removed_artifacts']], ['SUCCESS', ['b/1', 'b/2']])
    assert.equal((await other.call('GET /artifacts?path=b/1')).status, 404)
    assert.equal((await other.call('GET /artifacts?path=a/1')).status, 200)
  })

  async function isRefused(request: string, { body, ends, says, at }: Case): Promise<void> {
    if (ends === 'ERRORED') {
      const { state, error = '' } = await decided(api, request, body)
      assert.equal(state, 'ERRORED')
      assert.match(error, says)
      return
    }
    const { status, body: answer } = await api.call(request, { body })
    assert.equal(status, ends, JSON.stringify(answer))
    const issue = answer.detail.find(({ msg }) => says.test(String(msg)))
    assert.ok(issue, JSON.stringify(answer.detail))
    if (at !== undefined) assert.deepEqual(issue['loc'], at)
  }
})
