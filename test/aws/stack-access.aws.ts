import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { KMSClient, SignCommand } from '@aws-sdk/client-kms'
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { prefix, type Route, routes } from '../../shared/app/routes.ts'
import { tuffet } from '../support/tuffet.ts'
import { clientConfig } from './clients.ts'
import { type Deployed, startDeployed } from './deployed.ts'
import type { Credentials } from './sigv4.ts'

const permissions = ['read', 'publish', 'administer'] as const
type Permission = (typeof permissions)[number]

const table: Route[] = Object.values(routes)
const allows = (has: Permission | undefined, asked: Permission) =>
  has !== undefined && permissions.indexOf(has) >= permissions.indexOf(asked)

/**
 * Each route, asked for in vain: with a body that none of them takes. The paths with a last slash, which `{proxy+}` stands for,
 * are not among them: the emulator lets no greedy variable be empty.
 */
const requests = table.map(({ method, path, permission }) => ({
  method,
  permission,
  path: `${prefix}${path.replaceAll(/\{[^}]+\}/g, '1')}`,
  ...(method !== 'GET' && { body: Buffer.from('{"artifacts": 1}') }),
}))

/** The claims of builds that may publish, as a CI service would put them into its tokens. */
const ofBuild = { repository: 'example/app', ref: ['refs/heads/main', 'refs/heads/release'] }

describe('who may do what on the deployed stack', () => {
  const cleanup = new AsyncDisposableStack()
  let deployed: Deployed
  let tokens: Issuer

  before(async () => {
    tokens = cleanup.use(await startIssuer())
    const jwtClaims = JSON.stringify({ publish: ofBuild })
    deployed = cleanup.use(await startDeployed({ jwtIssuer: tokens.url, jwtAudience: 'tuffet', jwtClaims }))
  })
  after(() => cleanup.disposeAsync())

  /** A user of the account whose only right is this managed policy of the stack; or one who may do everything. */
  async function userWith(permission: Permission | 'everything' | undefined): Promise<Credentials> {
    const UserName = `user-${randomUUID()}`
    const iam = (Action: string, more = {}) =>
      deployed.query('iam', { Action, UserName, Version: '2010-05-08', ...more })
    await iam('CreateUser')
    if (permission === 'everything') {
      const Statement = [{ Effect: 'Allow', Action: '*', Resource: '*' }]
      const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement })
      await iam('PutUserPolicy', { PolicyName: 'everything', PolicyDocument })
    }
    const PolicyArn = deployed.outputs[`${permission}Policy`]
    if (PolicyArn !== undefined) await iam('AttachUserPolicy', { PolicyArn })
    const keys = await iam('CreateAccessKey')
    return { accessKeyId: field(keys, 'AccessKeyId'), secretAccessKey: field(keys, 'SecretAccessKey') }
  }

  async function roleOf(word: string): Promise<Credentials> {
    const roles = await deployed.query('iam', { Action: 'ListRoles', Version: '2010-05-08' })
    const RoleArn = new RegExp(`<Arn>([^<]*${word}[^<]*)</Arn>`).exec(roles)?.[1] ?? ''
    const session = { Action: 'AssumeRole', Version: '2011-06-15', RoleArn, RoleSessionName: 'test' }
    const assumed = await deployed.query('sts', session)
    return {
      accessKeyId: field(assumed, 'AccessKeyId'),
      secretAccessKey: field(assumed, 'SecretAccessKey'),
      sessionToken: field(assumed, 'SessionToken'),
    }
  }

  for (const has of [undefined, ...permissions]) {
    it(`AWS credentials with ${has ?? 'no permission'} open exactly their routes`, async () => {
      const credentials = await userWith(has)
      for (const { permission, ...request } of requests) {
        const { status, body } = await deployed.addresses.api(request, credentials)
        const what = `${request.method} ${request.path}: ${status} ${body}`
        if (allows(has, permission)) assert.ok(![401, 403].includes(status) && status < 500, what)
        else assert.equal(status, 403, what)
      }
    })

    it(`a token with ${has ?? 'no scope'} opens exactly its routes`, async () => {
      const scope = has === undefined ? 'openid' : `openid tuffet:${has}`
      await opensWhat(has, { scope })
    })
  }

  async function opensWhat(has: Permission | undefined, claims: Readonly<Record<string, unknown>>): Promise<void> {
    const authorization = `Bearer ${tokens.issue(claims)}`
    for (const { permission, ...request } of requests) {
      const { status, body } = await deployed.addresses.tokenApi({ ...request, headers: { authorization } })
      const what = `${JSON.stringify(claims)} ${request.method} ${request.path}: ${status} ${body}`
      if (allows(has, permission)) assert.ok(![401, 403].includes(status) && status < 500, what)
      else assert.equal(status, 403, what)
    }
  }

  it('a token without scopes opens what its claims grant, and nothing else', async () => {
    const build = { repository: 'example/app', ref: 'refs/heads/main' }
    await opensWhat('publish', build)
    for (const mismatch of [
      { repository: 'stranger/app' },
      { repository: undefined },
      { ref: 'refs/heads/mainly' },
      { ref: ['refs/heads/main'] },
    ]) {
      await opensWhat(undefined, { ...build, ...mismatch })
    }
  })

  it('a build that has such a token in TUFFET_TOKEN asks with it, and needs no AWS credentials', async () => {
    const id = /^https:\/\/([^.]+)\./.exec(deployed.outputs['TokenApiUrl'] ?? '')?.[1]
    const api = `${deployed.ministack.endpoint}/_aws/execute-api/${id}/$default`
    const status = (claims: Readonly<Record<string, unknown>>) =>
      tuffet(['--api', api, 'status'], '', {
        env: {
          NODE_EXTRA_CA_CERTS: deployed.ministack.authority ?? '',
          HOME: deployed.directory,
          TUFFET_TOKEN: tokens.issue(claims),
        },
      })
    const good = await status({ repository: 'example/app', ref: 'refs/heads/release' })
    assert.equal(good.code, 0, good.stderr)
    assert.match(good.stdout, /not bootstrapped/)
    const stranger = await status({ repository: 'stranger/app', ref: 'refs/heads/release' })
    assert.equal(stranger.code, 1)
    assert.match(stranger.stderr, /permission to read/)
  })

  it('refuses on every route who does not sign, or signs wrongly', async () => {
    const user = await userWith('administer')
    for (const { permission: _, ...request } of requests) {
      assert.equal((await deployed.addresses.api(request)).status, 403, request.path)
      assert.equal((await deployed.addresses.tokenApi(request)).status, 401, request.path)
      const forged = { ...user, secretAccessKey: `${user.secretAccessKey.slice(0, -1)}x` }
      assert.equal((await deployed.addresses.api(request, forged)).status, 403, request.path)
    }
  })

  it('refuses tokens of another audience, another issuer, another key, and of yesterday', async () => {
    const call = (token: string) =>
      deployed.addresses.tokenApi({ path: `${prefix}/bootstrap`, headers: { authorization: `Bearer ${token}` } })
    const scope = 'tuffet:administer'
    assert.equal((await call(tokens.issue({ scope }))).status, 200)
    const past = Math.floor(Date.now() / 1000) - 86_400
    for (const claims of [{ aud: 'somebody-else' }, { iss: 'https://else.example' }, { exp: past }]) {
      assert.equal((await call(tokens.issue({ scope, ...claims }))).status, 401, JSON.stringify(claims))
    }
    const token = tokens.issue({ scope })
    const bytes = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url')
    bytes[0] = (bytes[0] ?? 0) ^ 1
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.${bytes.toString('base64url')}`
    assert.equal((await call(forged)).status, 401)
  })

  describe('a function', () => {
    const clients = async (role: string) => {
      const credentials = await roleOf(role)
      const config = { ...clientConfig(deployed.ministack), credentials }
      return { s3: new S3Client({ ...config, forcePathStyle: true }), kms: new KMSClient(config) }
    }
    const denied = { name: /AccessDenied/ }
    const sign = (kms: KMSClient) => {
      const KeyId = deployed.outputs['OnlineKeys']?.split(',')[0]
      const how = { MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' } as const
      return kms.send(new SignCommand({ KeyId, Message: new Uint8Array(32), ...how }))
    }
    const at = (name: string) =>
      name.startsWith('metadata/')
        ? { Bucket: deployed.outputs['MetadataBucket'], Key: name }
        : { Bucket: deployed.outputs['StateBucket'], Key: name }
    const put = (s3: S3Client, name: string) => s3.send(new PutObjectCommand({ ...at(name), Body: 'x' }))
    const remove = (s3: S3Client, name: string) => s3.send(new DeleteObjectCommand(at(name)))

    it('that takes requests can accept a task; it cannot sign, write metadata or history, or finish a task', async () => {
      const { s3, kms } = await clients('FrontRole')
      await put(s3, 'inbox/00000000000000000000000000000000.json')
      await assert.rejects(sign(kms), denied)
      for (const name of [
        'metadata/timestamp.json',
        'commits/1.json',
        'state/1.root.json',
        'tasks/x.json',
        'lease.json',
      ]) {
        await assert.rejects(put(s3, name), denied, name)
      }
      await assert.rejects(remove(s3, 'inbox/00000000000000000000000000000000.json'), denied)
    })

    it('that publishes can sign and commit; it cannot accept tasks or delete metadata', async () => {
      const { s3, kms } = await clients('PublisherPublishRole')
      await sign(kms)
      await put(s3, 'metadata/1000.targets.json')
      await remove(s3, 'inbox/00000000000000000000000000000000.json')
      await assert.rejects(put(s3, 'inbox/x.json'), denied)
      for (const name of ['metadata/1000.targets.json', 'metadata/1.root.json', 'commits/1.json', 'tasks/x.json']) {
        await assert.rejects(remove(s3, name), denied, name)
      }
    })

    it('that refreshes can collect, but neither roots nor the timestamp', async () => {
      const { s3, kms } = await clients('PublisherRefreshRole')
      await sign(kms)
      await remove(s3, 'metadata/1000.targets.json')
      for (const name of ['metadata/1.root.json', 'metadata/timestamp.json', 'tasks/x.json']) {
        await assert.rejects(remove(s3, name), denied, name)
      }
    })

    it('signs nothing but digests', async () => {
      const { kms } = await clients('PublisherPublishRole')
      const KeyId = deployed.outputs['OnlineKeys']?.split(',')[0]
      await assert.rejects(
        kms.send(new SignCommand({ KeyId, Message: Buffer.from('x'), SigningAlgorithm: 'ECDSA_SHA_384' })),
      )
    })
  })

  it('lets not even an administrator of the account delete a root', async () => {
    const credentials = await userWith('everything')
    const s3 = new S3Client({ ...clientConfig(deployed.ministack), credentials, forcePathStyle: true })
    const root = { Bucket: deployed.outputs['MetadataBucket'], Key: 'metadata/1.root.json' }
    await s3.send(new PutObjectCommand({ ...root, Body: 'x' }))
    await assert.rejects(s3.send(new DeleteObjectCommand(root)), { name: /AccessDenied/ })
    await s3.send(new GetObjectCommand(root))
  })
})

const field = (xml: string, name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1] ?? ''

interface Issuer extends AsyncDisposable {
  readonly url: string
  /** A token good for an hour, unless its claims say otherwise. */
  issue(claims: Readonly<Record<string, unknown>>): string
}

/** An OpenID Connect issuer on 127.0.0.1. */
async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = randomUUID()
  const server = createServer((request, response) => {
    const document = request.url?.endsWith('/openid-configuration')
      ? { issuer: url, jwks_uri: `${url}/keys` }
      : { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The issuer has no port.')
  const url = `http://127.0.0.1:${address.port}`
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  return {
    url,
    issue(claims) {
      const exp = Math.floor(Date.now() / 1000) + 3600
      const payload = { iss: url, aud: 'tuffet', sub: 'build', exp, ...claims }
      const signed = `${encode({ alg: 'RS256', typ: 'JWT', kid })}.${encode(payload)}`
      return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
