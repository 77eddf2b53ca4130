import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { only, type Resource, resourcesOf, text } from './stack.ts'

interface Statement {
  readonly Sid?: string
  readonly Effect: string
  readonly Action: string | string[]
  readonly Resource?: unknown
  readonly NotResource?: unknown
  readonly Condition?: unknown
}

const resources = resourcesOf()
const list = <T>(value: T | T[] | undefined): T[] => [value ?? []].flat() as T[]

const metadata = '<RepositoryStorageMetadata0A207153.Arn>'
const state = '<RepositoryStorageStateDD9578F3.Arn>'
const queue = '<RepositoryBellQueue686B3C80.Arn>'
const deadLetters = '<RepositoryBellDeadLettersCC8C655D.Arn>'
const keys = ['<RepositoryStorageOnlineKey106AE1C97.Arn>', '<RepositoryStorageOnlineKey247ABBE29.Arn>']

/** What a role may do, as `action resource`; what it is denied with a minus before it. */
function grantsOf(word: string): string[] {
  const role = only(resources, 'AWS::IAM::Role', word)
  assert.deepEqual(Object.keys(role.properties).sort(), ['AssumeRolePolicyDocument', 'Description', 'Policies'])
  const statements = role.properties.Policies.flatMap(
    ({ PolicyDocument }: { PolicyDocument: { Statement: Statement[] } }) => PolicyDocument.Statement,
  ) as Statement[]
  return statements
    .flatMap((statement) =>
      list(statement.Action).flatMap((action) =>
        list(statement.Resource).map((arn) => `${statement.Effect === 'Deny' ? '-' : ''}${action} ${text(arn)}`),
      ),
    )
    .sort()
}

const log = (id: string) => [`logs:CreateLogStream <${id}.Arn>`, `logs:PutLogEvents <${id}.Arn>`]
const on = (bucket: string, action: string, ...names: string[]) => names.map((name) => `${action} ${bucket}/${name}`)

const committing = [
  `s3:ListBucket ${metadata}`,
  `s3:ListBucket ${state}`,
  ...on(metadata, 's3:GetObject', 'metadata/*'),
  ...on(metadata, 's3:PutObject', 'metadata/*'),
  ...on(state, 's3:GetObject', '*'),
  ...on(state, 's3:PutObject', 'tasks/*', 'spoilt/*', 'commits/*', 'state/*', 'lease.json', 'bootstrap.json'),
  ...on(state, 's3:PutObject', 'preparations/*', 'bulk/*.before', 'bulk/*.changes'),
  ...on(state, 's3:DeleteObject', 'inbox/*', 'preparations/*'),
  ...keys.flatMap((key) => [`kms:GetPublicKey ${key}`, `kms:Sign ${key}`]),
  `sqs:SendMessage ${queue}`,
  `sqs:SendMessage ${deadLetters}`,
]

describe('the roles', () => {
  it('let the API accept and read, and neither sign nor write metadata', () => {
    const expected = [
      `s3:ListBucket ${metadata}`,
      `s3:ListBucket ${state}`,
      ...on(metadata, 's3:GetObject', 'metadata/*'),
      ...on(state, 's3:GetObject', '*'),
      ...on(state, 's3:PutObject', 'inbox/*', 'idempotency/*', 'bulk/*'),
      ...on(state, '-s3:PutObject', 'bulk/*.before', 'bulk/*.changes'),
      ...keys.map((key) => `kms:GetPublicKey ${key}`),
      `sqs:SendMessage ${queue}`,
      ...log('RepositoryFrontLogB6921C48'),
    ]
    assert.deepEqual(grantsOf('FrontRole'), expected.sort())
  })

  it('let the publisher commit', () => {
    const hearing = ['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility', 'GetQueueAttributes']
    const expected = [
      ...committing,
      ...hearing.map((action) => `sqs:${action} ${queue}`),
      ...log('RepositoryPublisherPublishLogD3AC90B8'),
    ]
    assert.deepEqual(grantsOf('PublisherPublishRole'), expected.sort())
  })

  it('let the refresher commit and collect, but never roots or the timestamp', () => {
    const expected = [
      ...committing,
      ...on(metadata, 's3:DeleteObject', 'metadata/*'),
      ...on(metadata, '-s3:DeleteObject', 'metadata/*.root.json', 'metadata/timestamp.json'),
      ...on(state, 's3:DeleteObject', 'commits/*', 'state/*', 'bulk/*'),
      ...on(state, 's3:PutObject', 'collected.json'),
      ...log('RepositoryPublisherRefreshLog64E3B8C6'),
    ]
    assert.deepEqual(grantsOf('PublisherRefreshRole'), expected.sort())
  })

  it('let the schedule do nothing but invoke the refresher', () => {
    assert.deepEqual(grantsOf('SchedulerRole'), [
      'lambda:InvokeFunction <RepositoryPublisherRefreshFunction22B7E5D6.Arn>',
      `sqs:SendMessage ${deadLetters}`,
    ])
  })

  it('are all there are, and sign digests with the algorithms of TUF alone', () => {
    assert.equal(resources.filter(({ type }) => type === 'AWS::IAM::Role').length, 4)
    assert.equal(resources.filter(({ type }) => type === 'AWS::IAM::Policy').length, 0)
    const signing = resources
      .filter(({ type }) => type === 'AWS::IAM::Role')
      .flatMap(({ properties }) => properties.Policies)
      .flatMap(({ PolicyDocument }) => PolicyDocument.Statement as Statement[])
      .filter(({ Action }) => list(Action).includes('kms:Sign'))
    assert.equal(signing.length, 2)
    for (const { Condition } of signing) {
      assert.deepEqual(Condition, {
        StringEqualsIfExists: {
          'kms:MessageType': 'DIGEST',
          'kms:SigningAlgorithm': ['ECDSA_SHA_256', 'RSASSA_PSS_SHA_256'],
        },
      })
    }
  })
})

describe('the bucket policies', () => {
  const guards = (of: readonly Resource[], word: string) =>
    (only(of, 'AWS::S3::BucketPolicy', word).properties.PolicyDocument.Statement as Statement[]).map((statement) => ({
      sid: statement.Sid,
      effect: statement.Effect,
      actions: list(statement.Action),
      on: list(statement.Resource).map(text),
      notOn: list(statement.NotResource).map(text),
      condition: statement.Condition,
    }))
  const denied = (sid: string, actions: string[], on: string[], condition?: unknown, notOn: string[] = []) => ({
    sid,
    effect: 'Deny',
    actions,
    on,
    notOn,
    condition,
  })
  const tls = (arn: string) =>
    denied('OverTlsOnly', ['s3:*'], [arn, `${arn}/*`], { Bool: { 'aws:SecureTransport': 'false' } })
  const distribution = {
    StringEquals: {
      'AWS:SourceArn': {
        'Fn::Join': [
          '',
          [
            'arn:',
            { Ref: 'AWS::Partition' },
            ':cloudfront::',
            { Ref: 'AWS::AccountId' },
            ':distribution/',
            { Ref: 'RepositoryDeliveryDistributionA4AAE74B' },
          ],
        ],
      },
    },
  }
  const neither = { Null: { 's3:if-none-match': 'true', 's3:if-match': 'true' } }
  const timestamp = `${metadata}/metadata/timestamp.json`

  it('protect roots, insist on conditional writes, and let one distribution read', () => {
    assert.deepEqual(guards(resources, 'MetadataPolicy'), [
      tls(metadata),
      denied(
        'RootsAndTimestampStay',
        ['s3:DeleteObject', 's3:DeleteObjectVersion'],
        [`${metadata}/metadata/*.root.json`, timestamp],
      ),
      denied('CreatedOnceOnly', ['s3:PutObject'], [], { Null: { 's3:if-none-match': 'true' } }, [timestamp]),
      denied('ReplacedByCompareAndSwapOnly', ['s3:PutObject'], [timestamp], neither),
      {
        sid: 'TheDistributionReads',
        effect: 'Allow',
        actions: ['s3:GetObject'],
        on: [`${metadata}/*`],
        notOn: [],
        condition: distribution,
      },
      {
        sid: 'TheDistributionSeesWhatIsMissing',
        effect: 'Allow',
        actions: ['s3:ListBucket'],
        on: [metadata],
        notOn: [],
        condition: distribution,
      },
    ])
  })

  it('let the state be created once, uploads too, but for what changes by compare-and-swap', () => {
    const changing = ['lease.json', 'bootstrap.json', 'collected.json', 'preparations/*'].map(
      (name) => `${state}/${name}`,
    )
    assert.deepEqual(guards(resources, 'StatePolicy'), [
      tls(state),
      denied('CreatedOnceOnly', ['s3:PutObject'], [], { Null: { 's3:if-none-match': 'true' } }, changing),
      denied('ReplacedByCompareAndSwapOnly', ['s3:PutObject'], changing, neither),
    ])
  })

  it('leave out what an emulator does not know if guardWrites is false, and nothing else', () => {
    const without = resourcesOf({ guardWrites: false })
    for (const word of ['MetadataPolicy', 'StatePolicy']) {
      const kept = guards(resources, word).filter(
        ({ condition }) => !JSON.stringify(condition ?? '').includes('s3:if-'),
      )
      assert.deepEqual(guards(without, word), kept)
    }
  })

  it('are written around existing buckets alike', () => {
    const around = resourcesOf({
      metadataBucketName: 'old-metadata',
      stateBucketName: 'old-state',
      onlineKeyArns: ['arn:aws:kms:us-east-1:123456789012:key/1'],
    })
    const sids = (of: readonly Resource[], word: string) => guards(of, word).map(({ sid }) => sid)
    assert.deepEqual(sids(around, 'MetadataPolicy'), sids(resources, 'MetadataPolicy'))
    assert.deepEqual(sids(around, 'StatePolicy'), sids(resources, 'StatePolicy'))
    assert.equal(only(around, 'AWS::S3::BucketPolicy', 'MetadataPolicy').properties.Bucket, 'old-metadata')
    assert.equal(around.filter(({ type }) => type === 'AWS::KMS::Key').length, 0)
  })
})
