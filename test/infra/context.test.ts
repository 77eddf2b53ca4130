import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ConfigurationError } from '../../infra/configuration-error.ts'
import { readSettings } from '../../infra/context.ts'
import { appWith, synthesize } from './template/stack.ts'

const read = (context: Record<string, unknown>) =>
  readSettings(
    appWith(Object.fromEntries(Object.entries(context).map(([name, value]) => [`tuffet:${name}`, value]))).node,
  )

describe('the settings', () => {
  it('are none by default', () => {
    assert.deepEqual(read({}), { repository: {}, tags: {} })
  })

  it('come as JSON from cdk.json', () => {
    const provider = 'arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com'
    const caller = { provider, audience: 'sts.amazonaws.com', subject: 'repo:example/app:*' }
    assert.deepEqual(
      read({ stage: 'staging', publisherPrincipals: ['123456789012', caller], burst: 5, tags: { team: 'x' } }),
      {
        repository: { stage: 'staging', publisherPrincipals: ['123456789012', caller], burst: 5 },
        tags: { team: 'x' },
      },
    )
  })

  it('come as text from the command line', () => {
    const { repository, tags } = read({
      jwtAudience: 'one, two',
      expirations: '{"timestamp": 2}',
      publisherTimeoutSeconds: '30',
      guardWrites: 'false',
      rotationGraceSeconds: '1200',
      retentionHours: '48',
      jwtClaims: '{"publish": {"project_path": "example/app"}}',
      tags: '{"team": "x"}',
      alarmEmail: '',
    })
    assert.deepEqual(repository, {
      jwtAudience: ['one', 'two'],
      expirations: { timestamp: 2 },
      publisherTimeoutSeconds: 30,
      guardWrites: false,
      rotationGraceSeconds: 1200,
      retentionHours: 48,
      jwtClaims: { publish: { project_path: 'example/app' } },
    })
    assert.deepEqual(tags, { team: 'x' })
  })

  const github = 'arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com'
  const oidc = 'arn:aws:iam::123456789012:oidc-provider/gitlab.example.org'
  for (const [name, value, sentence] of [
    ['stgae', 'x', /^tuffet:stgae is not a setting\. There are: .*stage/],
    ['stage', 'Production', /^tuffet:stage has to be a name of at most 20 .*; it was given as "Production"\.$/],
    ['logRetentionDays', 91, /^tuffet:logRetentionDays has to be one of 1, 3, .*given as 91\.$/],
    ['certificateArn', 'arn:aws:acm:eu-west-1:123456789012:certificate/1', /certificate in us-east-1/],
    ['webAclArn', 'arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/x/1', /global WAFv2/],
    ['metadataBucket', 'My_Bucket', /name of a bucket/],
    ['onlineKeys', 'alias/online', /ARNs of KMS keys/],
    ['alarmEmail', 'nobody', /e-mail address/],
    ['permissionsBoundary', 'arn:aws:iam::123456789012:role/x', /managed policy/],
    ['jwtIssuer', 'http://issuer.example', /https URL/],
    [
      'jwtClaims',
      'example/app',
      /what claims grant, by permission\. .* an object by permission, not "example\/app"; it was/,
    ],
    ['jwtClaims', '{"publish": {"repository": "example/*"}}', /to the letter/],
    ['jwtClaims', { write: { repository: 'example/app' } }, /There are: read, publish, administer/],
    ['rotationGraceSeconds', 5, /whole number from 60 to 604800/],
    ['retentionHours', 0, /whole number from 1 to 720/],
    ['publisherPrincipals', '*', /account numbers/],
    ['publisherPrincipals', oidc, /\{"provider": ARN.*alone it lets in everybody/],
    ['publisherPrincipals', [{ provider: oidc, audience: 'x', subject: '*' }], /every token of the issuer/],
    ['publisherPrincipals', [{ provider: github, audience: 'x', subject: 'repo:*' }], /strangers.*repo:OWNER/],
    [
      'publisherPrincipals',
      [{ provider: oidc, audience: 'x', subject: '' }],
      /\{"provider": ARN, "audience": …, "subject": …\}, all three; it was given as/,
    ],
    ['publisherTimeoutSeconds', 901, /whole number from 3 to 900/],
    ['publisherPrincipals', [123456789012], /account numbers \(12 digits in quotes\)/],
    ['publisherPrincipals', 'arn:aws:iam::123456789012:role/*', /ARNs of roles without wildcards/],
    ['expirations', { timestmap: 1 }, /days by role, as .*, and "timestmap" is none of root, targets/],
    ['expirations', { timestamp: 0 }, /days by role, as .*, each a whole number from 1 to 3650; it was given as/],
    ['guardWrites', 'no', /true or false/],
    ['domainNames', [], /a list, not empty/],
    ['tags', 'team', /object of names and texts/],
    ['tags', ['team'], /object of names and texts/],
  ] as const) {
    it(`refuse ${name}: ${JSON.stringify(value)}`, () => {
      assert.throws(
        () => read({ [name]: value }),
        (error) => error instanceof ConfigurationError && sentence.test(error.message),
      )
    })
  }
})

describe('what contradicts itself is refused', () => {
  const github = 'https://token.actions.githubusercontent.com'
  const provider = 'arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com'
  const anybody = { provider, audience: 'sts.amazonaws.com', subject: 'repo:*:ref:refs/heads/main' }
  const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/1'
  const keys = { onlineKeyArns: ['arn:aws:kms:us-east-1:123456789012:key/1'] }
  for (const [what, props, sentence] of [
    ['an issuer without an audience', { jwtIssuer: 'https://issuer.example' }, /jwtAudience/],
    [
      'claims without an issuer',
      { jwtClaims: { publish: { repository: 'a/b' } } },
      /jwtAudience, which say whose tokens/,
    ],
    [
      'claims that all of GitHub has',
      { jwtIssuer: github, jwtAudience: ['tuffet'], jwtClaims: { publish: { ref: 'refs/heads/main' } } },
      /strangers/,
    ],
    [
      'claims beyond what Lambda takes',
      {
        jwtIssuer: github,
        jwtAudience: ['tuffet'],
        jwtClaims: { publish: { repository: Array.from({ length: 100 }, (_, at) => `example/repository-${at}`) } },
      },
      /characters of 2000/,
    ],
    ['subjects that all of GitHub has', { publisherPrincipals: [anybody] }, /strangers/],
    ['a name without a certificate', { domainNames: ['tuf.example.org'] }, /certificateArn/],
    ['one bucket without the other', { metadataBucketName: 'metadata', ...keys }, /stateBucket/],
    ['buckets without their keys', { metadataBucketName: 'metadata', stateBucketName: 'state' }, /onlineKeys/],
    [
      'artifacts in the bucket of the state',
      { metadataBucketName: 'metadata', stateBucketName: 'state', artifactBucketName: 'state', ...keys },
      /artifactBucket is a bucket of its own/,
    ],
    ['a name for clients that is none', { domainNames: ['*.example.org'], certificateArn }, /so it has no \*/],
    ['one bucket for both', { metadataBucketName: 'both', stateBucketName: 'both', ...keys }, /two buckets/],
  ] as const) {
    it(what, () => {
      assert.throws(() => synthesize(props), sentence)
    })
  }

  for (const [what, context, sentence] of [
    ['', { jwtIssuer: 'https://issuer.example' }, /^error: jwtIssuer and jwtAudience go together: .*\.\n$/],
    [
      ' about claims',
      { jwtIssuer: github, jwtAudience: 'tuffet', jwtClaims: { publish: { ref: 'refs/heads/main' } } },
      /^error: .*strangers.*\.\n$/,
    ],
  ] as const) {
    it(`by a sentence${what}, and not by where in the code it was found`, () => {
      const given = Object.entries(context).map(([name, value]) => [`tuffet:${name}`, value])
      const app = join(import.meta.dirname, '../../infra/app.ts')
      const env = { ...process.env, CDK_CONTEXT_JSON: JSON.stringify(Object.fromEntries(given)) }
      const { status, stderr } = spawnSync(process.execPath, [app], { env, encoding: 'utf8' })
      assert.equal(status, 1)
      assert.match(stderr, sentence)
    })
  }
})

describe('the outputs', () => {
  const outputsWith = (context: object) => {
    const assembly = mkdtempSync(join(tmpdir(), 'tuffet-'))
    try {
      const app = join(import.meta.dirname, '../../infra/app.ts')
      const env = { ...process.env, CDK_CONTEXT_JSON: JSON.stringify(context), CDK_OUTDIR: assembly }
      const { status, stderr } = spawnSync(process.execPath, [app], { env, encoding: 'utf8' })
      assert.equal(status, 0, stderr)
      const template = readFileSync(join(assembly, 'tuffet-main.template.json'), 'utf8')
      return Object.keys((JSON.parse(template) as { Outputs: object }).Outputs)
    } finally {
      rmSync(assembly, { recursive: true })
    }
  }

  it('have what DNS and the policy of a bucket of artifacts need of the distribution', () => {
    const certificate = 'arn:aws:acm:us-east-1:123456789012:certificate/1'
    const names = { 'tuffet:domainNames': 'tuf.example.org', 'tuffet:certificateArn': certificate }
    const outputs = outputsWith({ ...names, 'tuffet:artifactBucket': 'artifacts' })
    for (const name of ['DistributionDomain', 'DistributionArn']) assert.ok(outputs.includes(name), name)
  })
})

describe('cdk.json', () => {
  const root = join(import.meta.dirname, '../..')
  const brought = readdirSync(join(root, 'node_modules')).some((name) => name.startsWith('node-'))

  it('runs the app on the Node that `npm ci` brought, whichever the machine has', {
    skip: !brought && 'npm brings Node on Linux alone.',
  }, () => {
    const { app } = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')) as { app: string }
    const machine = mkdtempSync(join(tmpdir(), 'tuffet-'))
    try {
      writeFileSync(join(machine, 'node'), '#!/bin/sh\necho "too old for TypeScript" >&2\nexit 9\n')
      chmodSync(join(machine, 'node'), 0o755)
      const context = JSON.stringify({ 'tuffet:stage': 'Production' })
      const env = { PATH: `${machine}:/usr/bin:/bin`, CDK_CONTEXT_JSON: context }
      // As `cdk` does it.
      const { status, stderr } = spawnSync(app, { cwd: root, env, encoding: 'utf8', shell: true })
      assert.match(stderr, /^error: tuffet:stage has to be/)
      assert.equal(status, 1)
    } finally {
      rmSync(machine, { recursive: true })
    }
  })
})
