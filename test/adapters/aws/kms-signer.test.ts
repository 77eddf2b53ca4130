import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { KMSClient } from '@aws-sdk/client-kms'
import { kmsSigner } from '../../../shared/adapters/aws/kms-signer.ts'
import type { Signer } from '../../../shared/repository/ports.ts'

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = {
  PublicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
  KeySpec: 'ECC_NIST_P256',
  KeyUsage: 'SIGN_VERIFY',
  SigningAlgorithms: ['ECDSA_SHA_256'],
}

/** So many requests to sign it has no room for. */
const kms = { crowded: 0, asked: 0, refusal: 'ThrottlingException' }

const server = createServer((request, response) => {
  request.resume()
  const answer = (status: number, body: object) =>
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
  if (request.headers['x-amz-target'] === 'TrentService.GetPublicKey') return void answer(200, key)
  kms.asked++
  if (kms.asked <= kms.crowded) return void answer(400, { __type: kms.refusal, message: 'Rate exceeded' })
  answer(200, { Signature: Buffer.from('signature').toString('base64') })
})

describe('kmsSigner, where KMS has no room for a signature', () => {
  let signer: Signer
  before(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    signer = await kmsSigner('key', new KMSClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 }))
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  it('asks again, for of the hundreds of one commit some come too fast', async () => {
    Object.assign(kms, { crowded: 3, asked: 0 })
    assert.equal(await signer.sign(Buffer.from('metadata')), Buffer.from('signature').toString('hex'))
    assert.equal(kms.asked, 4)
  })

  it('gives up in the end', async (context) => {
    Object.assign(kms, { crowded: Number.POSITIVE_INFINITY, asked: 0 })
    // No pauses.
    context.mock.method(Math, 'random', () => 0)
    await assert.rejects(signer.sign(Buffer.from('metadata')), { code: 'unavailable', message: /ThrottlingException/ })
    assert.equal(kms.asked, 7)
  })

  it('does not ask again for what will not change', async () => {
    Object.assign(kms, { crowded: Number.POSITIVE_INFINITY, asked: 0, refusal: 'DisabledException' })
    await assert.rejects(signer.sign(Buffer.from('metadata')), { code: 'unusable' })
    assert.equal(kms.asked, 1)
  })
})
