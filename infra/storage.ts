import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import { type IKey, Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  BucketPolicy,
  type IBucket,
  type LifecycleRule,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { metadataGuards, overTlsOnly, stateGuards } from './guards.ts'

export interface StorageProps {
  readonly metadataBucketName: string | undefined
  readonly stateBucketName: string | undefined
  readonly onlineKeyArns: readonly string[] | undefined
  readonly logRetentionDays: number
  readonly guardWrites: boolean
}

/**
 * How long a version stays that was replaced or deleted, to undo a mistake. Metadata short: clients refuse to go back in time,
 * and each commit leaves half a megabyte of snapshot behind where there are many bins.
 */
const undoTime = { metadata: Duration.days(3), state: Duration.days(30) }

/** When the stack goes; but not when it never came to be, or each attempt would leave buckets, keys and logs behind. */
export const staying = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE

/**
 * What outlives everything else: the two buckets and the online keys. All of it stays when the stack is destroyed, and
 * a new stack can be built around it.
 */
export class Storage extends Construct {
  /** What clients read, under `metadata/`. */
  readonly metadata: IBucket
  /** What nobody but the service reads. */
  readonly state: IBucket
  /** Where accesses to both, and to the distribution, are noted down. */
  readonly accessLogs: IBucket
  /** The online keys: the first signs, the others may be rotated to. */
  readonly onlineKeys: readonly IKey[]
  /** The policy of the metadata bucket, for the distribution to be let in. */
  readonly metadataPolicy: BucketPolicy

  constructor(scope: Construct, id: string, props: StorageProps) {
    super(scope, id)
    this.accessLogs = this.#accessLogs(props.logRetentionDays)
    this.metadata = this.#bucket('Metadata', props.metadataBucketName, undoTime.metadata, [])
    this.state = this.#bucket('State', props.stateBucketName, undoTime.state, [
      { id: 'finished-tasks', prefix: 'tasks/', expiration: Duration.days(30) },
      { id: 'idempotency', prefix: 'idempotency/', expiration: Duration.days(7) },
      // S3 steps over each task that was deleted, and over its delete marker, whenever the inbox is listed: with each commit.
      { id: 'done-tasks', prefix: 'inbox/', noncurrentVersionExpiration: Duration.days(1) },
      // Replaced with each commit, and S3 slows down where one object has millions of versions. Nobody wants an old one back.
      { id: 'old-leases', prefix: 'lease.json', noncurrentVersionExpiration: Duration.days(1) },
    ])
    this.onlineKeys = props.onlineKeyArns?.map((arn, index) =>
      Key.fromKeyArn(this, `ExistingKey${index + 1}`, arn),
    ) ?? [this.#onlineKey(1), this.#onlineKey(2)]

    const conditionalWrites = props.guardWrites
    this.metadataPolicy = this.#policy('MetadataPolicy', this.metadata)
    this.metadataPolicy.document.addStatements(...metadataGuards(this.metadata, { conditionalWrites }))
    const statePolicy = this.#policy('StatePolicy', this.state)
    statePolicy.document.addStatements(...stateGuards(this.state, { conditionalWrites }))
  }

  #bucket(id: string, existing: string | undefined, undo: Duration, lifecycleRules: LifecycleRule[]): IBucket {
    if (existing !== undefined) return Bucket.fromBucketName(this, id, existing)
    const bucket = new Bucket(this, id, {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      versioned: true,
      lifecycleRules: [
        ...lifecycleRules,
        {
          id: 'undo-time',
          noncurrentVersionExpiration: undo,
          expiredObjectDeleteMarker: true,
          abortIncompleteMultipartUploadAfter: Duration.days(7),
        },
      ],
      serverAccessLogsBucket: this.accessLogs,
      serverAccessLogsPrefix: `${id.toLowerCase()}/`,
      removalPolicy: staying,
    })
    return bucket as IBucket
  }

  /** The same policy around a bucket of this stack and one that was there before. */
  #policy(id: string, bucket: IBucket): BucketPolicy {
    const policy = new BucketPolicy(this, id, { bucket })
    policy.document.addStatements(overTlsOnly(bucket))
    if (bucket instanceof Bucket) bucket.policy = policy
    return policy
  }

  #accessLogs(retentionDays: number): IBucket {
    const bucket = new Bucket(this, 'AccessLogs', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      // The standard logs of CloudFront are delivered by an access control list.
      objectOwnership: ObjectOwnership.OBJECT_WRITER,
      lifecycleRules: [{ id: 'retention', expiration: Duration.days(retentionDays) }],
      // It may hold something by the time that a stack fails to come to be, and what holds something cannot go.
      removalPolicy: RemovalPolicy.RETAIN,
    })
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'This is where the access logs go: logging access to them would log the logging.',
    })
    return bucket as IBucket
  }

  #onlineKey(number: number): Key {
    return new Key(this, `OnlineKey${number}`, {
      description: `${this.node.path}: online key ${number}, signs TUF metadata`,
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      pendingWindow: Duration.days(30),
      removalPolicy: staying,
    })
  }
}
