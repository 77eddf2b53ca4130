import { compareCodePoints, inOrder } from './code-points.ts'
import { ReadOnlyMap } from './read-only-map.ts'

interface Member {
  readonly key: string
  readonly text: string
}

/**
 * A copy of a Map, made to change a little of it. It knows how its entries were written when it, or the one that it is a copy
 * of, was put into canonical JSON: to write a hash bin again takes what changes in it, not what it holds. So values never change
 * themselves.
 */
export class EditedMap<Value> extends ReadOnlyMap<Value> {
  protected readonly known: Map<string, Value>
  /** In code-point order. */
  #written: readonly Member[] | undefined
  /** Keys that were set or deleted since. */
  readonly #changed: Set<string>

  constructor(from: ReadonlyMap<string, Value>) {
    super()
    const isEdited = from instanceof EditedMap
    this.known = new Map(isEdited ? from.known : from)
    this.#written = isEdited ? from.#written : undefined
    this.#changed = new Set(isEdited ? from.#changed : [])
  }

  set(key: string, value: Value): this {
    this.known.set(key, value)
    this.#changed.add(key)
    return this
  }

  delete(key: string): boolean {
    this.#changed.add(key)
    return this.known.delete(key)
  }

  /** Its members in code-point order, as `write` makes them; of those that it knows `write` is not asked. */
  members(write: (key: string, value: Value) => string): string[] {
    const member = (key: string): Member => ({ key, text: write(key, this.known.get(key) as Value) })
    if (this.#written === undefined) this.#written = inOrder([...this.known.keys()]).map(member)
    else if (this.#changed.size > 0) {
      const members = [...this.#written]
      for (const key of this.#changed) {
        const place = placeOf(key, members)
        const old = members[place]?.key === key ? 1 : 0
        members.splice(place, old, ...(this.known.has(key) ? [member(key)] : []))
      }
      this.#written = members
    }
    this.#changed.clear()
    return this.#written.map(({ text }) => text)
  }
}

/** Where a key is among others in order, or would be. */
function placeOf(key: string, members: readonly Member[]): number {
  let [from, to] = [0, members.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (compareCodePoints(members[middle]?.key ?? '', key) < 0) from = middle + 1
    else to = middle
  }
  return from
}
