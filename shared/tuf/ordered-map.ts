import { inOrder } from './code-points.ts'

const pieceLength = 64

/** Entries that follow each other. Never changed, so what was made of one holds for as long as it is there. */
export type Piece<Value> = readonly (readonly [string, Value])[]

/**
 * A Map in code-point order that never changes. The next one shares with it every piece in which nothing changed: the snapshot
 * of 16,384 bins changes by a few entries a commit, and what did not change need be neither copied nor serialised again.
 */
export class OrderedMap<Value> implements ReadonlyMap<string, Value> {
  readonly pieces: readonly Piece<Value>[]
  /** At which place each key is. */
  readonly #places: ReadonlyMap<string, number>

  private constructor(pieces: readonly Piece<Value>[], places: ReadonlyMap<string, number>) {
    this.pieces = pieces
    this.#places = places
  }

  static of<Value>(entries: ReadonlyMap<string, Value>): OrderedMap<Value> {
    if (entries instanceof OrderedMap) return entries
    const ordered = inOrder([...entries.keys()]).map((key) => [key, entries.get(key) as Value] as const)
    const places = new Map(ordered.map(([key], place) => [key, place]))
    const pieces = Array.from({ length: Math.ceil(ordered.length / pieceLength) }, (_, at) =>
      ordered.slice(at * pieceLength, (at + 1) * pieceLength),
    )
    return new OrderedMap(pieces, places)
  }

  /** The same with these entries added or replaced. */
  with(changes: ReadonlyMap<string, Value>): OrderedMap<Value> {
    const pieces = new Map<number, (readonly [string, Value])[]>()
    for (const [key, value] of changes) {
      const place = this.#places.get(key)
      if (place === undefined) return OrderedMap.of(new Map([...this, ...changes]))
      const at = Math.floor(place / pieceLength)
      const piece = pieces.get(at) ?? [...(this.pieces[at] ?? [])]
      piece[place % pieceLength] = [key, value]
      pieces.set(at, piece)
    }
    return new OrderedMap(
      this.pieces.map((piece, at) => pieces.get(at) ?? piece),
      this.#places,
    )
  }

  get size(): number {
    return this.#places.size
  }

  get(key: string): Value | undefined {
    const place = this.#places.get(key)
    return place === undefined ? undefined : this.pieces[Math.floor(place / pieceLength)]?.[place % pieceLength]?.[1]
  }

  has(key: string): boolean {
    return this.#places.has(key)
  }

  *entries(): Generator<[string, Value], undefined> {
    for (const piece of this.pieces) for (const [key, value] of piece) yield [key, value]
  }

  *keys(): Generator<string, undefined> {
    for (const [key] of this.entries()) yield key
  }

  *values(): Generator<Value, undefined> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): Generator<[string, Value], undefined> {
    return this.entries()
  }

  forEach(work: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this) work(value, key, this)
  }
}
