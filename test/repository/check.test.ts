import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRepository } from '../../shared/repository/check/check.ts'
import type { Problem } from '../../shared/repository/check/report.ts'
import { unusedFiles } from '../../shared/repository/check/unused-files.ts'
import { clientsOf, clientVerdicts } from '../../shared/repository/clients.ts'
import { canonicalBytes } from '../../shared/tuf/canonical.ts'
import type { Hashes, Targets } from '../../shared/tuf/metadata.ts'
import { targetPath } from '../../shared/tuf/names.ts'
import { decodeSigned } from '../../shared/tuf/signed.ts'
import { succeeds } from '../support/delegations.ts'
import { makeKey, signRole, type TestKey } from '../support/keys.ts'
import { begin, finish } from '../support/long-work.ts'
import { oldRepository, rootAfter } from '../support/predecessor.ts'
import { addRequest, bootstrapped, run, type TestRepository } from '../support/repository.ts'

type Files = Map<string, Uint8Array>

const day = 24 * 60 * 60 * 1000

async function publishedFiles(repository: TestRepository): Promise<Files> {
  const files: Files = new Map()
  for (const name of await repository.ports.metadata.list('')) {
    const stored = await repository.ports.metadata.read(name)
    if (stored !== undefined) files.set(name, stored.bytes)
  }
  return files
}

function check(files: Files, now: Date) {
  return checkRepository({ read: async (file) => files.get(file), now })
}

describe('check', async () => {
  const repository = await bootstrapped()
  await run(repository, addRequest(['a', 'b', 'c', 'd']))
  const now = repository.ports.clock.now()
  const published = await publishedFiles(repository)
  const names = [...published.keys()]
  const bin = names.find((name) => name.startsWith('2.bins-')) ?? ''
  const [online = makeKey()] = repository.online

  it('finds nothing wrong with what is published, and counts it', async () => {
    const report = await check(published, now)
    assert.deepEqual(report.findings, [])
    assert.equal(report.targets, 4)
    assert.equal(report.roles.length, 8)
    assert.equal(report.roles[0]?.role, 'timestamp')
    assert.deepEqual([...report.traits.delegations], ['succinct_roles'])
  })

  it('says how much it has read, and of how much', async () => {
    const said: [number, number][] = []
    const read = async (file: string) => published.get(file)
    const report = await checkRepository({ read, now, progress: (done, total) => said.push([done, total]) })
    assert.deepEqual(said.at(-1), [report.files.size, report.files.size])
    assert.ok(said.every(([done, total]) => done <= total))
  })

  const damages: readonly [string, string, Problem, (files: Files) => void][] = [
    ['no first root', '1.root.json', 'missing', (files) => files.delete('1.root.json')],
    ['no timestamp', 'timestamp.json', 'missing', (files) => files.delete('timestamp.json')],
    ['no snapshot', '2.snapshot.json', 'missing', (files) => files.delete('2.snapshot.json')],
    ['a bin that is gone', bin, 'missing', (files) => files.delete(bin)],
    ['a file that is cut short', bin, 'unreadable', (files) => cut(files, bin)],
    ['a root of somebody else after ours', '2.root.json', 'untrusted', (files) => addForeignRoot(files)],
    ['a root that is missing before another', '2.root.json', 'missing', (files) => leaveRootOut(files)],
    ['a role signed by another key', bin, 'untrusted', (files) => resign(files, bin, makeKey())],
    ['an older version in the place of a newer', bin, 'version', (files) => copy(files, `1.${bin.slice(2)}`, bin)],
    [
      'a snapshot other than its hash',
      '2.snapshot.json',
      'changed',
      (files) => resign(files, '2.snapshot.json', online),
    ],
    [
      'a target in a role that is not trusted with it',
      bin,
      'unreachable-target',
      (files) => addStranger(files, bin, online),
    ],
    [
      'more bins than there can be',
      '1.targets.json',
      'unreadable',
      (files) => delegateStrangely(files, '1.targets.json', online, { bit_length: 15 }),
    ],
    [
      'bins of a name that no role can have, in a role below targets',
      bin,
      'unreadable',
      (files) => delegateStrangely(files, bin, online, { name_prefix: '1' }),
    ],
  ]
  for (const [what, file, problem, damage] of damages) {
    it(`finds ${what}`, async () => {
      const files = new Map(published)
      damage(files)
      const { findings } = await check(files, now)
      assert.ok(
        findings.some((finding) => finding.file === file && finding.problem === problem),
        JSON.stringify(findings),
      )
    })
  }

  it('finds the newest root unfit for clients, and looks no further; an earlier one is behind them', async () => {
    const holders = [makeKey(), makeKey()]
    const old = oldRepository({ odd: true })
    const files = new Map(old.files)
    assert.deepEqual(
      (await check(files, now)).findings.map(({ file, problem }) => [file, problem]),
      [['3.root.json', 'untrusted']],
    )
    const next = rootAfter(old, [old.online], { root: holders })
    files.set('4.root.json', signRole(next, [...old.holders, ...holders]).bytes)
    const { findings, traits } = await check(files, now)
    assert.equal(traits.rootVersions, 4)
    assert.deepEqual(
      findings.map(({ file, problem }) => [file, problem]),
      [
        ['timestamp.json', 'unreadable'],
        ['41.snapshot.json', 'missing'],
      ],
    )
    assert.match(findings[0]?.message ?? '', /timestamp\.expires .*some clients refuse fractions of a second/)
  })

  it('finds what has expired, and only that', async () => {
    const { findings } = await check(published, new Date(now.getTime() + 2 * day))
    assert.deepEqual(
      findings.map(({ file, problem }) => [file, problem]),
      [['timestamp.json', 'expired']],
    )
  })

  it('tells files that were superseded from files that are nobody’s', async () => {
    const report = await check(published, now)
    const unused = unusedFiles(report, [...names, '7.root.json', 'notes.txt'])
    assert.deepEqual(unused.strange, ['7.root.json', 'notes.txt'])
    assert.equal(unused.superseded, names.filter((name) => !report.files.has(name)).length)
    assert.ok(unused.superseded > 0)
  })

  it('counts what is left of retired bins as superseded', async () => {
    const changed = await bootstrapped()
    await finish(changed, await begin(changed, { kind: 'change_bins', number: 32 }))
    const files = await publishedFiles(changed)
    assert.ok(files.has('1.bins-0.json'))
    const report = await check(files, now)
    assert.deepEqual(report.findings, [])
    const unused = unusedFiles(report, [...files.keys(), '1.foreign.json'])
    assert.deepEqual(unused, { superseded: files.size - report.files.size, strange: ['1.foreign.json'] })
  })

  it('says which clients can read it, and why others cannot', async () => {
    const { traits } = await check(published, now)
    const verdicts = new Map(clientVerdicts(traits).map((verdict) => [verdict.name, verdict]))
    assert.equal(verdicts.get('python-tuf 7')?.reads, true)
    assert.equal(verdicts.get('go-tuf 2.4')?.reads, true)
    assert.deepEqual(verdicts.get('tough 0.24')?.why, ['does not follow succinct_roles'])
    const huge = { ...traits, sizes: { ...traits.sizes, targets: { bytes: 6_000_000, stated: false } } }
    assert.match(
      clientVerdicts(huge)
        .find(({ name }) => name === 'tuf-js 6')
        ?.why.join() ?? '',
      /targets up to 5000000/,
    )
    const stated = { ...traits, sizes: { ...traits.sizes, snapshot: { bytes: 6_000_000, stated: true } } }
    assert.equal(clientVerdicts(stated).find(({ name }) => name === 'tuf-js 6')?.reads, true)
  })

  it('says of hashes who needs others, and who does not find the targets', async () => {
    const delegations = { delegation: 'path_hash_prefixes', number: 2 } as const
    const unable = async (path: string, hashes: Hashes) => {
      const other = await bootstrapped({ delegations })
      await succeeds(other, { kind: 'update_settings', expiration: {}, clients: ['python-tuf'] })
      const info = { length: 1, hashes }
      await succeeds(other, { ...addRequest([]), artifacts: [{ path: targetPath(path), info }] })
      const { traits, findings } = await check(await publishedFiles(other), now)
      assert.deepEqual(findings, [])
      const common = ['go-tuf', 'php-tuf', 'rust-tuf', 'sigstore-java', 'tuf-browser']
      const others = clientVerdicts(traits).filter(({ id, reads }) => !reads && !common.includes(id))
      return Object.fromEntries(others.map(({ id, why }) => [id, why.join()]))
    }
    const [sha256, sha512, blake] = ['ab'.repeat(32), 'cd'.repeat(64), 'ef'.repeat(32)]
    const nothing = 'reads nothing unless each target has a SHA-256, which some do not have'
    const [alone, beside] = ['neither SHA-256 nor SHA-512', 'another hash beside SHA-256 or SHA-512'].map(
      (what) => `does not find targets with ${what}`,
    )
    assert.deepEqual(await unable('a', { sha256, sha512 }), {})
    assert.deepEqual(await unable('a', { sha512 }), { tough: nothing })
    assert.deepEqual(await unable('a', { sha256, 'blake2b-256': blake }), { 'tuf-js': beside, 'go-tuf-v0': beside })
    assert.deepEqual(await unable('a', { 'blake2b-256': blake }), {
      ...{ 'tuf-js': alone, 'go-tuf-v0': alone, tough: `${nothing},${alone}` },
    })
  })

  it('knows whom each way of delegating reaches', () => {
    assert.deepEqual(clientsOf('succinct_roles').lost, ['go-tuf 0.7', 'tough 0.24'])
    assert.deepEqual(clientsOf('path_hash_prefixes').lost, ['go-tuf 2.4'])
    assert.deepEqual(clientsOf('paths').lost, [])
  })
})

function cut(files: Files, name: string): void {
  files.set(name, (files.get(name) ?? new Uint8Array()).subarray(0, 100))
}

function copy(files: Files, from: string, to: string): void {
  const bytes = files.get(from)
  assert.ok(bytes, `there is no ${from}`)
  files.set(to, bytes)
}

/** The same content, but for a field that nobody knows, signed by this key in the name of the one that should have. */
function resign(files: Files, name: string, key: TestKey): void {
  const type = name.includes('snapshot') ? 'snapshot' : 'targets'
  const { signed, signatures } = decodeSigned(type, files.get(name) ?? new Uint8Array())
  const changed = { ...signed, note: 'changed' }
  const forged = signRole(changed, [{ ...key, keyid: signatures[0]?.keyid ?? '' }])
  assert.notDeepEqual(canonicalBytes(changed), canonicalBytes(signed))
  files.set(name, forged.bytes)
}

function addStranger(files: Files, name: string, key: TestKey): void {
  const { signed } = decodeSigned('targets', files.get(name) ?? new Uint8Array())
  const target = { length: 1, hashes: { sha256: 'ab'.repeat(32) } }
  const everywhere = Array.from({ length: 20 }, (_, number) => [`stranger-${number}`, target] as const)
  files.set(name, signRole({ ...signed, targets: new Map(everywhere) }, [key]).bytes)
}

/** The bins of targets in this role's delegations, but for something strange. */
function delegateStrangely(files: Files, name: string, key: TestKey, strange: object): void {
  const [targets, role] = ['1.targets.json', name].map(
    (file) => decodeSigned('targets', files.get(file) ?? new Uint8Array()).signed,
  )
  const delegations = {
    ...targets?.delegations,
    succinct_roles: { ...targets?.delegations?.succinct_roles, ...strange },
  }
  files.set(name, signRole({ ...role, delegations } as Targets, [key]).bytes)
}

function leaveRootOut(files: Files): void {
  const { signed } = decodeSigned('root', files.get('1.root.json') ?? new Uint8Array())
  files.set('3.root.json', signRole({ ...signed, version: 3 }, [makeKey()]).bytes)
}

function addForeignRoot(files: Files): void {
  const { signed } = decodeSigned('root', files.get('1.root.json') ?? new Uint8Array())
  files.set('2.root.json', signRole({ ...signed, version: 2 }, [makeKey(), makeKey()]).bytes)
}
