import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { gatewayRegion } from '../../cli/access.ts'
import { assertSigned, aws, nothing, Service } from '../support/signed-service.ts'
import { tuffet } from '../support/tuffet.ts'

describe('tuffet with AWS credentials', () => {
  let service: Service
  beforeEach(async () => {
    service = await new Service().start()
  })
  afterEach(() => service[Symbol.asyncDispose]())

  it('signs what it asks and what it sends, with --aws-sign or TUFFET_AWS_SIGN', async () => {
    const asked = await tuffet(['--api', service.url, '--aws-sign', 'task', 'a b+c/d'], '', { env: aws })
    assert.equal(asked.code, 0, asked.stderr)
    assert.equal(service.last.url, '/stage/$default/api/v1/task?task_id=a%20b%2Bc%2Fd')
    assertSigned(service.last)
    const sent = await tuffet(['--api', service.url, 'refresh'], '', { env: { ...aws, TUFFET_AWS_SIGN: '1' } })
    assert.equal(sent.code, 0, sent.stderr)
    assert.equal(service.last.method, 'POST')
    assertSigned(service.last)
  })

  it('does not sign with a token, nor unless it is told to', async () => {
    const run = (env: Record<string, string>, ...args: string[]) =>
      tuffet(['--api', service.url, ...args, 'task', 'ab'], '', { env: { ...aws, ...env } })
    await run({ TUFFET_TOKEN: 'secret' }, '--aws-sign')
    assert.equal(service.last.headers.authorization, 'Bearer secret')
    await run({})
    await run({ TUFFET_AWS_SIGN: '0' })
    assert.equal(service.seen.length, 3)
    for (const { headers } of service.seen.slice(1)) assert.equal(headers.authorization, undefined)
  })

  it('says what is missing', async () => {
    const run = (env: Record<string, string>, command: string[]) =>
      tuffet(['--api', service.url, '--aws-sign', ...command], '', { env })
    const { AWS_REGION: _, ...nowhere } = aws
    const region = await run({ ...nowhere, AWS_REGION: '', AWS_DEFAULT_REGION: '' }, ['task', 'ab'])
    assert.equal(region.code, 2)
    assert.match(region.stderr, /Set AWS_REGION/)
    for (const command of [
      ['check', 's3://bucket'],
      ['key', 'show', 'kms:alias/root'],
    ]) {
      const asked = await run({ ...nowhere, AWS_REGION: '', AWS_DEFAULT_REGION: '' }, command)
      assert.equal(asked.code, 2)
      assert.match(asked.stderr, /Region .*\. Set AWS_REGION\./)
    }
    const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _key, ...anonymous } = aws
    for (const command of [['task', 'ab'], ['proxy']]) {
      const nobody = await run({ ...anonymous, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }, command)
      assert.equal(nobody.code, 2, nobody.stdout)
      assert.match(nobody.stderr, /cannot be signed with AWS credentials.*Set AWS_PROFILE/)
    }
    assert.equal(service.seen.length, 0)
  })

  it('signs at API Gateway without being told to', async () => {
    // Nothing to sign with: it ends before it asks anybody.
    const env = { ...nothing, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }
    const args = ['--api', 'https://abc123.execute-api.eu-central-1.amazonaws.com', 'status']
    assert.match((await tuffet(args, '', { env })).stderr, /cannot be signed with AWS credentials/)
  })

  it('says what API Gateway says, and which policies there are', async () => {
    service.answer = (_, response) => response.writeHead(403).end('{"message":"Forbidden"}')
    const { code, stderr } = await tuffet(['--api', service.url, '--aws-sign', 'status'], '', { env: aws })
    assert.equal(code, 1)
    assert.match(stderr, /Forbidden\. .*readPolicy/)
  })

  it('knows addresses of API Gateway', () => {
    const region = (host: string) => gatewayRegion(new URL(`https://${host}/x`))
    assert.equal(region('abc123.execute-api.eu-central-1.amazonaws.com'), 'eu-central-1')
    assert.equal(region('abc123.execute-api.cn-north-1.amazonaws.com.cn'), 'cn-north-1')
    assert.equal(region('abc123.execute-api.eu-west-1.api.aws'), 'eu-west-1')
    for (const host of ['a.execute-api.x.amazonaws.com.evil.example', 'execute-api.example', 's3.amazonaws.com'])
      assert.equal(region(host), undefined)
  })
})
