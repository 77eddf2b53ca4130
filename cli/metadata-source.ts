import { readFileSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { awsFailure } from './access.ts'
import { unreachable } from './api-client.ts'
import { folderUrl } from './context.ts'
import { CliError, unreadable } from './output.ts'

/** Somewhere that metadata can be read. */
export interface MetadataSource {
  readonly where: string
  /** The bytes of a file, or nothing if there is none. Throws CliError: 'unreachable', or 'usage' for a file of this machine. */
  read(file: string): Promise<Uint8Array | undefined>
  /** Every file there; nothing where that cannot be known. */
  readonly names?: readonly string[]
  /** Where it is one of this machine. */
  readonly directory?: string
  /** The bytes of an object of the private state, where that lies beside it. */
  readonly readState?: (name: string) => Promise<Uint8Array | undefined>
}

/**
 * A URL (of the metadata, or of the service that has it), a bucket (`s3://bucket`, with the credentials of the environment), a
 * data directory of the embedded service, or a directory of metadata alone. Throws CliError.
 */
export async function metadataSource(where: string): Promise<MetadataSource> {
  if (where.startsWith('s3://')) return bucketSource(where)
  return /^https?:\/\//.test(where) ? findAt(folderUrl(where, 'WHERE')) : directorySource(where)
}

/** Of the places that a URL may stand for, the first that holds metadata; the URL itself if none does. */
async function findAt(url: URL): Promise<MetadataSource> {
  const own = urlSource(url)
  const service = urlSource(new URL('metadata/', url.href.replace(/api\/v1\/$/, '')))
  for (const source of [own, service]) if ((await source.read('timestamp.json')) !== undefined) return source
  return own
}

function urlSource(base: URL): MetadataSource {
  return {
    where: base.href,
    async read(file) {
      const url = new URL(encodeURIComponent(file), base)
      try {
        const response = await fetch(url, { headers: { 'cache-control': 'no-cache' } })
        const bytes = await readBody(url, response)
        if (response.ok) return bytes
        // Some stores say 403 of what is not there.
        if (response.status === 404 || response.status === 403) return undefined
        throw new Error(`the server answered ${response.status}`)
      } catch (cause) {
        if (cause instanceof CliError) throw cause
        throw unreachable(url, cause)
      }
    },
  }
}

/** Several times what any client takes. Whoever serves it may never come to an end. */
const longestFile = 64 * 1024 * 1024

async function readBody(url: URL, { body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > longestFile)
      throw new CliError('refused', `${url} has more than ${longestFile} bytes: no client reads that much.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The metadata lies where it is said, or in `metadata/` there, as in the buckets that we deploy. */
async function bucketSource(where: string): Promise<MetadataSource> {
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/*$/.exec(where) ?? []
  if (bucket === '') throw new CliError('usage', `${where} names no bucket: s3://bucket, or s3://bucket/folder.`)
  const { s3ObjectStore } = await import('../shared/adapters/aws/s3-object-store.ts')
  const above = path === '' ? '' : `${path}/`
  const reading = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work()
    } catch (cause) {
      throw awsFailure(cause as Error)
    }
  }
  const storeIn = (prefix: string) => s3ObjectStore({ bucket, prefix })
  const inner = `${above}metadata/`
  const isInner = (await reading(() => storeIn(inner).read('timestamp.json'))) !== undefined
  const prefix = isInner ? inner : above
  const store = storeIn(prefix)
  return {
    where: `s3://${bucket}/${prefix}`,
    names: await reading(() => store.list('')),
    read: async (file) => (await reading(() => store.read(file)))?.bytes,
  }
}

async function directorySource(where: string): Promise<MetadataSource> {
  const inner = join(where, 'metadata')
  const isDataDirectory = (await stat(inner).catch(() => undefined))?.isDirectory() === true
  const directory = isDataDirectory ? inner : where
  let names: string[]
  try {
    names = await readdir(directory)
  } catch (cause) {
    throw unreadable(directory, cause)
  }
  return {
    where: directory,
    names,
    directory,
    read: filesIn(directory),
    ...(isDataDirectory && { readState: (name) => readIfThere(join(where, 'state', name)) }),
  }
}

/** Reads on the spot: to ask a thread for each of many small files takes longer than the kernel, which mostly has them in memory. */
export function filesIn(directory: string): MetadataSource['read'] {
  let read = 0
  return async (file) => {
    // So that what another thread has read is shown, too, while this one reads.
    if (++read % 128 === 0) await setImmediate()
    // Not by `names`: a service may write there meanwhile.
    if (basename(file) !== file) return undefined
    try {
      return readFileSync(join(directory, file))
    } catch (error) {
      return absent(join(directory, file), error as NodeJS.ErrnoException)
    }
  }
}

function absent(file: string, error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw unreadable(file, error)
}

async function readIfThere(file: string): Promise<Uint8Array | undefined> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => absent(file, error))
}
