import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { sqsQueue } from '../../shared/adapters/aws/sqs-queue.ts'
import { queueContract } from '../contract/queue.ts'
import { clientConfig } from './clients.ts'
import { freePort, useEnvironment } from './emulator.ts'
import { startMinistack } from './ministack.ts'

const ministack = await startMinistack()
after(() => ministack[Symbol.asyncDispose]())
const client = new SQSClient({ ...clientConfig(ministack), requestHandler: { socketTimeout: 30_000 } })
const taskId = '0'.repeat(32)

let queues = 0
async function createQueue(): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: `bell-${queues++}` }))
  return QueueUrl ?? ''
}

async function received(url: string): Promise<string[]> {
  const request = new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 10, MaxNumberOfMessages: 1 })
  const { Messages = [] } = await client.send(request)
  return Messages.map(({ Body }) => Body ?? '')
}

const neverLost = (error: unknown) => assert.fail(String(error))

queueContract('sqsQueue', async () => {
  const url = await createQueue()
  return {
    queue: sqsQueue(url, neverLost, { client }),
    woken: async () => assert.equal((await received(url)).length, 1),
    [Symbol.asyncDispose]: async () => {},
  }
})

describe('sqsQueue', () => {
  it('says the task id and nothing else, to the region and endpoint of the environment', async () => {
    using _ = useEnvironment(ministack.environment)
    const url = await createQueue()
    await sqsQueue(url, neverLost).ring(taskId)
    assert.deepEqual(await received(url), [taskId])
  })

  it('tells of a ring that is lost, and lets the caller go on', async () => {
    const lost: unknown[] = []
    const onLost = (...arguments_: unknown[]) => lost.push(arguments_)
    await sqsQueue(`${ministack.endpoint}/000000000000/no-such-queue`, onLost, { client }).ring(taskId)
    const nowhere = `http://127.0.0.1:${await freePort()}`
    await sqsQueue(`${nowhere}/000000000000/bell`, onLost, { client }).ring(taskId)
    assert.equal(lost.length, 2)
    for (const [error, id] of lost as [unknown, unknown][]) {
      assert.ok(error instanceof Error)
      assert.equal(id, taskId)
    }
  })
})
