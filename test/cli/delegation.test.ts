import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import { specVersion, type Targets } from '../../shared/tuf/metadata.ts'
import { inAYear, makeKey, signRole, type TestKey } from '../support/keys.ts'
import { type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

interface Role {
  readonly name: string
  readonly version: number
  readonly online: boolean
  readonly paths?: readonly string[]
  readonly keyids: readonly string[]
  readonly threshold: number
  readonly terminating?: boolean
  readonly targets: number
  readonly bins?: { readonly number: number }
}

describe('tuffet delegation', () => {
  let directory: string
  let served: Served
  const ann = makeKey()
  const bob = makeKey('ecdsa')
  const path = (name: string) => join(directory, name)
  const cli = (args: readonly string[], passwords?: string) =>
    tuffet(['--api', served.url.href, ...args], passwords, { cwd: directory })
  const delegation = (args: readonly string[], passwords?: string) => cli(['delegation', ...args], passwords)

  async function works(args: readonly string[], passwords?: string): Promise<string> {
    const { code, stdout, stderr } = await delegation(args, passwords)
    assert.equal(code, 0, stderr)
    return stdout
  }
  async function refused(args: readonly string[], why: RegExp, code = 1): Promise<void> {
    const ran = await delegation(args)
    assert.equal(ran.code, code, ran.stderr)
    assert.match(ran.stderr, why)
  }
  async function roles(): Promise<Role[]> {
    return (JSON.parse(await works(['list', '--json'])) as { roles: Role[] }).roles
  }
  const role = async (name: string) => (await roles()).find((one) => one.name === name) ?? assert.fail(name)
  async function add(target: string): Promise<string> {
    await writeFile(path('file'), target)
    const { code, stdout, stderr } = await cli(['artifact', 'add', 'file', '--as', target])
    assert.equal(code, 0, stderr)
    return stdout
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet delegation '))
    served = await serveProcess(['--data', path('data'), '--port', '0', '--trial'])
    const write = async (name: string, { privateKey, key }: TestKey) => {
      await writeFile(path(`${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }))
      await writeFile(path(`${name}.json`), JSON.stringify({ ...key, 'x-rstuf-key-name': name }))
    }
    await Promise.all([write('ann', ann), write('bob', bob)])
    assert.equal((await cli(['key', 'new', 'carol.pem', '--password-fd', '3'], 'correct horse')).code, 0)
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  it('adds a role that the service signs', async () => {
    assert.match(await works(['add', 'docs', '--path', 'docs/*', '--path', 'docs/*/*']), /Added role docs; clients can/)
    await add('docs/a')
    const { online, paths, targets } = await role('docs')
    assert.deepEqual({ online, paths, targets }, { online: true, paths: ['docs/*', 'docs/*/*'], targets: 1 })
    assert.equal((await role('bins')).bins?.number, 16)
  })

  it('has a role of other holders wait until enough of them have signed', async () => {
    const keys = ['--key', 'ann.json', '--key', 'bob.pem', '--key', 'carol.pem.pub']
    const flags = ['--threshold', '2', '--terminating', '--before', 'docs', '--expiration', '20']
    const asked = await works(['add', 'project', '--path', 'project/*', ...keys, ...flags])
    assert.match(asked, /project, version \d+, expires in 20 days\n {4}0 of 2 {2}2 signatures missing/)
    assert.match(asked, /tuffet delegation sign project --key FILE/)
    assert.deepEqual(
      (await roles()).map(({ name }) => name),
      ['targets', 'docs', 'bins'],
    )
    await refused(['update', 'project', '--path', 'x'], /Role project waits for signatures/)
    assert.match((await cli(['status'])).stdout, /Waits for signatures\n {2}project/)

    await refused(['sign', 'project', '--key', 'ann.pem'], /Give it with --yes/, 2)
    assert.match(await works(['sign', 'project', '--key', 'ann.pem', '-y']), /1 of 2 +1 signature missing, of/)
    await refused(['sign', 'project', '--key', 'ann.pem', '-y'], /has signed this already/)
    await refused(['sign', 'project', '--key', 'data/trial/root-1.pem', '-y'], /may not sign role project/)
    const last = await works(['sign', 'project', '--key', 'carol.pem', '--password-fd', '3', '-y'], 'correct horse')
    assert.match(last, /Role project is signed; clients can see it/)
    const { online, threshold, terminating, keyids } = await role('project')
    assert.deepEqual([online, threshold, terminating, keyids.length], [false, 2, true, 3])
    assert.equal((await roles())[1]?.name, 'project')
    assert.match((await cli(['status'])).stdout, /Only their holders can sign root and project anew/)
  })

  it('shows what an artifact for it changes, signs that, or gives it up', async () => {
    assert.match(await add('project/a'), /Waits: Role project is pending signatures. Clients see .* once all are there/)
    const { stderr } = await delegation(['sign', 'project', '--key', 'ann.pem', '--key', 'bob.pem', '-y'])
    assert.match(stderr, / {2}\+ project\/a {2}9 bytes {2}sha256 [0-9a-f]{64}\n/)
    assert.equal((await role('project')).targets, 1)
    await add('project/b')
    assert.match(await works(['cancel', 'project', '-y']), /is given up/)
    await refused(['sign', 'project', '--key', 'ann.pem', '-y'], /No metadata of role project waits .* Nothing does/)
  })

  it('changes what is said, and nothing else', async () => {
    assert.match(await works(['update', 'project', '--key', 'bob.json', '--threshold', '1']), /Updated role project/)
    const updated = await role('project')
    assert.deepEqual(updated.keyids, [bob.keyid])
    assert.deepEqual([updated.paths, updated.terminating], [['project/*'], true])
    await works(['update', 'project', '--no-terminating'])
    assert.equal((await role('project')).terminating, false)
    await refused(
      ['update', 'project', '--path', 'other/*'],
      /would not find 1 artifact any more.*Remove it first, .*\(tuffet delegation cancel\)/,
    )
    await works(['update', 'project', '--online', '--remove-artifacts'])
    const { online, keyids } = await role('project')
    assert.ok(online && !keyids.includes(bob.keyid))
    await refused(['update', 'nobody'], /There is no delegated role nobody. There are project, docs/)
  })

  it('publishes metadata that was made and signed elsewhere', async () => {
    await works(['add', 'far', '--path', 'far/*', '--key', 'ann.json'])
    await works(['sign', 'far', '--key', 'ann.pem', '-y'])
    const info = { length: 1, hashes: { sha256: 'ab'.repeat(32) } }
    const made: Targets = {
      _type: 'targets',
      spec_version: specVersion,
      version: (await role('far')).version + 1,
      expires: formatExpires(inAYear()),
      targets: new Map([['far/a', info]]),
    }
    await writeFile(path('1.far.json'), signRole(made, [ann]).bytes)
    assert.match(await works(['upload', '1.far.json']), /Role far, version \d+, with 1 artifact; clients can see it/)
    await writeFile(path('made elsewhere.json'), signRole({ ...made, version: made.version + 1 }, [bob]).bytes)
    await refused(['upload', 'made elsewhere.json'], /does not say by its name/, 2)
    await refused(['upload', 'made elsewhere.json', '--role', 'far'], /has 0 good signatures of the 1/)
    await refused(['upload', 'ann.pem', '--role', 'far'], /holds no metadata/)
  })

  it('has a role signed anew before it expires', async () => {
    const { version } = await role('far')
    const asked = await works(['renew', 'far'])
    assert.match(asked, /far, version \d+, expires in 30 days\n {4}0 of 1 {2}1 signature missing/)
    assert.match(asked, /Each of them runs: tuffet delegation sign far --key FILE/)
    await refused(['renew', 'far'], /or stop its signing \(.*tuffet delegation cancel far\)/)
    await works(['sign', 'far', '--key', 'ann.pem', '-y'])
    const { version: renewed, targets } = await role('far')
    assert.ok(renewed > version)
    assert.equal(targets, 1)
    await refused(['renew', 'docs'], /The service signs role docs itself.*tuffet refresh docs\.$/m)
    await refused(['renew'], /has the current online keys already/)
  })

  it('adds hash bins inside a role, and removes roles with what is in them if that is said', async () => {
    await works(['add', 'binned', '--path', 'binned/*', '--bins', '4', '--bin-delegation', 'path_hash_prefixes'])
    await add('binned/a')
    assert.equal((await role('binned')).bins?.number, 4)
    assert.match(await works(['remove', '--help']), /refused while they hold artifacts/)
    await refused(['remove', 'docs', 'binned'], /docs \(1 artifact\), binned \(in hash bins\)/, 2)
    assert.match(await works(['remove', 'docs', 'binned', '--remove-artifacts']), /Removed docs, binned/)
    await refused(['remove', 'docs'], /There is no delegated role docs/)
  })

  it('refuses what cannot be', async () => {
    await refused(['add', 'x'], /--path/, 2)
    await refused(['add', 'x', '--path', 'x/*', '--bin-delegation', 'succinct_roles'], /needs --bins/, 2)
    await refused(['add', 'targets', '--path', 'x/*'], /top-level role/, 2)
    await refused(['add', 'x y', '--path', 'x/*'], /has to begin with a letter/, 2)
    await refused(['add', 'x', '--path', 'x/*', '--bins', '100'], /--bins .*power of two/, 2)
    await refused(['upload', '1.nowhere.json'], /cannot be read/, 2)
    await refused(['add', 'x', '--path', '/x'], /begins with/)
    await refused(['add', 'x', '--path', 'x/*', '--key', 'nowhere'], /cannot be read/, 2)
    await refused(['add', 'x', '--path', 'x/*', '--key', 'ann.json', '--threshold', '2'], /2 signatures and has 1 keys/)
    await refused(['sign', 'root', '--key', 'ann.pem', '-y'], /tuffet root --help/, 2)
  })
})
