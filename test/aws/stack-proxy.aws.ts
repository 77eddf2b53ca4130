import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { type Ran, tuffet } from '../support/tuffet.ts'
import { type Deployed, startDeployed } from './deployed.ts'

const checkout = join(import.meta.dirname, '../..')
const main = join(checkout, 'cli/main.ts')

describe('tuffet and tuffet proxy sign for the deployed stack', () => {
  const cleanup = new AsyncDisposableStack()
  let deployed: Deployed
  let api: string

  before(async () => {
    deployed = cleanup.use(await startDeployed())
    const id = /^https:\/\/([^.]+)\./.exec(deployed.outputs['ApiUrl'] ?? '')?.[1]
    api = `${deployed.ministack.endpoint}/_aws/execute-api/${id}/$default`
  })
  after(() => cleanup.disposeAsync())

  /** The environment of a user of the account whose only right is this managed policy of the stack. */
  async function userWith(permission: 'read' | 'publish' | 'administer'): Promise<Record<string, string>> {
    const UserName = `user-${randomUUID()}`
    const iam = (Action: string, more = {}) =>
      deployed.query('iam', { Action, UserName, Version: '2010-05-08', ...more })
    await iam('CreateUser')
    await iam('AttachUserPolicy', { PolicyArn: deployed.outputs[`${permission}Policy`] ?? '' })
    const keys = await iam('CreateAccessKey')
    const field = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(keys)?.[1] ?? ''
    return {
      ...deployed.ministack.environment,
      AWS_ACCESS_KEY_ID: field('AccessKeyId'),
      AWS_SECRET_ACCESS_KEY: field('SecretAccessKey'),
      AWS_SESSION_TOKEN: '',
      TUFFET_TOKEN: '',
      HOME: deployed.directory,
    }
  }

  /** Without the front that signs for other tests: straight to API Gateway. */
  function run(env: Record<string, string>, ...args: readonly string[]): Promise<Ran> {
    const where = ['--api', api, '--metadata-url', `${deployed.url}/metadata/`]
    return tuffet([...where, ...args], 'correct horse\n'.repeat(4), { cwd: deployed.directory, env })
  }

  async function startProxy(env: Record<string, string>): Promise<string> {
    const child = spawn(process.execPath, [main, 'proxy', '--api', api, '--aws-sign', '--port', '0'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    cleanup.defer(async () => {
      child.kill('SIGTERM')
      assert.deepEqual(await once(child, 'exit'), [0, null])
    })
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    return line
  }

  async function curl(...args: readonly string[]): Promise<{ status: number; body: string }> {
    const { stdout } = await promisify(execFile)('curl', ['-sS', '-w', '\n%{http_code}', ...args])
    const end = stdout.lastIndexOf('\n')
    return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) }
  }

  it('a ceremony, by who may administer', async () => {
    const env = await userWith('administer')
    for (const key of ['one.key', 'two.key']) await run(env, 'key', 'new', key, '--password-fd', '3')
    const keys = ['--threshold', '2', '--key', 'one.key', '--key', 'two.key', '--password-fd', '3']
    const decided = ['--bins', '2', ...keys, '--yes', '--send']
    const unsigned = await run(env, 'ceremony', ...decided)
    assert.equal(unsigned.code, 1, unsigned.stdout)
    assert.match(unsigned.stderr, /token-env/)
    const { code, stderr } = await run(env, '--aws-sign', 'ceremony', ...decided)
    assert.equal(code, 0, stderr)
  })

  it('curl and tuffet through the proxy, by who may publish, and no more than that', async () => {
    const env = await userWith('publish')
    const added = await run(env, '--aws-sign', 'artifact', 'add', 'one', '--length', '1', '--sha256', 'ab'.repeat(32))
    assert.equal(added.code, 0, added.stderr)

    const proxy = await startProxy(env)
    const info = { length: 1, hashes: { sha256: 'cd'.repeat(32) } }
    const body = JSON.stringify({ artifacts: [{ path: 'by-curl', info }] })
    const json = ['-H', 'content-type: application/json', '--data', body]
    const posted = await curl(...json, `${proxy}/api/v1/artifacts`)
    assert.equal(posted.status, 202, posted.body)
    const { task_id } = JSON.parse(posted.body).data
    assert.equal((await run(nobody(env), '--api', proxy, 'artifact', 'add', ...third)).code, 0)
    const task = await curl(`${proxy}/api/v1/task?task_id=${task_id}`)
    assert.equal(JSON.parse(task.body).data.state, 'SUCCESS', task.body)

    const refused = await curl('-X', 'PUT', ...json, `${proxy}/api/v1/config`)
    assert.equal(refused.status, 403, refused.body)
  })

  it('long work, as far as the roles of the functions allow: an import, and another number of bins', async () => {
    const lines = Array.from({ length: 500 }, (_, index) => `bulk/${index};1;sha256;${'ab'.repeat(32)}`)
    await writeFile(join(deployed.directory, 'bulk.csv'), `${lines.join('\n')}\n`)
    const imported = await run(await userWith('publish'), '--aws-sign', 'import', 'bulk.csv', '--yes')
    assert.equal(imported.code, 0, imported.stderr)
    const administrator = await userWith('administer')
    const changed = await run(administrator, '--aws-sign', 'config', 'set', 'number_of_delegated_bins=8')
    assert.equal(changed.code, 0, changed.stderr)
    const { stdout: status } = await run(administrator, '--aws-sign', 'status')
    assert.match(status, /^hash bins +8, /m)
    for (const path of ['bulk/0', 'bulk/499', 'one']) {
      const { code, stderr } = await run(administrator, '--aws-sign', 'artifact', 'show', path)
      assert.equal(code, 0, stderr)
    }
    const checked = await run(administrator, 'check', `${deployed.url}/metadata/`)
    assert.equal(checked.code, 0, checked.stdout)
  })

  it('the real rstuf through the proxy', { timeout: 300_000 }, async () => {
    await promisify(execFile)('bash', [join(checkout, 'test/rstuf/install.sh')])
    const proxy = await startProxy(await userWith('publish'))
    const rstuf = async (...args: readonly string[]) => {
      const env = { PATH: process.env['PATH'], HOME: deployed.directory, COLUMNS: '200', NO_COLOR: '1' }
      const program = join(checkout, '.cache/rstuf/venv/bin/rstuf')
      return (await promisify(execFile)(program, [...args, '--api-server', proxy], { cwd: deployed.directory, env }))
        .stdout
    }
    await writeFile(join(deployed.directory, 'tool'), 'a tool')
    const added = await rstuf('artifact', 'add', 'tool')
    const [task = ''] = /[0-9a-f]{32}/.exec(added) ?? []
    assert.ok(task, added)
    let shown = ''
    for (let tries = 0; tries < 50 && !shown.includes('SUCCESS'); tries++) shown = await rstuf('task', 'info', task)
    assert.match(shown, /SUCCESS/)
    const found = await run(await userWith('read'), '--aws-sign', 'artifact', 'show', 'tool')
    assert.equal(found.code, 0, found.stderr)
  })

  const third = ['three', '--length', '1', '--sha256', 'ef'.repeat(32)]
  /** The proxy has the credentials; who uses it needs none. */
  const nobody = (env: Record<string, string>) => ({ ...env, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' })

  it('who may only read is refused, and told why', async () => {
    const env = await userWith('read')
    const read = await run(env, '--aws-sign', 'artifact', 'show', 'by-curl')
    assert.equal(read.code, 0, read.stderr)
    const { code, stderr } = await run(env, '--aws-sign', 'artifact', 'add', ...third)
    assert.equal(code, 1)
    assert.match(stderr, /publishPolicy/)
  })
})
