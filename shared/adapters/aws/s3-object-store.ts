import { setTimeout } from 'node:timers/promises'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3'
import { type ObjectStore, type Stored, StoreError, type Tag } from '../../repository/ports.ts'
import { clientSettings } from './client-settings.ts'
import { sharedDeletes } from './s3-deletes.ts'
import { asStoreError, incomplete } from './s3-errors.ts'
import { serviceError } from './service-error.ts'

export interface S3Place {
  readonly bucket: string
  /** Comes before every name and is not part of it: `metadata/`. */
  readonly prefix?: string
  /** The Cache-Control header that an object of this name is served with; nothing for none. */
  readonly cacheControl?: (name: string) => string | undefined
}

/** How often a write is repeated that S3 answers with "there is another one under way", or whose rival vanishes. */
const attempts = 10
/** Milliseconds before the first repetition at the most, doubled for each one after. */
const firstPause = 25
const longestPause = 1_000
/** The most that S3 lists at once. */
const page = 1_000
/** Bytes from which on an object is not to be in memory twice, not even for a moment. */
const large = 8 * 1024 * 1024

let shared: S3Client | undefined

/** One for all stores of the process, so that they share its connections; made when it is first needed. */
function sharedClient(): S3Client {
  shared ??= new S3Client(clientSettings)
  return shared
}

/**
 * The objects of a bucket below a prefix. Writes are compare-and-swap by S3 itself
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html), so any number of writers in any
 * number of processes are safe; a tag is an ETag.
 *
 * Codes: a write that S3 denies is 'read-only', for it had no effect and repeating is in vain; all else that is not
 * part of the comparison is 'unavailable', after the SDK's own attempts. `age` is exact to a second. S3 lists in the
 * order of UTF-8, which is the port's order for all names but those that set characters beyond U+FFFF against those
 * from U+E000 on.
 */
export function s3ObjectStore(
  { bucket, prefix = '', cacheControl = () => undefined }: S3Place,
  client: S3Client = sharedClient(),
): ObjectStore {
  const place = (name: string) => ({ Bucket: bucket, Key: prefix + name })
  const deleteObject = sharedDeletes(bucket, client)

  async function attempt<Result>(what: string, name: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw asStoreError(error, what, `s3://${bucket}/${prefix}${name}`)
    }
  }

  function read(name: string): Promise<Stored | undefined> {
    return attempt('read', name, async () => {
      const command = new GetObjectCommand(place(name))
      const date = dateOfAnswer(command)
      try {
        const { Body, ETag, LastModified, ContentLength = 0 } = await client.send(command)
        if (Body === undefined || ETag === undefined) throw incomplete('an object without its ETag')
        const bytes = await (ContentLength < large ? Body.transformToByteArray() : collected(Body, ContentLength))
        return { bytes, tag: ETag as Tag, age: ageOf(LastModified, date()) }
      } catch (error) {
        if (serviceError(error).name === 'NoSuchKey') return undefined
        throw error
      }
    })
  }

  function range(name: string, start: number, end: number): Promise<Uint8Array | undefined> {
    return attempt('read', name, async () => {
      try {
        const command = new GetObjectCommand({ ...place(name), Range: `bytes=${start}-${end - 1}` })
        const { Body } = await client.send(command)
        if (Body === undefined) throw incomplete('a range without its bytes')
        return await Body.transformToByteArray()
      } catch (error) {
        const { name: code } = serviceError(error)
        if (code === 'NoSuchKey') return undefined
        if (code === 'InvalidRange') return new Uint8Array()
        throw error
      }
    })
  }

  /**
   * Puts on this condition and tells what came of it; 'lost' is what a repeated request of a put that took effect is
   * told as well.
   */
  async function put(name: string, bytes: Uint8Array, condition: Condition): Promise<PutOutcome> {
    const CacheControl = cacheControl(name)
    try {
      const { ETag } = await client.send(
        new PutObjectCommand({
          ...place(name),
          ...condition,
          Body: bytes,
          ContentType: 'application/json',
          ...(CacheControl !== undefined && { CacheControl }),
        }),
      )
      if (ETag === undefined) throw incomplete('a write without its ETag')
      return { tag: ETag as Tag }
    } catch (error) {
      const { name: code, status } = serviceError(error)
      if (status === 412 || code === 'NoSuchKey') return 'lost'
      if (status === 409) return 'conflict'
      throw error
    }
  }

  function write(what: 'create' | 'replace', name: string, bytes: Uint8Array, condition: Condition): Promise<Tag> {
    return attempt(what, name, async () => {
      for (let repetition = 0; repetition < attempts; repetition++) {
        const outcome = await put(name, bytes, condition)
        if (typeof outcome === 'object') return outcome.tag
        if (outcome === 'lost') {
          const stored = await read(name)
          if (stored !== undefined && Buffer.compare(stored.bytes, bytes) === 0) return stored.tag
          if (what === 'replace') throw new StoreError('changed', `${name} is not the version that was to be replaced.`)
          if (stored !== undefined) throw new StoreError('exists', `${name} exists with other content.`)
          // Somebody deleted it since: there is room again.
        }
        await setTimeout(Math.random() * Math.min(longestPause, firstPause * 2 ** repetition))
      }
      throw new StoreError('unavailable', `${name} was being written by others ${attempts} times in a row.`)
    })
  }

  return {
    read,
    range,
    create: (name, bytes) => write('create', name, bytes, { IfNoneMatch: '*' }),
    replace: (name, bytes, tag) => write('replace', name, bytes, { IfMatch: tag }),

    delete: (name) => attempt('delete', name, () => deleteObject(prefix + name)),

    list: (begin, { after = '', limit = Number.POSITIVE_INFINITY } = {}) =>
      attempt('list', begin, async () => {
        const names: string[] = []
        let from: { StartAfter?: string } | { ContinuationToken: string } =
          after === '' ? {} : { StartAfter: prefix + after }
        while (names.length < limit) {
          const listed: ListObjectsV2CommandOutput = await client.send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: prefix + begin,
              MaxKeys: Math.min(page, limit - names.length),
              ...from,
            }),
          )
          for (const { Key } of listed.Contents ?? []) if (Key !== undefined) names.push(Key.slice(prefix.length))
          if (listed.NextContinuationToken === undefined) break
          from = { ContinuationToken: listed.NextContinuationToken }
        }
        return names
      }),
  }
}

type Condition = Pick<PutObjectCommandInput, 'IfNoneMatch' | 'IfMatch'>
type PutOutcome = { readonly tag: Tag } | 'lost' | 'conflict'

/** The SDK's way keeps all the pieces until it has put them together. */
async function collected(body: object, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = 0
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    bytes.set(piece, at)
    at += piece.length
  }
  if (at !== length) throw incomplete(`${at} of ${length} bytes`)
  return bytes
}

/** The store's own clock: the Date header of the answer, which the SDK does not hand out by itself. */
function dateOfAnswer(command: GetObjectCommand): () => Date | undefined {
  let date: string | undefined
  command.middlewareStack.add(
    (next) => async (args) => {
      const answer = await next(args)
      date = (answer.response as { headers?: Record<string, string> }).headers?.['date']
      return answer
    },
    { step: 'deserialize', name: 'dateOfAnswer' },
  )
  return () => (date === undefined ? undefined : new Date(date))
}

/** Milliseconds; 0 if the answer does not tell: whoever waits for an age then waits longer, never too short. */
function ageOf(modified: Date | undefined, now: Date | undefined): number {
  const age = (now?.getTime() ?? Number.NaN) - (modified?.getTime() ?? Number.NaN)
  return Number.isNaN(age) ? 0 : Math.max(0, age)
}
