/**
 * A Map that is carried from one document to the next as the canonical JSON that it came in. Its entries are read only when
 * somebody looks at them.
 */
export class CarriedMap<Value> implements ReadonlyMap<string, Value> {
  /** The members of the object, without its braces; JSON as well as canonical JSON. */
  readonly bytes: Uint8Array
  readonly #read: () => ReadonlyMap<string, Value>
  #entries: ReadonlyMap<string, Value> | undefined

  constructor(bytes: Uint8Array, read: () => ReadonlyMap<string, Value>) {
    this.bytes = bytes
    this.#read = read
  }

  get #known(): ReadonlyMap<string, Value> {
    this.#entries ??= this.#read()
    return this.#entries
  }

  get size(): number {
    return this.#known.size
  }

  get(key: string): Value | undefined {
    return this.#known.get(key)
  }

  has(key: string): boolean {
    return this.#known.has(key)
  }

  entries() {
    return this.#known.entries()
  }

  keys() {
    return this.#known.keys()
  }

  values() {
    return this.#known.values()
  }

  [Symbol.iterator]() {
    return this.#known.entries()
  }

  forEach(work: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this) work(value, key, this)
  }
}
