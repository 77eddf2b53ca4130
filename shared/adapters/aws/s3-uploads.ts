import { createHash } from 'node:crypto'
import { GetObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { SignatureV4 } from '@smithy/signature-v4'
import { StoreError } from '../../repository/ports.ts'
import { type Announced, type Arrived, bulkName, maximumBulkBytes, type Uploads } from '../../repository/uploads.ts'
import { clientSettings } from './client-settings.ts'
import { serviceError } from './service-error.ts'
import { Sha256 } from './sha256.ts'

/** Seconds that an address is good for. */
const addressFor = 3600

/** Bulk files that clients put into a bucket themselves, by an address that was signed for the one file. */
export function s3Uploads(bucket: string, client: S3Client = new S3Client(clientSettings)): Uploads {
  const place = (id: string) => ({ Bucket: bucket, Key: bulkName(id) })

  async function attempt<Result>(what: string, id: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof StoreError) throw error
      const why = `Could not ${what} s3://${bucket}/${bulkName(id)}: ${serviceError(error).summary}`
      throw new StoreError('unavailable', why, { cause: error })
    }
  }

  /** S3 has checked the hash of what was announced; the others it never told. */
  async function hashOf(id: string): Promise<string> {
    const { Body } = await client.send(new GetObjectCommand(place(id)))
    if (Body === undefined) throw new StoreError('unavailable', 'S3 answered with an object without its content.')
    const hash = createHash('sha256')
    for await (const chunk of Body as AsyncIterable<Uint8Array>) hash.update(chunk)
    return hash.digest('hex')
  }

  return {
    address: (id, announced) =>
      attempt('sign an address for', id, async () => {
        const headers = headersFor(announced)
        return { method: 'PUT', url: await presigned(client, place(id), headers), headers }
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

/** The parts of a request that the SDK would send, as far as they say where to. */
interface Destination {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
}

/** The URL of a put with these headers and whatever body, signed with the client's own credentials. */
async function presigned(
  client: S3Client,
  place: { readonly Bucket: string; readonly Key: string },
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const { protocol, hostname, port, path } = await destinationOf(client, place)
  const { region, credentials } = client.config
  const signer = new SignatureV4({
    service: 's3',
    region,
    credentials,
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  })
  const host = port === undefined ? hostname : `${hostname}:${port}`
  const signed = await signer.presign(
    {
      method: 'PUT',
      protocol,
      hostname,
      ...(port !== undefined && { port }),
      path,
      query: {},
      headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers },
    },
    {
      expiresIn: addressFor,
      unhoistableHeaders: new Set(Object.keys(headers)),
      signableHeaders: new Set(['host', ...Object.keys(headers)]),
    },
  )
  const query = Object.entries(signed.query ?? {}).map(([name, value]) => [name, String(value)] as [string, string])
  return `${protocol}//${host}${path}?${new URLSearchParams(query)}`
}

/** Region, endpoint and form of the path are the SDK's business: it makes a request, which is looked at and not sent. */
async function destinationOf(
  client: S3Client,
  place: { readonly Bucket: string; readonly Key: string },
): Promise<Destination> {
  const command = new GetObjectCommand(place)
  let destination: Destination | undefined
  command.middlewareStack.add(
    () => async (args) => {
      destination = args.request as Destination
      return { response: undefined, output: { $metadata: {} } }
    },
    { step: 'finalizeRequest', name: 'destinationOf', priority: 'high' },
  )
  await client.send(command)
  if (destination === undefined) throw new StoreError('unavailable', 'The SDK made no request.')
  return destination
}
