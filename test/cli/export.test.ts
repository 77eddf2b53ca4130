import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import type { DelegatedRole, TargetFile, Targets } from '../../shared/tuf/metadata.ts'
import { specVersion } from '../../shared/tuf/metadata.ts'
import { inAYear, makeKey, makeRoot, signRole } from '../support/keys.ts'
import { oldRepository } from '../support/predecessor.ts'
import { post, type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

const key = makeKey()
const common = { spec_version: specVersion, expires: formatExpires(inAYear()), version: 7 }

type Listed = Readonly<Record<string, TargetFile>>
/** What a role lists, and whom it delegates to. */
type Roles = Readonly<Record<string, { readonly lists: Listed; readonly delegates?: readonly Delegated[] }>>
type Delegated = Pick<DelegatedRole, 'name' | 'paths'> & { readonly terminating?: boolean }

const info = (content: string): TargetFile => ({ length: content.length, hashes: { sha256: hash('sha256', content) } })

/** A repository in which each of these roles is in the snapshot, whoever delegates to it. */
function repositoryOf(roles: Roles): Map<string, Uint8Array> {
  const files = Object.entries(roles).map(([name, { lists, delegates }]) => {
    const delegated = delegates?.map((role) => ({ keyids: [key.keyid], threshold: 1, terminating: false, ...role }))
    const delegations = delegated && { keys: new Map([[key.keyid, key.key]]), roles: delegated as DelegatedRole[] }
    const targets = new Map(Object.entries(lists))
    const metadata: Targets = { _type: 'targets', ...common, targets, ...(delegations && { delegations }) }
    return [`7.${name}.json`, signRole(metadata, [key]).bytes] as const
  })
  const meta = new Map(Object.keys(roles).map((name) => [`${name}.json`, { version: 7 }]))
  const ofSnapshot = new Map([['snapshot.json', { version: 7 }]])
  return new Map([
    ...files,
    ['1.root.json', signRole(makeRoot({ root: [key] }), [key]).bytes],
    ['7.snapshot.json', signRole({ _type: 'snapshot', ...common, meta }, [key]).bytes],
    ['timestamp.json', signRole({ _type: 'timestamp', ...common, meta: ofSnapshot }, [key]).bytes],
  ])
}

describe('tuffet export', () => {
  let directory: string
  let made = 0
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet export '))
  })
  after(() => rm(directory, { recursive: true }))

  async function exported(files: ReadonlyMap<string, Uint8Array>, ...options: readonly string[]) {
    const where = join(directory, `${++made}`)
    await mkdir(where)
    for (const [name, bytes] of files) await writeFile(join(where, name), bytes)
    const ran = await tuffet(['export', where, ...options])
    return { ...ran, lines: ran.stdout.split('\n').slice(0, -1) }
  }

  for (const odd of [false, true])
    it(`writes what clients find, ${odd ? 'without' : 'with'} consistent snapshots`, async () => {
      const { code, lines, stderr } = await exported(oldRepository({ odd }).files)
      assert.equal(code, 0, stderr)
      assert.deepEqual(
        lines.map((line) => JSON.parse(line)),
        [
          { path: 'old.txt', info: info('old') },
          { path: 'legacy/old.txt', info: info('old') },
        ],
      )
      assert.equal(stderr, 'Wrote 2 artifacts.\n')
    })

  it('leaves nothing out of what is said of an artifact, whatever its path', async () => {
    const more = {
      length: 1,
      hashes: { sha256: hash('sha256', 'x'), sha512: hash('sha512', 'x') },
      custom: { a: { ü: [1] } },
    }
    const paths = ['a;b', "it's", 'new\nline', 'quo"te', 'back\\slash', 'grün', '$(x) `y`', '__proto__']
    const lists = Object.fromEntries(paths.map((path) => [path, more]))
    const { code, lines, stderr } = await exported(repositoryOf({ targets: { lists } }))
    assert.equal(code, 0, stderr)
    const read = lines.map((line) => JSON.parse(line))
    assert.deepEqual(new Set(read.map(({ path }) => path)), new Set(paths))
    for (const one of read) assert.deepEqual(one.info, more)
  })

  it('asks the roles as a client does: by patterns, in order, each once', async () => {
    const targets = {
      lists: { 'both/a': info('targets') },
      delegates: [
        { name: 'both', paths: ['both/*'] },
        { name: 'end', paths: ['end/*'], terminating: true },
        { name: 'last', paths: ['both/*', 'end/*', 'last/*'] },
      ],
    }
    const { code, lines, stderr } = await exported(
      repositoryOf({
        targets,
        both: { lists: { 'both/a': info('both'), 'both/b': info('both'), 'last/a': info('a stranger') } },
        end: { lists: {}, delegates: [{ name: 'both', paths: ['end/*'] }] },
        last: { lists: { 'both/b': info('last'), 'end/a': info('last'), 'last/a': info('last') } },
        former: { lists: { 'both/c': info('former'), 'last/c': info('former') } },
      }),
    )
    assert.equal(code, 0, stderr)
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [
        { path: 'both/a', info: info('targets') },
        { path: 'both/b', info: info('both') },
        { path: 'last/a', info: info('last') },
      ],
    )
    assert.match(stderr, /1 target left out that no client finds.*"end\/a" \(last\)/)
  })

  const teams = repositoryOf({
    targets: {
      lists: { top: info('targets') },
      delegates: [
        { name: 'team', paths: ['team/*', 'team/*/*'] },
        { name: 'other', paths: ['team/*', 'other/*'] },
      ],
    },
    team: { lists: { 'team/a': info('team') }, delegates: [{ name: 'nightly', paths: ['team/nightly/*'] }] },
    nightly: { lists: { 'team/nightly/a': info('nightly') } },
    other: { lists: { 'other/a': info('other'), 'team/a': info('other'), 'strange/a': info('other') } },
  })
  const selections: readonly (readonly [string, readonly string[]])[] = [
    ['', ['top', 'team/a', 'other/a', 'team/nightly/a']],
    ['--role team', ['team/a', 'team/nightly/a']],
    ['--without-role team', ['top', 'other/a']],
    ['--role nightly --role other', ['other/a', 'team/nightly/a']],
    ['--role team --without-role nightly', ['team/a']],
    ['--without-role targets', []],
  ]
  for (const [options, paths] of selections)
    it(`writes what the roles that were named list, and those below them: ${options || 'all'}`, async () => {
      const { code, lines, stderr } = await exported(teams, ...options.split(' ').filter(Boolean))
      assert.equal(code, 0, stderr)
      assert.deepEqual(lines.map((line) => JSON.parse(line).path).toSorted(), paths.toSorted())
      assert.equal(
        stderr.includes('strange/a'),
        paths.includes('other/a'),
        'what is said to be left out is of these roles',
      )
    })

  it('writes nothing for a role that is not there, and says which are', async () => {
    for (const option of ['--role', '--without-role']) {
      const { code, stdout, stderr } = await exported(teams, option, 'teams')
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, /Nobody delegates to a role "teams" there\. Its roles: targets, team, other, nightly\n/)
    }
  })

  const damages: readonly (readonly [string, string, number, RegExp])[] = [
    ['a role that cannot be had', '30.legacy.json', 1, /has no 30\.legacy\.json, which its clients need/],
    ['no root', '1.root.json', 1, /has no 1\.root\.json/],
  ]
  for (const [what, file, code, message] of damages)
    it(`writes nothing with ${what}`, async () => {
      const files = new Map(oldRepository().files)
      files.delete(file)
      const ran = await exported(files)
      assert.deepEqual([ran.code, ran.stdout], [code, ''])
      assert.match(ran.stderr, message)
    })

  it('writes nothing of a repository in which somebody else has signed a role', async () => {
    const files = new Map(oldRepository().files)
    const targets = new Map([['legacy/new.txt', info('forged')]])
    const forged = { ...common, _type: 'targets', version: 30, targets } as const
    files.set('30.legacy.json', signRole(forged, [makeKey()]).bytes)
    const { code, stdout, stderr } = await exported(files)
    assert.deepEqual([code, stdout], [4, ''])
    assert.match(stderr, /30\.legacy\.json is not to be trusted: 30\.legacy\.json has 0 good signatures/)
  })

  it('writes nothing of a role that one of those who delegate to it does not let sign', async () => {
    const files = repositoryOf({
      targets: {
        lists: {},
        delegates: [
          { name: 'one', paths: ['*'] },
          { name: 'two', paths: ['*'] },
        ],
      },
      one: { lists: {}, delegates: [{ name: 'shared', paths: ['*'] }] },
      two: { lists: {} },
      shared: { lists: { a: info('a') } },
    })
    const other = makeKey()
    const role = { name: 'shared', paths: ['*'], keyids: [other.keyid], threshold: 1, terminating: false }
    const delegations = { keys: new Map([[other.keyid, other.key]]), roles: [role] }
    files.set('7.two.json', signRole({ _type: 'targets', ...common, targets: new Map(), delegations }, [key]).bytes)
    const { code, stdout, stderr } = await exported(files)
    assert.deepEqual([code, stdout], [4, ''])
    assert.match(stderr, /7\.shared\.json has 0 good signatures/)
  })

  it('is what import takes, from one service into another', async (test) => {
    const services: Served[] = []
    const start = async (name: string) => {
      const served = await serveProcess(['--data', join(directory, name), '--port', '0', '--trial'])
      services.push(served)
      return { served, env: { TUFFET_API: served.url.href } }
    }
    test.after(() => Promise.all(services.map((served) => served.stop())))
    const [one, other] = [await start('one'), await start('other')]
    const artifacts = ['a;b', 'c/d'].map((path) => ({ path, info: { ...info(path), custom: { by: [path] } } }))
    const added = await post(one.served, 'artifacts', { artifacts }, { prefer: 'wait=20' })
    assert.equal(added.body.data.state, 'SUCCESS')
    const { stdout, code } = await tuffet(['export'], '', { cwd: directory, env: one.env })
    assert.equal(code, 0)
    await writeFile(join(directory, 'artifacts.jsonl'), stdout)
    assert.equal((await tuffet(['import', 'artifacts.jsonl'], '', { cwd: directory, env: other.env })).code, 0)
    const again = await tuffet(['export', '--json'], '', { cwd: directory, env: other.env })
    assert.deepEqual(again.stdout, stdout)
    assert.deepEqual(stdout.split('\n').length, 3)
  })
})
