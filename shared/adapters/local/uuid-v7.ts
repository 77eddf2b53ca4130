import { randomFillSync } from 'node:crypto'

const counterBits = 12
const counterEnd = 2 ** counterBits

/**
 * Makes UUIDv7 in 32 lower-case hex digits, each greater than the one before, also within one millisecond and when the clock is set
 * back (RFC 9562, section 6.2, method 1: a counter in `rand_a`, which begins at random in its lower half; what overflows it
 * moves the time ahead).
 *
 * `now` is in milliseconds since 1970; `random` gives that many bytes. `above`: a UUIDv7 that all of them are greater than.
 */
export function uuidV7Source(
  now: () => number,
  random: (size: number) => Uint8Array = pooledBytes(),
  above = '0'.repeat(16),
): () => string {
  let time = Number.parseInt(above.slice(0, 12), 16)
  let counter = Number.parseInt(above.slice(13, 16), 16)

  return () => {
    const bytes = Buffer.from(random(10))
    const millisecond = Math.floor(now())
    if (millisecond > time) {
      time = millisecond
      counter = bytes.readUInt16BE(8) % (counterEnd / 2)
    } else {
      counter++
      if (counter === counterEnd) {
        time++
        counter = 0
      }
    }
    const versioned = (0x7000 | counter).toString(16)
    bytes.writeUInt8(0x80 | (bytes.readUInt8(0) & 0x3f), 0)
    return time.toString(16).padStart(12, '0') + versioned + bytes.toString('hex', 0, 8)
  }
}

/** Asks the system for many at once, which takes as long as for a few. */
function pooledBytes(): (size: number) => Uint8Array {
  const pool = Buffer.alloc(1000)
  let at = pool.length
  return (size) => {
    if (at + size > pool.length) {
      randomFillSync(pool)
      at = 0
    }
    at += size
    return pool.subarray(at - size, at)
  }
}
