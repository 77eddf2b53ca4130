import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'

/**
 * What each function may do, statement by statement. Written by hand: a generated grant asks for whole buckets and
 * whole families of actions, and the difference between the functions is what keeps a fault in one of them small.
 */

export interface Resources {
  readonly metadata: IBucket
  readonly state: IBucket
  readonly onlineKeys: readonly IKey[]
  readonly queue: IQueue
  readonly deadLetters: IQueue
}

/** Takes requests in and answers questions. It signs nothing, and writes no metadata and no history. */
export const apiGrants = ({ metadata, state, onlineKeys, queue }: Resources): PolicyStatement[] => [
  list('SeeWhatIsMissing', [metadata, state]),
  on('ReadMetadata', ['s3:GetObject'], metadata, ['metadata/*']),
  on('ReadState', ['s3:GetObject'], state, ['*']),
  on('AcceptTasks', ['s3:PutObject'], state, ['inbox/*', 'idempotency/*', 'bulk/*']),
  // What a path was before an import, or a revert, belongs to the history, by which a revert goes.
  new PolicyStatement({
    sid: 'LeaveHistory',
    effect: Effect.DENY,
    actions: ['s3:PutObject'],
    resources: ['bulk/*.before', 'bulk/*.changes'].map((name) => state.arnForObjects(name)),
  }),
  keys('ShowOnlineKeys', ['kms:GetPublicKey'], onlineKeys),
  new PolicyStatement({ sid: 'RingTheBell', actions: ['sqs:SendMessage'], resources: [queue.queueArn] }),
]

/** Commits: the only way in which metadata comes to be. It deletes nothing but tasks that it has finished, and what was prepared for them. */
export const publisherGrants = ({ metadata, state, onlineKeys, queue, deadLetters }: Resources): PolicyStatement[] => [
  list('SeeWhatIsMissing', [metadata, state]),
  on('WriteMetadata', ['s3:GetObject', 's3:PutObject'], metadata, ['metadata/*']),
  on('ReadState', ['s3:GetObject'], state, ['*']),
  on('WriteState', ['s3:PutObject'], state, [
    'tasks/*',
    'spoilt/*',
    'commits/*',
    'state/*',
    'lease.json',
    'bootstrap.json',
    'preparations/*',
    // What the paths of an import were before, and what a revert has changed: the uploads themselves it only reads.
    'bulk/*.before',
    'bulk/*.changes',
  ]),
  on('FinishTasks', ['s3:DeleteObject'], state, ['inbox/*', 'preparations/*']),
  keys('ShowOnlineKeys', ['kms:GetPublicKey'], onlineKeys),
  signing(onlineKeys),
  new PolicyStatement({
    sid: 'RingTheBell',
    actions: ['sqs:SendMessage'],
    resources: [queue.queueArn, deadLetters.queueArn],
  }),
]

/** What the event source of the publisher does in its name. */
export const bellGrants = ({ queue }: Resources): PolicyStatement[] => [
  new PolicyStatement({
    sid: 'HearTheBell',
    actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'],
    resources: [queue.queueArn],
  }),
]

/** Commits what is due, and takes away what was superseded or never became visible. */
export const refresherGrants = (resources: Resources): PolicyStatement[] => [
  ...publisherGrants(resources),
  on('CollectMetadata', ['s3:DeleteObject'], resources.metadata, ['metadata/*']),
  new PolicyStatement({
    sid: 'KeepRootsAndTimestamp',
    effect: Effect.DENY,
    actions: ['s3:DeleteObject'],
    resources: ['metadata/*.root.json', 'metadata/timestamp.json'].map((name) =>
      resources.metadata.arnForObjects(name),
    ),
  }),
  on('CollectState', ['s3:DeleteObject'], resources.state, ['commits/*', 'state/*', 'bulk/*']),
  on('NoteWhatWasCollected', ['s3:PutObject'], resources.state, ['collected.json']),
]

const on = (sid: string, actions: string[], bucket: IBucket, names: readonly string[]) =>
  new PolicyStatement({ sid, actions, resources: names.map((name) => bucket.arnForObjects(name)) })

const list = (sid: string, buckets: readonly IBucket[]) =>
  new PolicyStatement({ sid, actions: ['s3:ListBucket'], resources: buckets.map(({ bucketArn }) => bucketArn) })

const keys = (sid: string, actions: string[], onlineKeys: readonly IKey[]) =>
  new PolicyStatement({ sid, actions, resources: onlineKeys.map(({ keyArn }) => keyArn) })

/** Digests only, and by the two algorithms that TUF clients know. KMS always says both of a request to sign. */
const signing = (onlineKeys: readonly IKey[]) =>
  new PolicyStatement({
    sid: 'Sign',
    actions: ['kms:Sign'],
    resources: onlineKeys.map(({ keyArn }) => keyArn),
    conditions: {
      StringEqualsIfExists: {
        'kms:MessageType': 'DIGEST',
        'kms:SigningAlgorithm': ['ECDSA_SHA_256', 'RSASSA_PSS_SHA_256'],
      },
    },
  })
