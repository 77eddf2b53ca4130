import { crc32 } from 'node:zlib'

/** What a file below the base directory of a log was made to be. */
export interface Change {
  /** Relative to that directory. */
  readonly path: string
  /** Its whole content; nothing: it is gone. */
  readonly bytes: Uint8Array | undefined
}

const headerLength = 13

/** Length of the path, length of the content, CRC-32 of all that follows it, whether there is content; then path and content. */
export function encodeChange({ path, bytes }: Change): Buffer {
  const name = Buffer.from(path)
  const record = Buffer.allocUnsafe(headerLength + name.length + (bytes?.length ?? 0))
  record.writeUInt32BE(name.length, 0)
  record.writeUInt32BE(bytes?.length ?? 0, 4)
  record.writeUInt8(bytes === undefined ? 0 : 1, 12)
  name.copy(record, headerLength)
  if (bytes !== undefined) record.set(bytes, headerLength + name.length)
  record.writeUInt32BE(checksumOf(record), 8)
  return record
}

/** The copy of its content, of so many bytes, in a record. */
export const contentOf = (record: Buffer, length: number): Uint8Array => record.subarray(record.length - length)

/** The changes up to the end, or up to the first that is not whole: nobody was told that it, or one after it, was durable. */
export function decodeChanges(log: Buffer): Change[] {
  const changes: Change[] = []
  for (let at = 0; at + headerLength <= log.length; ) {
    const pathEnd = at + headerLength + log.readUInt32BE(at)
    const end = pathEnd + log.readUInt32BE(at + 4)
    if (end > log.length) break
    const record = log.subarray(at, end)
    if (record.readUInt32BE(8) !== checksumOf(record)) break
    const path = log.toString('utf8', at + headerLength, pathEnd)
    changes.push({ path, bytes: record.readUInt8(12) === 1 ? log.subarray(pathEnd, end) : undefined })
    at = end
  }
  return changes
}

/** Of lengths and content alike, and never that of zeros, which a file may hold that was cut off. */
function checksumOf(record: Buffer): number {
  return crc32(record.subarray(12), crc32(record.subarray(0, 8)))
}
