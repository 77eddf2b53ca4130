/** DER (ITU-T X.690), as much of it as keys and signatures need. */

export function sequence(...elements: Buffer[]): Buffer {
  return element(0x30, Buffer.concat(elements))
}

export function octets(bytes: Uint8Array): Buffer {
  return element(0x04, bytes)
}

/** An integer that is not negative, from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0)
  const digits = first === -1 ? Uint8Array.of(0) : bytes.subarray(first)
  // The first bit is the sign.
  const sign = (digits[0] ?? 0) >= 0x80 ? [0] : []
  return element(0x02, Uint8Array.of(...sign, ...digits))
}

/** An object identifier, from its encoded content in hex. */
export function objectIdentifier(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, 'hex'))
}

/** One element: tag, length, content of at most 65,535 bytes. */
function element(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(tag, ...lengthBytes(content.length)), content])
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length]
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
}
