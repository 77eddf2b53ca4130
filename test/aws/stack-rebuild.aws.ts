import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { CreateKeyCommand, DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { Updater } from 'tuf-js'
import { clientConfig } from './clients.ts'
import { type Deployed, startDeployed } from './deployed.ts'
import { cache } from './emulator.ts'

describe('a stack around what is there', () => {
  const cleanup = new AsyncDisposableStack()
  let deployed: Deployed
  const stage = 'phoenix'

  before(async () => {
    deployed = cleanup.use(await startDeployed({ stage, publisherTimeoutSeconds: '20' }))
    for (const key of ['one.key', 'two.key']) await deployed.tuffet('key', 'new', key, '--password-fd', '0')
    const decided = ['--bins', '2', '--threshold', '2', '--key', 'one.key', '--key', 'two.key', '--yes', '--send']
    await deployed.tuffet('ceremony', ...decided, '--password-fd', '0')
  })
  after(() => cleanup.disposeAsync())

  /** A client that has been there all the time: it keeps what it trusts, and follows the address it is told. */
  async function clientFinds(path: string): Promise<boolean> {
    const metadataDir = join(deployed.directory, 'client')
    const first = await fetch(`${deployed.url}/metadata/1.root.json`)
    await mkdir(metadataDir, { recursive: true })
    const root = join(metadataDir, 'root.json')
    await writeFile(root, Buffer.from(await first.arrayBuffer()), { flag: 'wx' }).catch(() => undefined)
    const client = new Updater({ metadataDir, metadataBaseUrl: `${deployed.url}/metadata` })
    await client.refresh()
    return (await client.getTargetInfo(path)) !== undefined
  }

  async function onlineKeys() {
    type Shown = { data: { keys: object; roles: { timestamp: { keyids: string[] } } } }
    return ((await (await fetch(`${deployed.url}/api/v1/keys`)).json()) as Shown).data
  }

  const add = (path: string) => deployed.tuffet('artifact', 'add', path, '--length', '1', '--sha256', 'ab'.repeat(32))

  it('takes an online key that somebody has made, in the place of one of its own, which stays', async () => {
    await add('before')
    const kms = new KMSClient(clientConfig(deployed.ministack))
    const [used = '', unused] = (deployed.outputs['OnlineKeys'] ?? '').split(',')
    const asked = new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
    const made = (await kms.send(asked)).KeyMetadata?.Arn ?? assert.fail()
    const { MetadataUrl, MetadataBucket } = deployed.outputs
    await deployed.deploy({ stage, onlineKeys: `${used},${made}` })
    assert.equal(deployed.outputs['MetadataUrl'], MetadataUrl)
    assert.equal(deployed.outputs['MetadataBucket'], MetadataBucket)
    for (const KeyId of [used, unused, made]) {
      const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }))
      assert.equal(KeyMetadata?.KeyState, 'Enabled')
    }
    const { keys, roles } = await onlineKeys()
    const other = Object.keys(keys).find((keyid) => !roles.timestamp.keyids.includes(keyid)) ?? assert.fail()
    const signed = ['--key', 'one.key', '--key', 'two.key', '--yes', '--password-fd', '0']
    await deployed.tuffet('root', 'update', '--online-key', other, ...signed)
    assert.deepEqual((await onlineKeys()).roles.timestamp.keyids, [other])
    await add('by-both-keys')
    assert.ok(await clientFinds('by-both-keys'))
  })

  it('that was destroyed: buckets and keys are left; around them another one goes on, and clients notice nothing', async () => {
    await add('before')
    assert.ok(await clientFinds('before'))
    const { MetadataBucket = '', StateBucket = '', OnlineKeys = '', MetadataUrl } = deployed.outputs

    await deployed.destroy()
    await deployed.deploy({
      stage,
      metadataBucket: MetadataBucket,
      stateBucket: StateBucket,
      onlineKeys: OnlineKeys,
    })
    assert.notEqual(deployed.outputs['MetadataUrl'], MetadataUrl)
    assert.equal(deployed.outputs['MetadataBucket'], MetadataBucket)
    assert.ok(await clientFinds('before'))
    await add('after')
    assert.ok(await clientFinds('after'))
    assert.ok(await clientFinds('before'))
  })

  it('whose template, as users deploy it, cfn-lint finds nothing wrong with', async () => {
    await deployed.synthesize({ guardWrites: 'true' })
    const template = join(deployed.assembly, 'tuffet-main.template.json')
    const ignored = Object.keys(excused).flatMap((rule) => ['--ignore-checks', rule])
    const { stdout } = await promisify(execFile)(join(cache, 'venv/bin/cfn-lint'), ['--template', template, ...ignored])
    assert.equal(stdout, '')
  })
})

/** Rules of cfn-lint that the template breaks, and why. */
const excused = {
  W3005: 'The CDK has a function depend on its role by name, too, where reading the role’s ARN would do.',
  W3045: 'CloudFront delivers its access logs to buckets by an access control list, and in no other way.',
}
