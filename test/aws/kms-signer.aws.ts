import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import {
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  type KeySpec,
  KMSClient,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms'
import { kmsSigner } from '../../shared/adapters/aws/kms-signer.ts'
import type { SignerError } from '../../shared/repository/ports.ts'
import { verifySignature } from '../../shared/tuf/keys.ts'
import { signerContract } from '../contract/signer.ts'
import { type Fault, jsonFault, type ProxiedRequest, startFaultProxy } from '../support/fault-proxy.ts'
import { clientConfig } from './clients.ts'
import { useEnvironment } from './emulator.ts'
import { startMinistack } from './ministack.ts'

const ministack = await startMinistack()
const proxy = await startFaultProxy(ministack.endpoint)
after(() => ministack[Symbol.asyncDispose]())
after(() => proxy[Symbol.asyncDispose]())
const client = new KMSClient(clientConfig({ ...ministack, ...proxy }))

async function createKey(
  KeySpec: KeySpec,
  KeyUsage: 'SIGN_VERIFY' | 'KEY_AGREEMENT' | 'ENCRYPT_DECRYPT' = 'SIGN_VERIFY',
) {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage }))
  return KeyMetadata?.KeyId ?? ''
}

for (const [spec, scheme] of [
  ['ECC_NIST_P256', 'ecdsa-sha2-nistp256'],
  ['RSA_2048', 'rsassa-pss-sha256'],
  ['RSA_3072', 'rsassa-pss-sha256'],
] as const) {
  const keyId = await createKey(spec)
  signerContract(`kmsSigner with ${spec}`, async () => {
    const signer = await kmsSigner(keyId, client)
    assert.equal(signer.key.scheme, scheme)
    return { signer, [Symbol.asyncDispose]: async () => {} }
  })
}

const hasCode = (code: SignerError['code']) => ({ name: 'SignerError', code })
const signs = ({ headers }: ProxiedRequest) => headers['x-amz-target'] === 'TrentService.Sign'
const anything = () => true
const bytes = Buffer.from('metadata')

describe('kmsSigner', () => {
  it('takes region, endpoint and credentials from the environment', async () => {
    const keyId = await createKey('ECC_NIST_P256')
    using _ = useEnvironment(ministack.environment)
    const signer = await kmsSigner(keyId)
    assert.ok(verifySignature(signer.key, bytes, await signer.sign(bytes)))
  })

  it('asks for the public key once, and sends a hash, however much is signed', async () => {
    const keyId = await createKey('ECC_NIST_P256')
    const before = proxy.requests.length
    const signer = await kmsSigner(keyId, client)
    await signer.sign(Buffer.alloc(100_000))
    await signer.sign(Buffer.alloc(100_000))
    const asked = proxy.requests.slice(before).map(({ headers }) => headers['x-amz-target'])
    assert.deepEqual(asked, ['TrentService.GetPublicKey', 'TrentService.Sign', 'TrentService.Sign'])
    assert.ok((proxy.requests.at(-1)?.body.length ?? 0) < 300)
  })

  it("calls a key that is not there 'unusable'", async () => {
    await assert.rejects(kmsSigner('11111111-2222-3333-4444-555555555555', client), hasCode('unusable'))
    await assert.rejects(kmsSigner('alias/nothing', client), hasCode('unusable'))
  })

  for (const [spec, usage] of [
    ['ECC_NIST_P384', 'SIGN_VERIFY'],
    ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
    ['ECC_NIST_P256', 'KEY_AGREEMENT'],
    ['RSA_2048', 'ENCRYPT_DECRYPT'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ] as const) {
    it(`calls a key of type ${spec} for ${usage} 'unusable'`, async () => {
      const keyId = await createKey(spec, usage)
      await assert.rejects(kmsSigner(keyId, client), hasCode('unusable'))
    })
  }

  it("calls a disabled key 'unusable', and signs again when it is enabled", async () => {
    const keyId = await createKey('ECC_NIST_P256')
    const signer = await kmsSigner(keyId, client)
    await client.send(new DisableKeyCommand({ KeyId: keyId }))
    await assert.rejects(signer.sign(bytes), hasCode('unusable'))
    await client.send(new EnableKeyCommand({ KeyId: keyId }))
    assert.ok(verifySignature(signer.key, bytes, await signer.sign(bytes)))
  })

  it("calls a key that is about to be deleted 'unusable'", async () => {
    const keyId = await createKey('ECC_NIST_P256')
    const signer = await kmsSigner(keyId, client)
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: 7 }))
    await assert.rejects(signer.sign(bytes), hasCode('unusable'))
  })

  const faults: Record<string, Fault> = {
    'is throttled': jsonFault(400, 'ThrottlingException'),
    'fails inside': jsonFault(500, 'KMSInternalException'),
    'cannot reach the key': jsonFault(503, 'DependencyTimeoutException'),
    'loses the answer': { kind: 'lose the answer' },
    'falls silent': { kind: 'fall silent' },
    'is cut off': { kind: 'cut the answer' },
  }
  for (const [what, fault] of Object.entries(faults)) {
    it(`signs although KMS ${what} twice; without end it is 'unavailable'`, async () => {
      const keyId = await createKey('ECC_NIST_P256')
      const signer = await kmsSigner(keyId, client)
      using twice = proxy.inject(signs, fault, 2)
      assert.ok(verifySignature(signer.key, bytes, await signer.sign(bytes)))
      twice[Symbol.dispose]()
      using _ = proxy.inject(anything, fault, Number.POSITIVE_INFINITY)
      await assert.rejects(signer.sign(bytes), hasCode('unavailable'))
      await assert.rejects(kmsSigner(keyId, client), hasCode('unavailable'))
    })
  }

  it("calls a denied use 'unusable'", async () => {
    const keyId = await createKey('ECC_NIST_P256')
    const signer = await kmsSigner(keyId, client)
    using _ = proxy.inject(signs, jsonFault(400, 'AccessDeniedException'))
    await assert.rejects(signer.sign(bytes), hasCode('unusable'))
  })
})
