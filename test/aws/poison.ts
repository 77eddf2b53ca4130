import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { ListQueuesCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { administrator, type Deployed } from './deployed.ts'

/** Both functions that publish have this much from now on: the least that Lambda gives, in MiB. Enough for what is usual. */
const little = 128

/** The two functions that publish, by words of their names. */
const publishers = ['Publish', 'Refresh'] as const

/**
 * Posts a request that the API takes, below the limit of 5 MiB, and that needs twenty times its bytes once it is parsed:
 * a publisher with little memory dies of it each time, as Node does when its heap is full. Returns the id of the task.
 */
export async function postPoison({ addresses }: Deployed): Promise<string> {
  const custom = { many: Array.from({ length: 1_600_000 }, () => ({})) }
  const info = { length: 1, hashes: { sha256: randomBytes(32).toString('hex') }, custom }
  const body = Buffer.from(JSON.stringify({ artifacts: [{ path: 'poison', info }] }))
  const headers = { 'content-type': 'application/json' }
  const answer = await addresses.api({ method: 'POST', path: '/api/v1/artifacts', body, headers }, administrator)
  assert.equal(answer.status, 202, String(answer.body))
  return JSON.parse(answer.body.toString()).data.task_id
}

/** While it lasts, the functions that publish have little memory. */
export async function withLittleMemory(deployed: Deployed, work: () => Promise<void>): Promise<void> {
  const { configuration, configure } = deployed
  const { MemorySize } = await configuration('Publish')
  for (const name of publishers) await configure(name, { MemorySize: little })
  await work()
  for (const name of publishers) await configure(name, { MemorySize })
}

/** How often a publisher has died of a full heap; what it printed last is in its log. */
export async function deaths({ log }: Deployed): Promise<number> {
  const lines = (await Promise.all(publishers.map(log))).flat()
  return lines.filter((line) => line.includes('JavaScript heap out of memory')).length
}

/** A minute passes, in which nobody renews the lease of a publisher that is dead. */
export async function leaseEnds({ s3, outputs }: Deployed): Promise<void> {
  const place = { Bucket: outputs['StateBucket'], Key: 'lease.json' }
  const { Body } = await s3.send(new GetObjectCommand(place))
  const lease = JSON.parse((await Body?.transformToString()) ?? '')
  await s3.send(
    new PutObjectCommand({ ...place, Body: JSON.stringify({ ...lease, until: new Date(0).toISOString() }) }),
  )
}

/** The messages in the dead-letter queue. */
export async function deadLetters({ sqs }: Deployed): Promise<(string | undefined)[]> {
  const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}))
  const QueueUrl = QueueUrls.find((url) => url.includes('DeadLetters'))
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 1 }),
  )
  return Messages.map(({ Body }) => Body)
}
