import assert from 'node:assert/strict'
import { chown, lstat, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

/** What whoever looks after a repository does, with a service that asks for tokens. */
describe('operating a repository', () => {
  let directory: string
  let served: Served
  const tokens: Record<string, string> = {}
  const path = (name: string) => join(directory, name)
  const run = (...args: string[]) =>
    tuffet(args, '', { cwd: directory, env: { TUFFET_API: served.url.href, TUFFET_TOKEN: tokens['administer'] ?? '' } })

  async function json(...args: string[]) {
    const { code, stdout, stderr } = await run(...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet operating '))
    for (const permission of ['administer', 'read'] as const) {
      const args = ['token', 'new', '--file', path('tokens.json'), '--permission', permission]
      const { code, stdout, stderr } = await tuffet(args)
      assert.equal(code, 0, stderr)
      assert.match(stderr, /the only time that the token is shown/)
      tokens[permission] = stdout.trim()
    }
    const flags = ['--data', path('data'), '--port', '0', '--trial', '--token-file', path('tokens.json')]
    served = await serveProcess(flags)
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  it('keeps tokens as hashes, in a file that its owner alone may read, each name once', async () => {
    const file = await readFile(path('tokens.json'), 'utf8')
    assert.ok(!file.includes(tokens['read'] ?? ''))
    assert.equal((await stat(path('tokens.json'))).mode & 0o777, 0o600)
    assert.deepEqual(
      JSON.parse(file).map(({ name }: { name: string }) => name),
      ['administer-1', 'read-2'],
    )
    const again = await tuffet(['token', 'new', '--file', path('tokens.json'), '--name', 'read-2'])
    assert.equal(again.code, 1)
    assert.match(again.stderr, /has a token for read-2 already/)
    await writeFile(path('broken.json'), '{}')
    assert.equal((await tuffet(['token', 'new', '--file', path('broken.json')])).code, 1)
  })

  it('loses no token where several are made at once', async () => {
    const add = () => tuffet(['token', 'new', '--file', path('several.json'), '--name', `${Math.random()}`, '--json'])
    const added = (await Promise.all(Array.from({ length: 8 }, add))).map(({ stdout }) => JSON.parse(stdout).name)
    const kept = JSON.parse(await readFile(path('several.json'), 'utf8'))
    assert.deepEqual(kept.map(({ name }: { name: string }) => name).sort(), added.sort())
    await assert.rejects(stat(path('several.json.lock')), { code: 'ENOENT' })

    await writeFile(path('several.json.lock'), '')
    const { code, stderr } = await add()
    assert.equal(code, 1)
    assert.match(stderr, /several\.json\.lock is there: somebody else adds a token\. If nobody does, remove it/)
    assert.equal(JSON.parse(await readFile(path('several.json'), 'utf8')).length, 8)
  })

  it('leaves a token file to those who could read it', async () => {
    const user = process.getuid?.() === 0 ? 12_345 : Number(process.getuid?.())
    await writeFile(path('shared.json'), '[]', { mode: 0o640 })
    await chown(path('shared.json'), user, Number(process.getgid?.()))
    await symlink('shared.json', path('linked.json'))
    assert.equal((await tuffet(['token', 'new', '--file', path('linked.json')])).code, 0)
    const { mode, uid } = await stat(path('shared.json'))
    assert.deepEqual([mode & 0o777, uid], [0o640, user])
    assert.equal(JSON.parse(await readFile(path('shared.json'), 'utf8')).length, 1)
    assert.ok((await lstat(path('linked.json'))).isSymbolicLink())
  })

  it('needs a token, and one that allows what is asked', async () => {
    const api = { TUFFET_API: served.url.href }
    const none = await tuffet(['status'], '', { env: { ...api, TUFFET_TOKEN: '' } })
    const reader = { ...api, TUFFET_TOKEN: '', READER: tokens['read'] ?? '' }
    const reading = await tuffet(['status', '--token-env', 'READER'], '', { env: reader })
    const writing = await tuffet(['refresh', '--token-env', 'READER'], '', { env: reader })
    assert.deepEqual([none.code, reading.code, writing.code], [1, 0, 1])
    assert.match(none.stderr, /Set TUFFET_TOKEN/)
    assert.match(writing.stderr, /administer/)
  })

  it('shows and changes the settings', async () => {
    const before = await json('config', 'get')
    assert.deepEqual([before.timestamp_expiration, before.number_of_delegated_bins], [1, 16])
    await json('config', 'set', 'timestamp=2', '--expiration', 'snapshot=8')
    const [timestamp, snapshot] = [await run('config', 'get', 'timestamp_expiration'), await json('config', 'get')]
    assert.equal(timestamp.stdout, '2\n')
    assert.equal(snapshot.snapshot_expiration, 8)
    assert.equal((await run('config', 'get', 'nonsense')).code, 2)
    await json('config', 'set', 'timestamp_expiration=3')
    assert.equal((await run('config', 'get', 'timestamp_expiration')).stdout, '3\n')
  })

  it('warns of a role that there is not, and refuses where there is no other', async () => {
    const some = await run('config', 'set', 'timestamp=2', 'nonsense=3')
    assert.equal(some.code, 1)
    assert.match(some.stderr, /warning: There is no role nonsense/)
    const none = await run('config', 'set', 'nonsense=3', '--json')
    assert.equal(none.code, 1)
    const { error, task } = JSON.parse(none.stdout)
    assert.equal(error.code, 'refused')
    assert.equal(task.state, 'ERRORED')
    const shown = await run('task', task.task_id)
    assert.equal(shown.code, 1)
    assert.match(shown.stdout, /^state {4,}ERRORED$/m)
  })

  it('signs online roles anew, and the log and the status tell of it', async () => {
    const { task } = await json('refresh', 'timestamp')
    const { commits } = await json('log', '--limit', '1')
    assert.equal(commits[0].tasks[0].task_id, task.task_id)
    assert.equal(commits[0].tasks[0].principal, 'administer-1')
    const { versions, commit } = await json('status')
    assert.deepEqual([versions.timestamp, commit.number], [commits[0].number, commits[0].number])
    assert.equal((await json('task', task.task_id)).state, 'SUCCESS')
    assert.equal((await json('log', String(commit.number))).base.number, commit.number - 1)
    for (const command of ['log', 'revert']) {
      const { code, stderr } = await run(command, '9999')
      assert.equal(code, 1)
      assert.match(stderr, /There is no commit 9999\. .*tuffet log\b/)
    }
  })

  it('says it in tables too', async () => {
    const [status, log, task] = [await run('status'), await run('log'), await run('task', 'ab'.repeat(16))]
    assert.match(status.stdout, /^state {10}serving clients$/m)
    assert.match(status.stdout, /^ {2}timestamp {2}version \d+ {2}in \d+ \w+ /m)
    assert.match(log.stdout, /^1 {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC {2}bootstrap .*trial/m)
    assert.equal(task.code, 1)
  })

  it('checks what is published: by URL, in the data directory, and among files alone', async () => {
    for (const where of [[], [path('data')], [path('data/metadata')], [`${served.url}metadata`]]) {
      const report = await json('check', ...where, '--clients')
      assert.equal(report.valid, true, JSON.stringify(report.findings))
      assert.deepEqual([report.roots, report.delegations], [1, ['succinct_roles']])
      const expiring = new Set(report.expires.map(({ role }: { role: string }) => role))
      for (const role of ['root', 'timestamp', 'snapshot', 'targets']) assert.ok(expiring.has(role), role)
      assert.equal(report.expires.length + report.expires_left_out, report.roles)
      assert.equal(report.clients.find(({ name }: { name: string }) => name === 'tough 0.24').reads, false)
    }
    await json('refresh', 'snapshot')
    const shown = await run('check', path('data'))
    assert.match(shown.stdout, /Valid: every signature/)
    assert.match(shown.stdout, /^journal +\d+ commits\nsuperseded +\d+ files?, taken away after the retention time$/m)
  })

  it('finds what is wrong, and ends with 4', async () => {
    const stray = path('data/metadata/stray.json')
    await writeFile(stray, '{}')
    const untidy = await run('check', 'data')
    assert.equal(untidy.code, 0)
    assert.match(untidy.stdout, /Files that no client asks for: stray\.json/)
    await rm(stray)
    const targets = path('data/metadata/1.targets.json')
    const kept = await readFile(targets)
    await rm(targets)
    const broken = await run('check', 'data')
    assert.equal(broken.code, 4)
    assert.match(broken.stdout, /1 problem\n {2}missing {2}1\.targets\.json/)
    await writeFile(targets, kept)
    assert.equal((await run('check', 'nowhere')).code, 2)
  })

  it('names ten roles of many that were signed', async () => {
    const { code, stdout, stderr } = await run('refresh')
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^Signed anew: targets, snapshot, timestamp, [^.]* and 9 more \(--json has all\)\.$/m)
  })
})
