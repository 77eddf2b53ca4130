import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { Queue } from '../../repository/ports.ts'
import { clientSettings } from './client-settings.ts'

let shared: SQSClient | undefined

/** One for all queues of the process, so that they share its connections; made when it is first needed. */
function sharedClient(): SQSClient {
  shared ??= new SQSClient(clientSettings)
  return shared
}

/**
 * Rings by a message whose body is the task id, and nothing else. What is rung for is durable before, and the refresher
 * finds it without a bell; so a ring that SQS does not take, after the SDK's own attempts, is no error: `onLost` is
 * told, and `ring` resolves.
 */
export function sqsQueue(
  queueUrl: string,
  onLost: (error: unknown, taskId: string) => void,
  client: SQSClient = sharedClient(),
): Queue {
  return {
    async ring(taskId) {
      try {
        await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: taskId }))
      } catch (error) {
        onLost(error, taskId)
      }
    },
  }
}
