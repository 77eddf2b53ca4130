import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { Queue } from '../../repository/ports.ts'
import { clientSettings } from './client-settings.ts'

let shared: SQSClient | undefined

/** One for all queues of the process, so that they share its connections; made when it is first needed. */
function sharedClient(): SQSClient {
  shared ??= new SQSClient(clientSettings)
  return shared
}

export interface SqsQueueOptions {
  /** Milliseconds until a ring counts as lost, however many of the SDK's attempts are left. Absent: after the last of them. */
  readonly patience?: number
  readonly client?: SQSClient
}

/**
 * Rings by a message whose body is the task id, and nothing else. What is rung for is durable before, and the refresher
 * finds it without a bell; so a ring that SQS does not take is no error: `onLost` is told, and `ring` resolves.
 */
export function sqsQueue(
  queueUrl: string,
  onLost: (error: unknown, taskId: string) => void,
  { patience, client = sharedClient() }: SqsQueueOptions = {},
): Queue {
  return {
    async ring(taskId) {
      const abortSignal = patience === undefined ? undefined : AbortSignal.timeout(patience)
      try {
        const command = new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: taskId })
        await client.send(command, { ...(abortSignal && { abortSignal }) })
      } catch (error) {
        const tooLate = `SQS did not take the message within ${patience} ms.`
        onLost(abortSignal?.aborted ? new Error(tooLate, { cause: error }) : error, taskId)
      }
    },
  }
}
