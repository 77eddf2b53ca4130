/** A ReadonlyMap over the entries of another one, which the class that extends it finds or makes. */
export abstract class ReadOnlyMap<Value> implements ReadonlyMap<string, Value> {
  protected abstract readonly known: ReadonlyMap<string, Value>

  get size(): number {
    return this.known.size
  }

  get(key: string): Value | undefined {
    return this.known.get(key)
  }

  has(key: string): boolean {
    return this.known.has(key)
  }

  entries() {
    return this.known.entries()
  }

  keys() {
    return this.known.keys()
  }

  values() {
    return this.known.values()
  }

  [Symbol.iterator]() {
    return this.known.entries()
  }

  forEach(work: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this) work(value, key, this)
  }
}
