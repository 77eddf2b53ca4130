import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { claimGrants, connect, EnvironmentError, shownKeys } from '../../shared/app/aws.ts'
import { optionalVariables, variables } from '../../shared/app/environment.ts'
import { defaultLimits } from '../../shared/repository/repository.ts'
import { makeKey } from '../support/keys.ts'
import { recordedLog } from '../support/log.ts'

const names = [...Object.values(variables), ...Object.values(optionalVariables)]

describe('the environment of the functions', () => {
  afterEach(() => {
    for (const name of names) delete process.env[name]
  })

  const limitsWith = (more: Readonly<Record<string, string>>) => {
    Object.assign(process.env, Object.fromEntries(Object.values(variables).map((name) => [name, 'x'])), more)
    return connect(recordedLog().log).limits
  }

  it('says nothing of times: then they are the usual ones', () => {
    assert.deepEqual(limitsWith({}), defaultLimits)
  })

  it('says how long old keys sign and old metadata stays', () => {
    const times = { TUFFET_ROTATION_GRACE_SECONDS: '1200', TUFFET_RETENTION_SECONDS: '172800' }
    assert.deepEqual(limitsWith(times), { ...defaultLimits, rotationGrace: 1_200_000, retention: 172_800_000 })
  })

  for (const wrong of ['0', '-1', '1.5', 'an hour', '1e3', '9999999999']) {
    it(`refuses ${wrong} seconds`, () => {
      assert.throws(
        () => limitsWith({ TUFFET_RETENTION_SECONDS: wrong }),
        (error) => error instanceof EnvironmentError && error.code === 'unusable' && /RETENTION/.test(error.message),
      )
    })
  }

  it('says what claims grant; without a word they grant nothing', () => {
    assert.deepEqual(claimGrants(), {})
    process.env['TUFFET_TOKEN_CLAIMS'] = '{"publish":[{"repository":["a/b"]}]}'
    assert.deepEqual(claimGrants(), { publish: [{ repository: ['a/b'] }] })
    for (const wrong of ['{', '[]', '{"publish": true}']) {
      process.env['TUFFET_TOKEN_CLAIMS'] = wrong
      assert.throws(claimGrants, { name: 'EnvironmentError', code: 'unusable' }, wrong)
    }
  })
})

describe('the online keys that are shown', () => {
  /** A KMS with these keys; what it does not have is not found. */
  async function kmsWith(keys: Map<string, string>, asked: string[]) {
    const server = createServer(async (request, response) => {
      const { KeyId } = JSON.parse(Buffer.concat(await request.toArray()).toString())
      asked.push(KeyId)
      const PublicKey = keys.get(KeyId)
      const found = { KeyId, PublicKey, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }
      response.writeHead(PublicKey === undefined ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' })
      const SigningAlgorithms = ['ECDSA_SHA_256']
      response.end(JSON.stringify(PublicKey ? { ...found, SigningAlgorithms } : { __type: 'NotFoundException' }))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
  }

  it('are asked for once, and again while one is missing', async (test) => {
    const [one, two] = ['one', 'two'].map(() => {
      return createPublicKey(makeKey('ecdsa').privateKey).export({ type: 'spki', format: 'der' }).toString('base64')
    })
    const keys = new Map([['one', String(one)]])
    const asked: string[] = []
    const kms = await kmsWith(keys, asked)
    const environment = {
      AWS_ENDPOINT_URL_KMS: kms.endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      [variables.onlineKeys]: 'one,two',
    }
    Object.assign(process.env, environment)
    test.after(() => {
      for (const name of Object.keys(environment)) delete process.env[name]
      kms.close()
    })
    const shown = shownKeys(recordedLog().log)
    assert.equal((await shown()).length, 1)
    keys.set('two', String(two))
    assert.equal((await shown()).length, 2)
    assert.equal((await shown()).length, 2)
    assert.deepEqual(asked.toSorted(), ['one', 'one', 'two', 'two'])
  })
})
