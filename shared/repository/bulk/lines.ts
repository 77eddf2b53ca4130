/**
 * Where each line of a text begins and ends, empty ones too, without what ends it. `begin`: where its first one does, if it is no
 * whole text.
 */
export function* linesOf(
  text: Uint8Array,
  begin = startOfText(text),
): Generator<readonly [start: number, end: number]> {
  const buffer = bufferOf(text)
  for (let start = begin; start < buffer.length; ) {
    const newline = buffer.indexOf(0x0a, start)
    const end = newline === -1 ? buffer.length : newline
    yield [start, end > start && buffer[end - 1] === 0x0d ? end - 1 : end]
    start = end + 1
  }
}

/** The same bytes, and not a copy. */
export const bufferOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

/** Some editors and spreadsheets begin a file with a byte order mark. */
function startOfText(buffer: Uint8Array): number {
  return buffer.length >= 3 && buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 3 : 0
}
