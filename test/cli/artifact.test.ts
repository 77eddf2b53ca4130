import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe('tuffet artifact', () => {
  let directory: string
  let served: Served
  const artifact = (...args: string[]) =>
    tuffet(['artifact', ...args], '', { cwd: directory, env: { TUFFET_API: served.url.href } })

  async function added(...args: string[]) {
    const { code, stdout, stderr } = await artifact('add', ...args, '--json')
    assert.equal(code, 0, stderr)
    const { artifacts, task } = JSON.parse(stdout)
    assert.equal(task.state, 'SUCCESS')
    return artifacts as { path: string; info: { length: number; hashes: object; custom?: object } }[]
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet artifact '))
    served = await serveProcess(['--data', join(directory, 'data'), '--port', '0', '--trial'])
    await mkdir(join(directory, 'dist/deep/er'), { recursive: true })
    await writeFile(join(directory, 'dist/a.txt'), 'a')
    await writeFile(join(directory, 'dist/deep/b.bin'), 'bb')
    await writeFile(join(directory, 'dist/deep/er/.c'), '')
    await symlink('../a.txt', join(directory, 'dist/deep/link.txt'))
    await symlink('..', join(directory, 'dist/deep/up'))
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  it('adds a file under the path as given, and shows what clients are told of it', async () => {
    await added('dist/a.txt')
    const { code, stdout } = await artifact('show', 'dist/a.txt', '--json')
    assert.equal(code, 0)
    const { path, info, role } = JSON.parse(stdout)
    assert.deepEqual([path, info], ['dist/a.txt', { length: 1, hashes: { sha256: sha256('a') } }])
    assert.match(role, /^bins-/)
  })

  it('adds all files below a directory, and goes round in no circle', async () => {
    const artifacts = await added('dist', '--base', 'dist')
    assert.deepEqual(
      artifacts.map(({ path, info }) => [path, info.length]),
      [
        ['a.txt', 1],
        ['deep/b.bin', 2],
        ['deep/er/.c', 0],
        ['deep/link.txt', 1],
      ],
    )
  })

  it('names a link that leads nowhere', async () => {
    await mkdir(join(directory, 'linked'))
    await symlink('gone', join(directory, 'linked/dangling'))
    const { code, stderr } = await artifact('add', 'linked')
    assert.equal(code, 2)
    assert.match(stderr, /^error: The link linked\/dangling cannot be read: ENOENT/)
  })

  it('takes no pipe, which may have no end', async () => {
    execFileSync('mkfifo', [join(directory, 'pipe')])
    const { code, stderr } = await artifact('add', 'pipe')
    assert.equal(code, 2)
    assert.match(stderr, /^error: pipe is neither a file nor a directory/)
  })

  it('renames, and tells clients what they are to be told', async () => {
    const [artifact] = await added('dist/a.txt', '--as', 'releases/1.0/app', '--custom', '{"channel":"beta"}')
    assert.deepEqual([artifact?.path, artifact?.info.custom], ['releases/1.0/app', { channel: 'beta' }])
  })

  it('takes length and hash of a file that is elsewhere', async () => {
    const [artifact] = await added('far/away.iso', '--length', '700000000', '--sha256', sha256('far away'))
    assert.equal(artifact?.info.length, 700_000_000)
  })

  it('says in words what it did', async () => {
    const { stdout } = await artifact('add', 'dist/a.txt', '--as', 'words')
    assert.match(
      stdout,
      /^ {2}words {2}1 byte {2}sha256 ca978112ca1b…\nAdded 1 artifact; clients can see it \(task [0-9a-f]{32}\)\.\n$/,
    )
    const quiet = await artifact('add', 'dist/a.txt', '--as', 'words', '--quiet')
    assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, '', ''])
  })

  it('removes, and says what was not there', async () => {
    await added('dist/a.txt', '--as', 'gone')
    const removed = await artifact('remove', 'gone', 'never-there')
    assert.equal(removed.code, 0)
    assert.match(removed.stderr, /warning: never-there was not there/)
    assert.match(removed.stdout, /Removed 1 artifact; clients find it no more/)
    const again = await artifact('remove', 'gone')
    assert.deepEqual([again.code, again.stdout], [0, 'Nothing was removed.\n'])
    const shown = await artifact('show', 'gone')
    assert.equal(shown.code, 1)
    assert.match(shown.stderr, /No role vouches for gone\..*tuffet log --changes/)
  })

  it('counts a path that is given twice once', async () => {
    const { stdout } = await artifact('add', 'dist/a.txt', './dist/a.txt', 'dist/a.txt')
    assert.match(stdout, /^[^\n]*\nAdded 1 artifact;/)
    assert.equal((await added('far', 'far', '--length', '1', '--sha256', sha256('far'))).length, 1)
  })

  it('shows what is there beside what is not', async () => {
    await added('dist/a.txt')
    const shown = await artifact('show', 'dist/a.txt', 'nope')
    assert.equal(shown.code, 1)
    assert.match(shown.stdout, /^path +dist\/a\.txt\n/)
    assert.match(shown.stderr, /^error: .*No role vouches for nope/)
    const json = await artifact('show', 'nope', 'dist/a.txt', '--json')
    assert.equal(json.code, 1)
    const [found, missing] = JSON.parse(json.stdout)
    assert.deepEqual([found.path, missing.path, missing.error.code], ['dist/a.txt', 'nope', 'refused'])
    const none = await artifact('show', 'nope', 'neither')
    assert.equal(none.code, 1)
    assert.match(none.stderr, /vouches for nope[\s\S]*vouches for neither/)
  })

  it('parks what is not to be published yet', async () => {
    const { stdout } = await artifact('add', 'dist/a.txt', '--as', 'parked', '--no-publish')
    assert.match(stdout, /Parked: 1 artifact .*tuffet artifact parked; to publish: tuffet artifact publish/)
    assert.equal((await artifact('show', 'parked')).code, 1)
    const removed = await artifact('remove', 'parked', '--no-publish', '--json')
    assert.equal(JSON.parse(removed.stdout).parked, true)
  })

  it('lists what is parked, and publishes it', async () => {
    await artifact('publish')
    assert.equal((await artifact('parked')).stdout, 'Nothing is parked.\n')
    await added('dist/a.txt', '--as', 'out')
    const parked = await artifact('add', 'dist/a.txt', '--as', 'in', '--no-publish', '--json')
    assert.equal(JSON.parse(parked.stdout).parked, true)
    await artifact('remove', 'out', '--no-publish')
    const { artifacts, total } = JSON.parse((await artifact('parked', '--json')).stdout)
    assert.deepEqual([total, artifacts[0].path, artifacts[1].path], [2, 'in', 'out'])
    const listed = await artifact('parked')
    assert.match(
      listed.stdout,
      /^\+ {2}in {3}1 byte {2}sha256 ca978112ca1b… .*\n- {2}out .*\nClients do not see 2 changes yet\. To publish: tuffet artifact publish\n$/,
    )
    const published = await artifact('publish')
    assert.equal(published.code, 0, published.stderr)
    assert.match(published.stdout, /^Published 2 changes; clients can see them \(task [0-9a-f]{32}\)\.\n$/)
    assert.deepEqual([(await artifact('show', 'in')).code, (await artifact('show', 'out')).code], [0, 1])
    assert.equal((await artifact('publish')).stdout, 'Nothing was parked.\n')
    assert.equal(JSON.parse((await artifact('publish', '--json')).stdout).task.state, 'SUCCESS')
  })

  const refused: readonly (readonly [number, RegExp, ...string[]])[] = [
    [2, /nosuch cannot be read: ENOENT/, 'add', 'nosuch'],
    [2, /is not below dist\/deep.*--base/, 'add', 'dist/a.txt', '--base', 'dist/deep'],
    [2, /is not below the current directory.*--base/, 'add', '/etc/hostname'],
    [2, /"#" at position 1/, 'add', 'dist/a.txt', '--as', 'a#b'],
    [2, /--as renames one file, and dist holds 4/, 'add', 'dist', '--as', 'x'],
    [2, /--length and --sha256 belong together/, 'add', 'x', '--length', '1'],
    [2, /--sha256 .* has to be 64 hex digits/, 'add', 'x', '--length', '1', '--sha256', 'abc'],
    [2, /--custom has to be a JSON object/, 'add', 'dist/a.txt', '--custom', '[1]'],
    [2, /--custom: .*not JSON/, 'add', 'dist/a.txt', '--custom', '{'],
    [2, /Target path "\.\.\/x"/, 'remove', '../x'],
    [2, /Target path "\.\.\/x"/, 'show', 'a', '../x'],
  ]
  for (const [code, message, ...args] of refused) {
    it(`refuses: tuffet artifact ${args.join(' ')}`, async () => {
      const ran = await artifact(...args)
      assert.equal(ran.code, code, ran.stderr)
      assert.match(ran.stderr, message)
      assert.equal(ran.stdout, '')
    })
  }
})
