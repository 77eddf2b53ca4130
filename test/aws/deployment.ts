import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { variables } from '../../shared/app/environment.ts'
import { sqsRecord } from '../support/sqs.ts'
import { clientConfig } from './clients.ts'
import type { Emulator } from './emulator.ts'

/** What a stack would make, made by hand: for tests of the functions without any infrastructure around them. */
export interface Deployment {
  /** What the functions find in their environment, the emulator included. */
  readonly environment: Readonly<Record<string, string>>
  /** Where clients find metadata: the bucket itself, which only an emulator that asks for no permission serves. */
  readonly metadataUrl: string
  readonly keyIds: readonly string[]
  /**
   * The messages that ring now, taken off the queue, as the publisher's event; waits up to so many seconds for the
   * first.
   */
  rings(wait?: number): Promise<SQSEvent>
  /** The bodies of the dead letters there are. */
  deadLetters(): Promise<string[]>
}

/**
 * Buckets, two keys and two queues. Functions reach S3 and KMS at `through`, which may be a proxy in front of the
 * emulator; SQS is where its own queue URLs say.
 */
export async function deploy(emulator: Emulator, through: string = emulator.endpoint): Promise<Deployment> {
  const config = clientConfig(emulator)
  // Its long polling is a silence that is meant.
  const patient = { ...config, requestHandler: { socketTimeout: 60_000 } }
  const [s3, kms, sqs] = [
    new S3Client({ ...config, forcePathStyle: true }),
    new KMSClient(config),
    new SQSClient(patient),
  ]
  const name = `t${Date.now().toString(36)}`
  const [metadata, state] = [`${name}-metadata`, `${name}-state`]
  for (const Bucket of [metadata, state]) await s3.send(new CreateBucketCommand({ Bucket }))
  const newKey = async () => {
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }))
    return KeyMetadata?.KeyId ?? ''
  }
  const newQueue = async (QueueName: string) =>
    (await sqs.send(new CreateQueueCommand({ QueueName, Attributes: { VisibilityTimeout: '1' } }))).QueueUrl ?? ''
  const keyIds = [await newKey(), await newKey()]
  const [queue, deadLetters] = [await newQueue(`${name}-bell`), await newQueue(`${name}-dead`)]

  async function take(QueueUrl: string, wait: number): Promise<SQSRecord[]> {
    const request = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: wait }
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(request))
    for (const { ReceiptHandle } of Messages) await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
    return Messages.map(({ MessageId = '', Body = '' }) => sqsRecord(MessageId, Body))
  }

  return {
    environment: {
      ...emulator.environment,
      AWS_ENDPOINT_URL: through,
      // Where the URLs of the queues say; the SDK warns of a difference.
      AWS_ENDPOINT_URL_SQS: emulator.endpoint,
      [variables.stage]: 'test',
      [variables.metadataBucket]: metadata,
      [variables.stateBucket]: state,
      [variables.onlineKeys]: keyIds.join(','),
      [variables.queue]: queue,
      [variables.deadLetters]: deadLetters,
    },
    metadataUrl: `${emulator.endpoint}/${metadata}/metadata`,
    keyIds,
    rings: async (wait = 0) => ({ Records: await take(queue, wait) }),
    deadLetters: async () => (await take(deadLetters, 0)).map(({ body }) => body),
  }
}
