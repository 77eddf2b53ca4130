import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { only, resourcesOf, text } from './stack.ts'

const resources = resourcesOf()

describe('what holds state', () => {
  it('stays when the stack goes but not when it fails to come, under the same logical ids for ever: another id would be another, empty bucket', () => {
    const kept = resources.filter(({ type }) => type === 'AWS::S3::Bucket' || type === 'AWS::KMS::Key')
    assert.deepEqual(
      kept.map(({ id, deletionPolicy }) => [id, deletionPolicy]),
      [
        ['RepositoryStorageAccessLogs537007B7', 'Retain'],
        ['RepositoryStorageMetadata0A207153', 'RetainExceptOnCreate'],
        ['RepositoryStorageStateDD9578F3', 'RetainExceptOnCreate'],
        ['RepositoryStorageOnlineKey106AE1C97', 'RetainExceptOnCreate'],
        ['RepositoryStorageOnlineKey247ABBE29', 'RetainExceptOnCreate'],
      ],
    )
  })

  it('leaves logs behind in the same way', () => {
    const logs = resourcesOf({ jwtIssuer: 'https://issuer.example', jwtAudience: ['tuffet'] }).filter(
      ({ type }) => type === 'AWS::Logs::LogGroup',
    )
    assert.equal(logs.length, 5)
    for (const { id, deletionPolicy } of logs) assert.equal(deletionPolicy, 'RetainExceptOnCreate', id)
  })

  it('gives what others know by its address or its ARN the same ids, too', () => {
    const known = [
      'AWS::ApiGatewayV2::Api',
      'AWS::CloudFront::Distribution',
      'AWS::SQS::Queue',
      'AWS::SNS::Topic',
      // What is attached to somebody's role cannot be replaced: the deployment would fail.
      'AWS::IAM::ManagedPolicy',
    ]
    const all = resourcesOf({
      jwtIssuer: 'https://issuer.example',
      jwtAudience: ['tuffet'],
      publisherPrincipals: ['123456789012'],
    })
    assert.deepEqual(
      all.filter(({ id, type }) => known.includes(type) || id.includes('AccessPublisher')).map(({ id }) => id),
      [
        'RepositoryBellDeadLettersCC8C655D',
        'RepositoryBellQueue686B3C80',
        'RepositoryApiHttp18B3D67A',
        'RepositoryTokenApiHttpEA2ACA7F',
        'RepositoryAccessreadC8B6AF19',
        'RepositoryAccesspublish2B5564FE',
        'RepositoryAccessadminister6E57CB11',
        'RepositoryAccessPublisher616AD4E2',
        'RepositoryDeliveryDistributionA4AAE74B',
        'RepositoryMonitoringAlarms7F0496FC',
      ],
    )
    // To CloudFormation another description is another policy.
    assert.deepEqual(
      all.filter(({ type }) => type === 'AWS::IAM::ManagedPolicy').map(({ properties }) => properties.Description),
      ['read', 'publish', 'administer'].map((each) => `Tuffet: may call what needs the permission ${each}`),
    )
  })

  it('is encrypted, versioned and closed', () => {
    for (const { id, properties } of resources.filter(({ type }) => type === 'AWS::S3::Bucket')) {
      assert.deepEqual(
        properties.PublicAccessBlockConfiguration,
        { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true },
        id,
      )
      assert.ok(properties.BucketEncryption, id)
      if (!id.includes('AccessLogs')) {
        assert.deepEqual(properties.VersioningConfiguration, { Status: 'Enabled' }, id)
        assert.ok(properties.LoggingConfiguration, id)
      }
    }
  })

  it('forgets finished tasks after 30 days, their idempotency records before, and nothing of the journal', () => {
    const { Rules } = only(resources, 'AWS::S3::Bucket', 'StorageState').properties.LifecycleConfiguration
    const expiring = (Rules as { Prefix?: string; ExpirationInDays?: number }[])
      .filter(({ ExpirationInDays }) => ExpirationInDays !== undefined)
      .map(({ Prefix, ExpirationInDays }) => [Prefix, ExpirationInDays])
    assert.deepEqual(expiring, [
      ['tasks/', 30],
      ['idempotency/', 7],
    ])
    const undone = (Rules as { Prefix?: string; NoncurrentVersionExpiration?: object }[])
      .filter(({ NoncurrentVersionExpiration }) => NoncurrentVersionExpiration !== undefined)
      .map(({ Prefix, NoncurrentVersionExpiration }) => [Prefix, NoncurrentVersionExpiration])
    assert.deepEqual(undone, [
      // Each commit leaves one behind.
      ['inbox/', { NoncurrentDays: 1 }],
      ['lease.json', { NoncurrentDays: 1 }],
      [undefined, { NoncurrentDays: 30 }],
    ])
    const metadata = only(resources, 'AWS::S3::Bucket', 'StorageMetadata').properties.LifecycleConfiguration.Rules
    assert.ok(metadata.every(({ ExpirationInDays }: { ExpirationInDays?: number }) => ExpirationInDays === undefined))
  })

  it('has two keys that sign P-256, so that one can be rotated to', () => {
    const keys = resources.filter(({ type }) => type === 'AWS::KMS::Key')
    assert.deepEqual(
      keys.map(({ properties }) => [properties.KeySpec, properties.KeyUsage]),
      [
        ['ECC_NIST_P256', 'SIGN_VERIFY'],
        ['ECC_NIST_P256', 'SIGN_VERIFY'],
      ],
    )
  })
})

describe('the functions', () => {
  const functions = resources.filter(({ type }) => type === 'AWS::Lambda::Function')

  it('are three, on Node 24 and arm64, each with a log that ends some time', () => {
    assert.equal(functions.length, 3)
    for (const { id, properties } of functions) {
      assert.deepEqual([properties.Runtime, properties.Architectures], ['nodejs24.x', ['arm64']], id)
      const log = resources.find((each) => each.id === properties.LoggingConfig.LogGroup.Ref)
      assert.equal(log?.properties.RetentionInDays, 90, id)
    }
  })

  it('know the buckets, keys and queues', () => {
    for (const { properties } of functions) {
      assert.deepEqual(Object.keys(properties.Environment.Variables).sort(), [
        'NODE_OPTIONS',
        'TUFFET_DEAD_LETTERS_URL',
        'TUFFET_METADATA_BUCKET',
        'TUFFET_ONLINE_KEYS',
        'TUFFET_QUEUE_URL',
        'TUFFET_STAGE',
        'TUFFET_STATE_BUCKET',
      ])
    }
  })

  it('know of other times only where they are told', () => {
    const told = resourcesOf({ rotationGraceSeconds: 1200, retentionHours: 48 })
    for (const { properties } of told.filter(({ type }) => type === 'AWS::Lambda::Function')) {
      const { TUFFET_ROTATION_GRACE_SECONDS: grace, TUFFET_RETENTION_SECONDS: retention } =
        properties.Environment.Variables
      assert.deepEqual([grace, retention], ['1200', String(48 * 3600)])
    }
  })

  it('are deployed without custom resources and without a VPC', () => {
    for (const { type, properties } of resources) {
      assert.ok(!type.startsWith('Custom::') && type !== 'AWS::CloudFormation::CustomResource', type)
      assert.equal(properties.VpcConfig, undefined)
    }
  })
})

describe('the doorbell', () => {
  it('gives a run six times its time, takes partial batches, and keeps what it could not deliver', () => {
    const queue = only(resources, 'AWS::SQS::Queue', 'BellQueue').properties
    const publish = only(resources, 'AWS::Lambda::Function', 'PublisherPublish').properties
    assert.equal(queue.VisibilityTimeout, 6 * publish.Timeout)
    assert.equal(text(queue.RedrivePolicy.deadLetterTargetArn), '<RepositoryBellDeadLettersCC8C655D.Arn>')
    const mapping = only(resources, 'AWS::Lambda::EventSourceMapping').properties
    assert.deepEqual(mapping.FunctionResponseTypes, ['ReportBatchItemFailures'])
    assert.deepEqual(mapping.ScalingConfig, { MaximumConcurrency: 2 })
    assert.equal(publish.ReservedConcurrentExecutions, undefined)
  })

  it('may be rung by the run that it woke, as often as there is more to do than a run has time for', () => {
    const loops = ['PublisherPublish', 'PublisherRefresh', 'Front'].map(
      (word) => only(resources, 'AWS::Lambda::Function', word).properties.RecursiveLoop,
    )
    assert.deepEqual(loops, ['Allow', undefined, undefined])
  })

  it('has a second, which looks every minute and is not tried twice', () => {
    const schedule = only(resources, 'AWS::Scheduler::Schedule').properties
    assert.equal(schedule.ScheduleExpression, 'rate(1 minute)')
    assert.equal(schedule.Target.RetryPolicy.MaximumRetryAttempts, 0)
    assert.equal(only(resources, 'AWS::Lambda::EventInvokeConfig').properties.MaximumRetryAttempts, 0)
  })
})
