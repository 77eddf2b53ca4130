import { DeleteObjectCommand, DeleteObjectsCommand, type S3Client } from '@aws-sdk/client-s3'

/** The most that S3 deletes by one request (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html). */
const mostAtOnce = 1_000

/** The request for several names them in XML, which cannot hold every character. */
const isPlain = (key: string) => /^[ -~]+$/.test(key)

interface Waiting {
  readonly key: string
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/**
 * Deletes objects of a bucket, those that are not there too. Whoever comes while a request is under way shares the next one: a
 * commit that has finished a thousand tasks empties the inbox by a few requests. Each is told what became of its own; rejects with
 * the SDK's errors.
 */
export function sharedDeletes(bucket: string, client: S3Client): (key: string) => Promise<void> {
  let waiting: Waiting[] = []
  let isUnderWay = false

  async function deleteWaiting(): Promise<void> {
    isUnderWay = true
    while (waiting.length > 0) {
      const group = waiting.slice(0, mostAtOnce)
      waiting = waiting.slice(mostAtOnce)
      try {
        const refused = await deleteAll([...new Set(group.map(({ key }) => key))])
        for (const { key, done, failed } of group) {
          const error = refused.get(key)
          if (error === undefined) done()
          else failed(error)
        }
      } catch (error) {
        for (const { failed } of group) failed(error)
      }
    }
    isUnderWay = false
  }

  /** What S3 refused, by key. */
  async function deleteAll(keys: readonly string[]): Promise<ReadonlyMap<string, Error>> {
    const [only, ...others] = keys
    if (only !== undefined && others.length === 0) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: only }))
      return new Map()
    }
    const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true }
    const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete }))
    return new Map(
      Errors.map(({ Key = '', Code = 'UnknownError', Message = 'S3 gives no reason.' }) => [
        Key,
        Object.assign(new Error(Message), { name: Code }),
      ]),
    )
  }

  return async (key) => {
    if (!isPlain(key)) return void (await deleteAll([key]))
    await new Promise<void>((done, failed) => {
      waiting.push({ key, done, failed })
      if (!isUnderWay) void deleteWaiting()
    })
  }
}
