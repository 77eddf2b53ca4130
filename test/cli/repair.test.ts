import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
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
    const would = await tuffet(['repair', data])
    assert.equal(would.code, 0, would.stderr)
    assert.match(would.stdout, /This would be done:\n {2}- Sign timestamp\.json anew, for commit 5/)
    await assert.rejects(readFile(join(data, 'metadata', 'timestamp.json')))
    const done = await tuffet(['repair', data, '--yes', '--json'])
    assert.equal(done.code, 0, done.stderr)
    const { repaired, commit, findings } = JSON.parse(done.stdout) as Record<string, unknown>
    assert.deepEqual({ repaired, commit, findings }, { repaired: true, commit: 6, findings: [] })
    assert.match((await tuffet(['repair', data])).stdout, /Nothing is to be repaired/)
    const served = await serve()
    await add(served, 'b', 1)
    const inUse = await tuffet(['repair', data, '--yes'])
    assert.equal(inUse.code, 1)
    assert.match(inUse.stderr, /in use by another process/)
    assert.equal(await served.stop(), 0)
  })

  it('goes above a number that clients have seen', async () => {
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
  })
})
