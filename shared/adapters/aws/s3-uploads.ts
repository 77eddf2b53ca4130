import { createHash } from 'node:crypto'
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { type Announced, type Arrived, bulkName, maximumBulkBytes, type Uploads } from '../../repository/uploads.ts'
import { clientSettings } from './client-settings.ts'
import { asStoreError, incomplete } from './s3-errors.ts'
import { serviceError } from './service-error.ts'

/** Seconds that an address is good for. */
const addressFor = 3600

/** Bulk files that clients put into a bucket themselves, by an address that was signed for the one file. */
export function s3Uploads(bucket: string, settings: S3ClientConfig = clientSettings): Uploads {
  // Else an address without a hash would hold whoever puts to the CRC of nothing, for there is no content yet.
  const client = new S3Client({ ...settings, requestChecksumCalculation: 'WHEN_REQUIRED' })
  const place = (id: string) => ({ Bucket: bucket, Key: bulkName(id) })

  async function attempt<Result>(what: string, id: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw asStoreError(error, what, `s3://${bucket}/${bulkName(id)}`)
    }
  }

  /** S3 has checked the hash of what was announced; the others it never told. */
  async function hashOf(id: string): Promise<string> {
    const { Body } = await client.send(new GetObjectCommand(place(id)))
    if (Body === undefined) throw incomplete('an object without its content')
    const hash = createHash('sha256')
    for await (const chunk of Body as AsyncIterable<Uint8Array>) hash.update(chunk)
    return hash.digest('hex')
  }

  return {
    address: (id, announced) =>
      attempt('sign an address for', id, async () => {
        const headers = headersFor(announced)
        const names = Object.keys(headers)
        const command = new PutObjectCommand({
          ...place(id),
          IfNoneMatch: headers['if-none-match'],
          ContentLength: announced.bytes,
          ChecksumSHA256: headers['x-amz-checksum-sha256'],
        })
        // Who puts has to send them, so none may move into the address.
        const signing = { unhoistableHeaders: new Set(names), signableHeaders: new Set(['host', ...names]) }
        const url = await getSignedUrl(client, command, { expiresIn: addressFor, ...signing })
        return { method: 'PUT', url, headers }
      }),

    arrived: (id) =>
      attempt('look at', id, async (): Promise<Arrived | undefined> => {
        try {
          const head = await client.send(new HeadObjectCommand({ ...place(id), ChecksumMode: 'ENABLED' }))
          const bytes = head.ContentLength ?? 0
          if (bytes > maximumBulkBytes) return { bytes, sha256: '' }
          const known = head.ChecksumType === 'COMPOSITE' ? undefined : head.ChecksumSHA256
          const sha256 = known === undefined ? await hashOf(id) : Buffer.from(known, 'base64').toString('hex')
          return { bytes, sha256 }
        } catch (error) {
          if (['NotFound', 'NoSuchKey'].includes(serviceError(error).name)) return undefined
          throw error
        }
      }),
  }
}

/** What the client has to send, and S3 holds it to. */
function headersFor({ bytes, sha256 }: Announced): Record<string, string> {
  return {
    'if-none-match': '*',
    ...(bytes !== undefined && { 'content-length': String(bytes) }),
    ...(sha256 !== undefined && { 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') }),
  }
}
