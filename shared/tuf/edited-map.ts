import { compareCodePoints, inOrder } from './code-points.ts'
import { ReadOnlyMap } from './read-only-map.ts'

/** A part of a document in canonical form. */
export interface Part {
  readonly bytes: Uint8Array
  /** True if these very bytes are known to be JSON as well: see `isJson`. */
  readonly isJson: boolean
  /** Told where the copy of its bytes ends in the document that was put together from all parts. */
  readonly placed?: (document: Uint8Array, end: number) => void
}

/** Entries in code-point order, and where each of them ends in `bytes`: so they were written, with commas between them. */
interface Written<Value> {
  readonly keys: readonly string[]
  readonly values: readonly Value[]
  readonly ends: readonly number[]
  readonly bytes: Uint8Array
  readonly isJson: boolean
}

const nothing = { keys: [], values: [], ends: [], bytes: new Uint8Array(), isJson: true }
/** Between members. */
export const comma: Part = { bytes: Buffer.from(','), isJson: true }

/**
 * A copy of a Map in which a little is to change. It knows where each entry lies in the document in which it, or the Map that it was
 * copied from, was last written. So to write a hash bin again costs what changes in it; all other bytes are carried over. A value
 * must never be changed itself.
 */
export class EditedMap<Value> extends ReadOnlyMap<Value> {
  #written: Written<Value>
  /** What was set since; nothing as its value: it was deleted. */
  readonly #changes: Map<string, Value | undefined>
  #entries: ReadonlyMap<string, Value> | undefined

  constructor(from: ReadonlyMap<string, Value>) {
    super()
    this.#written = from instanceof EditedMap ? from.#written : nothing
    this.#changes = new Map(from instanceof EditedMap ? from.#changes : from)
  }

  override get(key: string): Value | undefined {
    if (this.#changes.has(key)) return this.#changes.get(key)
    const { keys, values } = this.#written
    const place = placeOf(key, keys)
    return keys[place] === key ? values[place] : undefined
  }

  override has(key: string): boolean {
    return this.get(key) !== undefined
  }

  set(key: string, value: Value): this {
    this.#change(key, value)
    return this
  }

  delete(key: string): boolean {
    const isThere = this.has(key)
    if (isThere) this.#change(key, undefined)
    return isThere
  }

  #change(key: string, value: Value | undefined): void {
    this.#changes.set(key, value)
    this.#entries = undefined
  }

  /** All entries, for whoever goes through them. */
  protected get known(): ReadonlyMap<string, Value> {
    if (this.#entries === undefined) {
      const { keys, values } = this.#written
      const entries = new Map(keys.map((key, at) => [key, values[at] as Value]))
      for (const [key, value] of this.#changes) {
        if (value === undefined) entries.delete(key)
        else entries.set(key, value)
      }
      this.#entries = entries
    }
    return this.#entries
  }

  /**
   * Its members in code-point order with commas between them. `write` is called only for those that were not written yet; they
   * count as written once the last part is told where it was placed.
   */
  parts(write: (key: string, value: Value) => string, encode: (text: string) => Part): readonly Part[] {
    const before = this.#written
    const keys: string[] = []
    const values: Value[] = []
    const ends: number[] = []
    const parts: Part[] = []
    const fresh: string[] = []
    let length = 0
    const add = (part: Part) => {
      if (parts.length > 0) parts.push(comma)
      parts.push(part)
    }
    const addFresh = () => {
      if (fresh.length > 0) add(encode(fresh.splice(0).join(',')))
    }
    const list = (key: string, value: Value, bytes: number) => {
      length += bytes + (keys.length > 0 ? comma.bytes.length : 0)
      keys.push(key)
      values.push(value)
      ends.push(length)
    }
    /** The entries from one place up to another, as they lie there. */
    const carry = (from: number, to: number) => {
      if (from === to) return
      addFresh()
      let start = from === 0 ? 0 : (before.ends[from - 1] as number) + comma.bytes.length
      add({ bytes: before.bytes.subarray(start, before.ends[to - 1]), isJson: before.isJson })
      for (let at = from; at < to; at++) {
        const end = before.ends[at] as number
        list(before.keys[at] as string, before.values[at] as Value, end - start)
        start = end + comma.bytes.length
      }
    }
    let next = 0
    for (const key of inOrder([...this.#changes.keys()])) {
      const place = placeOf(key, before.keys, next)
      carry(next, place)
      next = before.keys[place] === key ? place + 1 : place
      const value = this.#changes.get(key)
      if (value === undefined) continue
      const text = write(key, value)
      fresh.push(text)
      list(key, value, Buffer.byteLength(text))
    }
    carry(next, before.keys.length)
    addFresh()
    const isJson = parts.every((part) => part.isJson)
    const last = parts.pop()
    if (last === undefined) return []
    const placed = (document: Uint8Array, end: number) => {
      if (this.#written !== before) return
      this.#written = { keys, values, ends, bytes: document.subarray(end - length, end), isJson }
      this.#changes.clear()
    }
    return [...parts, { ...last, placed }]
  }
}

/** Where a key is among others in order, or would be. */
function placeOf(key: string, keys: readonly string[], first = 0): number {
  let [from, to] = [first, keys.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (compareCodePoints(keys[middle] ?? '', key) < 0) from = middle + 1
    else to = middle
  }
  return from
}
