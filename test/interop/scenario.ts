/** Which artifacts there are, and random changes of them that a seed repeats. */

import { createHash } from 'node:crypto'

/** What should be found: content by path. A path that is not in it should be absent. */
export type Content = ReadonlyMap<string, Buffer>

export interface Batch {
  added: Content
  removed: readonly string[]
}

/** A number in [0, 1). */
export type Random = () => number

const awkward = [
  'README',
  '.hidden',
  '...',
  'settings/.env',
  'settings/....toml',
  '0',
  '1.0.0',
  'timestamp.json',
  'metadata/1.root.json',
  '__proto__',
  'constructor',
  'objects/__proto__',
  'objects/hasOwnProperty',
  'toString/valueOf',
  '@scope/package/-/package-1.2.3-rc.1+build.5.tgz',
  'a+b',
  'a=b,c=d',
  '~user/file',
  'bang!',
  'cash$',
  'rock&roll',
  "it's",
  '(parenthesis)',
  'star*',
  'semi;colon',
  "everything/+@=,~!$&'()*;-_.",
  'deep/er/and/deep/er/and/deep/er/file',
  'UPPER/Mixed.TXT',
  `long/${'x'.repeat(180)}`,
]

const ordinary = Array.from({ length: 30 }, (_, n) => `packages/tuffet/1.${n}.0/tuffet-1.${n}.0.tgz`)

/** Every path that a batch may touch. */
export const paths: readonly string[] = [...awkward, ...ordinary]

/** Mulberry32: small, and the same everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Adds or replaces one path at least, and removes some that are there: always a change, never both for one path. */
export function randomBatch(random: Random, content: Content): Batch {
  const shuffled = shuffle(random, paths)
  const additions = 1 + Math.floor(random() * 12)
  const removals = Math.floor(random() * 6)
  return {
    added: new Map(shuffled.slice(0, additions).map((path) => [path, randomBytes(random)])),
    removed: shuffled
      .slice(additions)
      .filter((path) => content.has(path))
      .slice(0, removals),
  }
}

export function apply({ added, removed }: Batch, content: Content): Content {
  const next = new Map([...content, ...added])
  for (const path of removed) next.delete(path)
  return next
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function shuffle(random: Random, items: readonly string[]): string[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}

function randomBytes(random: Random): Buffer {
  const length = 1 + Math.floor(random() * 4096)
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))
}
