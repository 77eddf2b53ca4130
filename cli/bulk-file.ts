import { hash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { type Bulk, type BulkFormat, readBulk } from '../shared/repository/bulk/bulk.ts'
import { maximumBulkBytes } from '../shared/repository/uploads.ts'
import { CliError, unreadable } from './output.ts'

/** A file of artifacts, read as the service is going to read it. */
export interface BulkFile {
  readonly bytes: Uint8Array
  readonly sha256: string
  readonly format: BulkFormat
  readonly bulk: Bulk
}

/** `progress` is told how many lines were read. Throws CliError: 'usage' for what cannot be read, 'refused' for what is too large. */
export async function readBulkFile(
  file: string,
  format: BulkFormat | undefined,
  progress: (lines: number) => void,
): Promise<BulkFile> {
  const bytes = await bytesOf(file)
  const read = format ?? formatOf(file, bytes)
  const sha256 = hash('sha256', bytes)
  return { bytes, sha256, format: read, bulk: readBulk(bytes, read, progress) }
}

async function bytesOf(file: string): Promise<Uint8Array> {
  let bytes: Uint8Array
  try {
    const { size } = await stat(file)
    if (size > maximumBulkBytes) throw tooLarge(file, size)
    bytes = await readFile(file)
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw unreadable(file, cause)
  }
  // What is no plain file has no size before it is read.
  if (bytes.length > maximumBulkBytes) throw tooLarge(file, bytes.length)
  return bytes
}

function tooLarge(file: string, size: number): CliError {
  return new CliError(
    'refused',
    `${file} has ${size} bytes, and an import can have ${maximumBulkBytes} (512 MiB). Split it by lines, and import its parts.`,
  )
}

const endings: Readonly<Record<string, BulkFormat>> = { csv: 'csv', jsonl: 'jsonl', ndjson: 'jsonl' }

/** By its name, or by what it begins with. */
function formatOf(file: string, bytes: Uint8Array): BulkFormat {
  const ending = /\.(\w+)$/.exec(file)?.[1]?.toLowerCase() ?? ''
  const begins = Buffer.from(bytes.subarray(0, 1024))
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()
  return endings[ending] ?? (begins.startsWith('{') ? 'jsonl' : 'csv')
}
