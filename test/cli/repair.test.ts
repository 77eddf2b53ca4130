import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createKeyFile } from '../../shared/adapters/local/key-file-signer.ts'
import { artifact } from '../support/api.ts'
import { post, type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

let directory: string
let data: string
const serve = () => serveProcess(['--data', data, '--port', '0', '--trial'])
const add = async (served: Served, path: string, length: number) => {
  const answer = await post(served, 'artifacts', { artifacts: [artifact(path, { length })] }, { prefer: 'wait=20' })
  assert.equal(answer.body.data.state, 'SUCCESS')
}
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tuffet repair '))
  data = join(directory, 'data')
})
after(() => rm(directory, { recursive: true }))

describe('tuffet revert and log', () => {
  it('take a change back, and show what it was', async () => {
    const served = await serve()
    await add(served, 'a', 1)
    await add(served, 'a', 2)
    const api = ['--api', served.url.href]
    const reverted = await tuffet([...api, 'revert', '2'])
    assert.equal(reverted.code, 0, reverted.stderr)
    assert.match(reverted.stdout, /as commit 2 left them: 1 target restored, 0 removed/)
    const log = await tuffet([...api, 'log', '--changes', '-n', '1'])
    assert.match(log.stdout, /- +a +bins-\w+ +2 bytes +sha256:(ab){32}\n +\+ +a +bins-\w+ +1 byte +sha256:(ab){32}/)
    const json = await tuffet([...api, 'log', '--changes', '--json'])
    const { commits } = JSON.parse(json.stdout) as { commits: { changes: { before?: { length: number } }[] }[] }
    assert.equal(commits[0]?.changes[0]?.before?.length, 2)
    const refused = await tuffet([...api, 'revert', '99'])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /There is no commit 99/)
    assert.equal(await served.stop(), 0)
  })
})

describe('tuffet repair', () => {
  it('says what it would do, does it when told to, and the service goes on', async () => {
    await rm(join(data, 'metadata', 'timestamp.json'))
    const unreadable = await tuffet(['repair', data, '--key', join(directory, 'nowhere')])
    assert.equal(unreadable.code, 2)
    assert.match(unreadable.stderr, /nowhere cannot be read/)
    const would = await tuffet(['repair', data])
    assert.equal(would.code, 4, would.stderr)
    assert.match(would.stdout, /This would be done:\n {2}- Sign timestamp\.json anew, for commit 5/)
    await assert.rejects(readFile(join(data, 'metadata', 'timestamp.json')))
    const done = await tuffet(['repair', data, '--yes', '--json'])
    assert.equal(done.code, 0, done.stderr)
    const { repaired, commit, findings } = JSON.parse(done.stdout) as Record<string, unknown>
    assert.deepEqual({ repaired, commit, findings }, { repaired: true, commit: 6, findings: [] })
    const nothing = await tuffet(['repair', data])
    assert.equal(nothing.code, 0)
    assert.match(nothing.stdout, /Nothing is to be repaired/)
    const served = await serve()
    await add(served, 'b', 1)
    const inUse = await tuffet(['repair', data, '--yes'])
    assert.equal(inUse.code, 1)
    assert.match(inUse.stderr, /in use by another process/)
    assert.equal(await served.stop(), 0)
  })

  it('says of private state that is lost what it goes on without, and check says that it is lost', async () => {
    const served = await serve()
    const parked = { artifacts: [artifact('parked', { length: 1 })], publish_artifacts: false }
    assert.equal((await post(served, 'artifacts', parked, { prefer: 'wait=20' })).body.data.state, 'SUCCESS')
    assert.equal(await served.stop(), 0)
    const names = await readdir(join(data, 'state', 'state'))
    const name = names.find((name) => name.endsWith('.parked.json')) ?? assert.fail()
    await writeFile(join(data, 'state', 'state', name), '{')
    const check = await tuffet(['check', data])
    assert.equal(check.code, 4)
    assert.match(check.stdout, new RegExp(`unreadable +state/${name}`))
    const would = await tuffet(['repair', data])
    assert.equal(would.code, 4)
    assert.match(would.stdout, /This would be done:\n {2}- Go on with nothing parked.*\n\nThis cannot be brought back:/)
    assert.equal((await tuffet(['repair', data, '--yes'])).code, 0)
    assert.equal((await tuffet(['check', data])).code, 0)
  })

  it('does nothing of its own where two files contradict each other, and says so', async () => {
    const copy = join(directory, 'copy')
    await cp(data, copy, { recursive: true })
    const served = await serveProcess(['--data', copy, '--port', '0'])
    await add(served, 'c', 1)
    assert.equal(await served.stop(), 0)
    const commits = join(copy, 'state', 'commits')
    const newest = join(commits, (await readdir(commits)).sort().at(-1) ?? '')
    await writeFile(newest, (await readFile(newest, 'utf8')).replace('"state":"SUCCESS"', '"state":"SUCCESR"'))
    for (const [yes, code] of [
      [[], 4],
      [['--yes'], 4],
    ] as const) {
      const said = await tuffet(['repair', copy, ...yes])
      assert.equal(said.code, code, said.stderr)
      assert.match(said.stdout, /^This cannot be brought back:\n.* contradict each other.*\n$/)
    }
  })

  it('goes above a number that clients have seen', async () => {
    const other = join(directory, 'other.pem')
    await createKeyFile(other)
    const foreign = await tuffet(['repair', data, '--above', '1000', '--key', other])
    assert.equal(foreign.code, 1)
    assert.match(foreign.stderr, /nobody is here to sign timestamp, snapshot \(key [0-9a-f]{64}\)\. .* with --key/)
    const { code, stdout } = await tuffet(['repair', data, '--above', '1000', '--yes'])
    assert.equal(code, 0)
    assert.match(stdout, /It became commit 1001/)
    assert.equal((await tuffet(['check', data])).code, 0)
  })

  it('is refused elsewhere than over a data directory, and makes nothing there', async () => {
    const nowhere = await tuffet(['repair', join(directory, 'nowhere'), '--yes'])
    assert.equal(nowhere.code, 2)
    assert.match(nowhere.stderr, /is not a data directory/)
    await assert.rejects(readFile(join(directory, 'nowhere', 'lock')))
    await symlink('loop', join(directory, 'loop'))
    const unseen = await tuffet(['repair', join(directory, 'loop'), '--yes'])
    assert.equal(unseen.code, 2)
    assert.match(unseen.stderr, /loop cannot be read: ELOOP/)
  })
})
