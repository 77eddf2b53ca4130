/** One file of a log. Those with higher numbers were written later, and have the last word. */
export interface Segment {
  readonly number: number
  /** What it says something of: that there is a file, or none. */
  readonly paths: Map<string, 'there' | 'gone'>
  /** Changes that are durable and on their way to their places. */
  readonly placing: Set<Promise<unknown>>
  bytes: number
}

export interface Segments {
  readonly oldest: Segment | undefined
  readonly newest: Segment | undefined
  /** Of all that there were; 0: none. */
  readonly lastNumber: number
  /** Of all that are left. */
  readonly bytes: number
  /** A newer one than all that there were. */
  add(segment?: Pick<Segment, 'number' | 'bytes'>): Segment
  /** From here on this segment, the newest, says something of the path. */
  hold(path: string, segment: Segment, what?: 'there' | 'gone'): void
  holds(path: string): boolean
  remove(segment: Segment): void
}

export function noSegments(): Segments {
  /** The oldest first. */
  const all: Segment[] = []
  /** By path: the newest segment that says something of it. */
  const holders = new Map<string, Segment>()
  let lastNumber = 0
  return {
    get oldest() {
      return all[0]
    },
    get newest() {
      return all.at(-1)
    },
    get lastNumber() {
      return lastNumber
    },
    get bytes() {
      return all.reduce((sum, { bytes }) => sum + bytes, 0)
    },
    add({ number, bytes } = { number: lastNumber + 1, bytes: 0 }) {
      const segment: Segment = { number, paths: new Map(), placing: new Set(), bytes }
      lastNumber = number
      all.push(segment)
      return segment
    },
    hold(path, segment, what = 'there') {
      segment.paths.set(path, what)
      holders.set(path, segment)
    },
    holds: (path) => holders.has(path),
    remove(segment) {
      const at = all.indexOf(segment)
      if (at >= 0) all.splice(at, 1)
      for (const path of segment.paths.keys()) if (holders.get(path) === segment) holders.delete(path)
    },
  }
}
