import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  type KeySpec,
  KMSClient,
} from '@aws-sdk/client-kms'
import { type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'
import { clientConfig } from './clients.ts'
import { workDirectory } from './emulator.ts'
import { startMinistack } from './ministack.ts'

const password = 'correct horse'

/** Alice's root key is in KMS, Bob's in a file; the service itself knows nothing of AWS. */
describe('a ceremony with a KMS key and a key file', async () => {
  const ministack = await startMinistack()
  const directory = await workDirectory()
  const client = new KMSClient(clientConfig(ministack))
  let served: Served
  let alice: string
  after(async () => {
    await served.stop()
    client.destroy()
    await directory[Symbol.asyncDispose]()
    await ministack[Symbol.asyncDispose]()
  })

  const run = (args: readonly string[], passwords = '', environment: Readonly<Record<string, string>> = {}) =>
    tuffet(args, passwords, {
      cwd: directory.path,
      env: { TUFFET_API: served.url.href, ...ministack.environment, ...environment },
    })
  async function works(args: readonly string[], passwords?: string) {
    const { code, stdout, stderr } = await run([...args, '--password-fd', '3'], passwords)
    assert.equal(code, 0, stderr)
    return { stdout, stderr }
  }
  async function createKey(KeySpec: KeySpec, from = client) {
    const { KeyMetadata } = await from.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }))
    return KeyMetadata ?? assert.fail()
  }

  before(async () => {
    const { KeyId } = await createKey('ECC_NIST_P256')
    await client.send(new CreateAliasCommand({ AliasName: 'alias/root', TargetKeyId: KeyId }))
    alice = KeyId ?? ''
    served = await serveProcess(['--data', join(directory.path, 'data'), '--port', '0'])
    await works(['key', 'new', 'bob.pem'], password)
  })

  it('shows the same key by its id, its ARN and its alias', async () => {
    const { Arn } = await createKey('RSA_3072')
    assert.match((await works(['key', 'show', `kms:${Arn}`])).stdout, /rsa \(rsassa-pss-sha256\)/)
    const [byId, byAlias] = await Promise.all([
      works(['key', 'show', `kms:${alice}`]),
      works(['key', 'show', 'kms:alias/root']),
    ])
    assert.equal(byAlias.stdout, byId.stdout)
    assert.match(byId.stdout, /ecdsa \(ecdsa-sha2-nistp256\)/)
  })

  it('finds a key where its ARN says, whatever region the environment names', async () => {
    const far = new KMSClient({ ...clientConfig(ministack), region: 'eu-central-1' })
    const { Arn = '' } = await createKey('ECC_NIST_P256', far)
    assert.match(Arn, /^arn:aws:kms:eu-central-1:/)
    assert.match((await works(['key', 'show', `kms:${Arn}`])).stdout, /ecdsa/)
    far.destroy()
  })

  it('founds a repository, read from the root up', async () => {
    const { stderr } = await works(
      ['ceremony', '--yes', '--bins', '4', '--key', 'kms:alias/root', '--key', 'bob.pem', '--send'],
      password,
    )
    assert.match(stderr, /kms:alias\/root \(held\)/)
    const added = await run(['artifact', 'add', 'bob.pem.pub', '--as', 'keys/bob.pub'])
    assert.equal(added.code, 0, added.stderr)
    const checked = await run(['check', new URL('/metadata/', served.url).href])
    assert.equal(checked.code, 0, checked.stderr)
  })

  it('signs the next root, for which a public KMS key comes in', async () => {
    const { KeyId } = await createKey('RSA_3072')
    await works(['root', 'update', '--add-key', `kms:${KeyId}`, '--key', 'bob.pem', '-y'], password)
    assert.match((await works(['root', 'sign', '--key', 'kms:alias/root', '-y'])).stdout, /Root version 2 is published/)
  })

  it('signs a delegated role', async () => {
    const { KeyId } = await createKey('ECC_NIST_P256')
    await works(['delegation', 'add', 'project', '--path', 'project/*', '--key', `kms:${KeyId}`])
    const { stdout } = await works(['delegation', 'sign', 'project', '--key', `kms:${KeyId}`, '-y'])
    assert.match(stdout, /Role project is signed/)
  })

  const refused: readonly (readonly [what: string, name: () => Promise<string>, RegExp])[] = [
    ['a key that is not there', async () => 'alias/nothing', /KMS key alias\/nothing: NotFoundException/],
    ['a curve that clients refuse', async () => (await createKey('ECC_NIST_P384')).KeyId ?? '', /P-256/],
  ]
  for (const [what, name, message] of refused) {
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await run(['key', 'show', `kms:${await name()}`])
      assert.equal(code, 1)
      assert.match(stderr, message)
    })
  }

  it('refuses a key that is disabled, before anything is signed', async () => {
    await client.send(new DisableKeyCommand({ KeyId: alice }))
    const { code, stderr } = await run(['root', 'update', '--key', 'kms:alias/root', '-y'])
    await client.send(new EnableKeyCommand({ KeyId: alice }))
    assert.equal(code, 1)
    assert.match(stderr, /KMS key alias\/root: DisabledException/)
  })

  it('says what the environment lacks, credentials or a region: exit code 2; and that nobody answered: 3', async () => {
    const nothing = {
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
      AWS_EC2_METADATA_DISABLED: 'true',
      HOME: directory.path,
    }
    const [without, nowhere, silent] = await Promise.all([
      run(['key', 'show', 'kms:alias/root'], '', nothing),
      run(['key', 'show', 'kms:alias/root'], '', { AWS_REGION: '', HOME: directory.path }),
      run(['key', 'show', 'kms:alias/root'], '', { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' }),
    ])
    assert.match(without.stderr, /Could not load credentials.*Set AWS_PROFILE/)
    assert.match(nowhere.stderr, /KMS key alias\/root: .*Region.*Set AWS_REGION/)
    assert.match(silent.stderr, /ECONNREFUSED/)
    assert.deepEqual([without.code, nowhere.code, silent.code], [2, 2, 3])
  })
})
