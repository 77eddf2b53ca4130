import { ReadOnlyMap } from './read-only-map.ts'

/**
 * A Map that is carried from one document to the next as the canonical JSON that it came in. Its entries are read only when
 * somebody looks at them.
 */
export class CarriedMap<Value> extends ReadOnlyMap<Value> {
  /** The members of the object, without its braces; JSON as well as canonical JSON. */
  readonly bytes: Uint8Array
  readonly #read: () => ReadonlyMap<string, Value>
  #entries: ReadonlyMap<string, Value> | undefined

  constructor(bytes: Uint8Array, read: () => ReadonlyMap<string, Value>) {
    super()
    this.bytes = bytes
    this.#read = read
  }

  protected get known(): ReadonlyMap<string, Value> {
    this.#entries ??= this.#read()
    return this.#entries
  }
}
