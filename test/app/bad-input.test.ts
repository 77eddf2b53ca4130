import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { apiOver, artifact, bootstrapBody, sha256Hex, type TestApi } from '../support/api.ts'
import { bootstrapped, type TestRepository, testRepository } from '../support/repository.ts'

/** A request, what of its answer names the fault, and where it is said to be. */
interface Case {
  readonly name: string
  readonly body: unknown
  readonly status?: number
  readonly says: string
  readonly at?: readonly (string | number)[]
}

const artifacts = (...sent: unknown[]) => ({ artifacts: sent })
const withInfo = (info: object) => artifacts({ path: 'a', info: { length: 1, hashes: { sha256: sha256Hex }, ...info } })

const refusedPaths: readonly (readonly [path: string, says: string])[] = [
  ['', 'it is empty'],
  ['/a', 'begins with "/"'],
  ['a/', 'ends with "/"'],
  ['a//b', 'empty segment'],
  ['../a', 'segment ".."'],
  ['a/../b', 'segment ".."'],
  ['./a', 'segment "."'],
  ['a b', 'character " " at position 1'],
  ['a\\b', 'at position 1'],
  ['a#b', '"#"'],
  ['a?b', '"?"'],
  ['a%2fb', '"%"'],
  ['a:b', '":"'],
  ['a\u0000b', 'U+0000'],
  ['a\nb', 'U+000A'],
  ['ä', 'not ASCII'],
  ['a/😀', 'U+1F600'],
  ['x'.repeat(2000), '2000 characters'],
]

const badLengths = [-1, 1.5, '1e3', '-1', '1.5', '', ' 1', '0x10', 2 ** 53, '9007199254740993', null, true, [], {}, 'x']

const lengthCases = badLengths.map(
  (length): Case => ({
    name: `the length ${JSON.stringify(length)}`,
    body: withInfo({ length }),
    says: 'whole number from 0',
    at: ['body', 'artifacts', 0, 'info', 'length'],
  }),
)

const pathCases = refusedPaths.map(
  ([path, says]): Case => ({
    name: `the path ${JSON.stringify(path.slice(0, 20))}`,
    body: artifacts(artifact('good'), artifact(path)),
    says,
    at: ['body', 'artifacts', 1, 'path'],
  }),
)

const hashesAt = ['body', 'artifacts', 0, 'info', 'hashes']
const hashCases: readonly Case[] = [
  { name: 'no hash', body: withInfo({ hashes: {} }), says: 'Holds no hash', at: hashesAt },
  { name: 'hashes missing', body: withInfo({ hashes: null }), says: 'an object', at: hashesAt },
  { name: 'a short sha256', body: withInfo({ hashes: { sha256: 'abcd' } }), says: '64 hex digits; this has 4' },
  { name: 'a sha256 that is not hex', body: withInfo({ hashes: { sha256: 'x'.repeat(64) } }), says: 'hex digits' },
  { name: 'a sha512 as long as a sha256', body: withInfo({ hashes: { sha512: sha256Hex } }), says: '128 hex digits' },
  {
    name: 'md5',
    body: withInfo({ hashes: { md5: 'ab'.repeat(16) } }),
    says: '"md5" is not one',
    at: [...hashesAt, 'md5'],
  },
  { name: 'SHA256', body: withInfo({ hashes: { SHA256: sha256Hex } }), says: '"SHA256" is not one' },
  { name: 'a digest that is a number', body: withInfo({ hashes: { sha256: 5 } }), says: 'a string' },
  {
    name: '__proto__ as an algorithm',
    body: `{"artifacts":[{"path":"a","info":{"length":1,"hashes":{"sha256":"${sha256Hex}","__proto__":"ab"}}}]}`,
    says: '__proto__',
  },
  {
    name: 'constructor as an algorithm',
    body: withInfo({ hashes: { constructor: sha256Hex } }),
    says: '"constructor"',
  },
]

const shapeCases: readonly Case[] = [
  { name: 'no body', body: undefined, says: 'Is missing', at: ['body'] },
  { name: 'an array', body: [], says: 'an object', at: ['body'] },
  { name: 'null', body: 'null', says: 'an object', at: ['body'] },
  { name: 'no artifacts', body: {}, says: 'Is missing. Send an array.', at: ['body', 'artifacts'] },
  { name: 'no path', body: artifacts({ info: {} }), says: 'Is missing', at: ['body', 'artifacts', 0, 'path'] },
  { name: 'no info', body: artifacts({ path: 'a' }), says: 'Is missing', at: ['body', 'artifacts', 0, 'info'] },
  { name: 'a path that is a number', body: artifacts({ ...artifact('a'), path: 5 }), says: 'a string' },
  {
    name: 'publish_artifacts as a string',
    body: { artifacts: [], publish_artifacts: 'no' },
    says: 'true or false',
    at: ['body', 'publish_artifacts'],
  },
  { name: 'a fraction in custom', body: withInfo({ custom: { a: 0.5 } }), says: 'whole numbers' },
  { name: 'custom as an array', body: withInfo({ custom: [] }), says: 'Has to be an object' },
  { name: 'half a surrogate pair', body: withInfo({ custom: { a: '\ud800' } }), says: 'surrogate' },
  { name: 'text that tough composes', body: withInfo({ custom: { a: ['e\u0301'] } }), says: 'Send it in NFC' },
  { name: 'a name that tough composes', body: withInfo({ custom: { a: { 'e\u0301': 1 } } }), says: 'Send it in NFC' },
  {
    name: 'names that JavaScript sorts otherwise',
    body: withInfo({ custom: { a: [{ '\u{1f600}': 1, '\uffee': 2 }] } }),
    says: 'sort the other way round',
  },
  {
    name: 'one path with two contents',
    body: artifacts(artifact('a'), artifact('b'), artifact('a', { length: 2 })),
    says: 'The same path as artifact 0',
    at: ['body', 'artifacts', 2, 'path'],
  },
]

const textCases: readonly Case[] = [
  { name: 'no JSON', body: '{"artifacts": [}', says: 'This is not JSON', at: ['body'] },
  { name: 'a key twice', body: '{"artifacts": [], "artifacts": []}', says: 'key twice in one object ("artifacts"' },
  { name: 'a depth of 10,000', body: '['.repeat(10_000) + ']'.repeat(10_000), says: 'nested more than' },
  { name: 'a depth of 40', body: `{"artifacts":${'['.repeat(40)}${']'.repeat(40)}}`, says: 'nested more than 32' },
  { name: 'invalid UTF-8', body: Buffer.from('{"artifacts": ["\xff"]}', 'latin1'), says: 'not valid UTF-8' },
  { name: 'a byte-order mark', body: '\ufeff{"artifacts": []}', says: 'not JSON' },
  { name: 'over 5 MiB', body: ' '.repeat(5 * 1024 * 1024 + 1), status: 413, says: '5 MiB' },
]

describe('POST /artifacts refuses', () => {
  let repository: TestRepository
  let api: TestApi
  before(async () => {
    repository = await bootstrapped()
    api = apiOver(repository)
  })
  for (const bad of [...pathCases, ...lengthCases, ...hashCases, ...shapeCases, ...textCases]) {
    it(bad.name, () => isRefused(api, 'POST /artifacts', bad))
  }
  after(() => nothingChanged(repository))

  it('with no more faults than a person reads, and no long input repeated', async () => {
    const many = Array.from({ length: 1000 }, () => artifact('ä'.repeat(1000)))
    const { body } = await api.call('POST /artifacts', { body: { artifacts: many } })
    assert.equal(body.detail.length, 50)
    for (const { input } of body.detail) assert.ok(String(input).length <= 210)
  })
})

describe('a body with very many faults', () => {
  const repeated = (value: string) => {
    const values = Array.from({ length: Math.floor(2_000_000 / (value.length + 1)) }, () => value)
    return `{"artifacts":[${values.join()}]}`
  }
  const digests = Array.from({ length: 200_000 }, (_, number) => `"${number}":1`).join()
  const cases = [
    ['POST /artifacts', 'values that are no artifacts', repeated('1')],
    ['POST /artifacts', 'artifacts of nothing', repeated('{}')],
    ['POST /artifacts', 'digests', `{"artifacts":[{"path":"a","info":{"length":1,"hashes":{${digests}}}}]}`],
    ['POST /artifacts/delete', 'empty paths', repeated('""')],
  ] as const
  for (const [request, name, body] of cases) {
    it(`is refused without a look at all of them: ${name}`, async () => {
      const repository = await bootstrapped()
      const answered = await apiOver(repository).call(request, { body })
      assert.equal(answered.status, 422)
      assert.equal(answered.body.detail.length, 1)
      const [{ loc } = { loc: [] }] = answered.body.detail
      assert.deepEqual((loc as unknown[]).slice(0, 3), ['body', 'artifacts', 0])
      await nothingChanged(repository)
    })
  }
})

describe('POST /artifacts/delete refuses', () => {
  it('paths that could never be', async () => {
    const repository = await bootstrapped()
    const bad = { name: '', body: { artifacts: ['a', '../b'] }, says: '".."', at: ['body', 'artifacts', 1] }
    await isRefused(apiOver(repository), 'POST /artifacts/delete', bad)
    await nothingChanged(repository)
  })
})

describe('PUT /config refuses', () => {
  const expiration = (roles: unknown) => ({ settings: { expiration: roles } })
  const cases: readonly Case[] = [
    { name: 'no settings', body: {}, says: 'Is missing', at: ['body', 'settings'] },
    {
      name: 'no days',
      body: expiration({ bins: 0 }),
      says: 'from 1 to',
      at: ['body', 'settings', 'expiration', 'bins'],
    },
    { name: 'a thousand years', body: expiration({ bins: 365_000 }), says: 'to 3650' },
    { name: '__proto__ as a role', body: '{"settings":{"expiration":{"__proto__":5}}}', says: '__proto__' },
    { name: 'constructor as a role', body: expiration({ constructor: 5 }), says: 'JavaScript clients' },
    { name: 'toString as a role', body: expiration({ toString: 5 }), says: 'JavaScript clients' },
    { name: 'a role with a slash', body: expiration({ '../x': 5 }), says: 'begin with a letter' },
  ]
  for (const bad of cases) {
    it(bad.name, async () => {
      const repository = await bootstrapped()
      await isRefused(apiOver(repository), 'PUT /config', bad)
      await nothingChanged(repository)
    })
  }
})

describe('POST /bootstrap refuses', () => {
  const repository = testRepository()
  const { settings, metadata } = bootstrapBody(repository)
  const { bins, ...topLevel } = settings.roles
  const withRoles = (roles: object) => ({ settings: { roles: { ...topLevel, ...roles } }, metadata })
  const withRole = (role: object, keys: object = {}) =>
    withRoles({ delegations: { keys, roles: [{ name: 'a', paths: ['a/*'], ...role }] } })
  const roleAt = (...rest: (string | number)[]) => ['body', 'settings', 'roles', 'delegations', 'roles', 0, ...rest]
  const [held] = repository.online
  const cases: readonly Case[] = [
    {
      name: 'no root',
      body: { settings, metadata: {} },
      says: 'Has to be an object',
      at: ['body', 'metadata', 'root'],
    },
    { name: 'neither bins nor delegations', body: withRoles({}), says: 'either "bins" or "delegations"' },
    {
      name: 'bins and delegations',
      body: withRoles({ bins, delegations: { keys: {}, roles: [{ name: 'a', paths: ['*'] }] } }),
      says: 'not both',
    },
    {
      name: 'three bins',
      body: withRoles({ bins: { ...bins, number_of_delegated_bins: 3 } }),
      says: 'power of two',
      at: ['body', 'settings', 'roles', 'bins', 'number_of_delegated_bins'],
    },
    { name: 'one bin', body: withRoles({ bins: { ...bins, number_of_delegated_bins: 1 } }), says: 'from 2 to 16384' },
    {
      name: 'too many bins',
      body: withRoles({ bins: { ...bins, number_of_delegated_bins: 32_768 } }),
      says: 'from 2 to 16384',
    },
    { name: 'a new way to delegate', body: withRoles({ bins: { ...bins, delegation: 'x' } }), says: 'succinct_roles' },
    { name: 'no expiration', body: withRoles({ bins, root: {} }), says: 'Is missing' },
    { name: 'a role name ../x', body: withRole({ name: '../x' }), says: 'begin with a letter', at: roleAt('name') },
    { name: 'a role name __proto__', body: withRole({ name: '__proto__' }), says: 'begin with a letter' },
    { name: 'a role name constructor', body: withRole({ name: 'constructor' }), says: 'JavaScript clients' },
    { name: 'a role name toString', body: withRole({ name: 'toString' }), says: 'JavaScript clients' },
    { name: 'a role name of digits', body: withRole({ name: '123' }), says: 'begin with a letter' },
    { name: 'a role called root', body: withRole({ name: 'root' }), says: 'top-level role' },
    {
      name: 'a role without paths',
      body: withRole({ paths: [] }),
      says: 'Is empty. Send at least one.',
      at: roleAt('paths'),
    },
    { name: 'a path pattern that nothing matches', body: withRole({ paths: ['a/../*'] }), says: 'segment ".."' },
    {
      name: 'a key under another keyid',
      body: withRole({ keyids: ['00'] }, { '00': held?.key }),
      says: `The keyid of this key is ${held?.keyid}`,
    },
    {
      name: 'a key that clients cannot read',
      body: withRole({}, { '00': { keytype: 'x', scheme: 'y', keyval: { public: 'z' } } }),
      says: 'not one that clients read',
    },
  ]
  for (const bad of cases) it(bad.name, () => isRefused(apiOver(repository), 'POST /bootstrap', bad))

  after(async () => {
    assert.deepEqual(await repository.ports.state.list(''), [])
    assert.deepEqual(await repository.ports.metadata.list(''), [])
  })
})

async function isRefused(api: TestApi, request: string, { body, status = 422, says, at }: Case): Promise<void> {
  const answered = await api.call(request, { body })
  assert.equal(answered.status, status, JSON.stringify(answered.body))
  if (status !== 422) {
    assert.ok(String(answered.body.detail['error']).includes(says), JSON.stringify(answered.body))
    return
  }
  const said = JSON.stringify(answered.body.detail)
  const issue = answered.body.detail.find(({ msg }) => String(msg).includes(says))
  assert.ok(issue, `"${says}" is not in: ${said}`)
  if (at !== undefined) assert.deepEqual(issue['loc'], at, said)
}

async function nothingChanged(repository: TestRepository): Promise<void> {
  assert.deepEqual(await repository.ports.state.list('inbox/'), [])
  assert.deepEqual(await repository.ports.state.list('commits/'), ['commits/000000000001.json'])
}
