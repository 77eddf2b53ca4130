import { contentTag } from '../../shared/adapters/local/content-tag.ts'
import { type ObjectStore, StoreError } from '../../shared/repository/ports.ts'

/**
 * Objects in memory, gone with the process. Each call takes effect at once, before its promise is returned.
 *
 * `now` is the store's own clock, in milliseconds.
 */
export function memoryObjectStore(now: () => number = Date.now): ObjectStore {
  const objects = new Map<string, { readonly bytes: Uint8Array; readonly written: number }>()

  function put(name: string, bytes: Uint8Array) {
    // A copy, for the caller's array is the caller's to change.
    objects.set(name, { bytes: new Uint8Array(bytes), written: now() })
    return contentTag(bytes)
  }

  return {
    async read(name) {
      const found = objects.get(name)
      if (!found) return undefined
      const age = Math.max(0, now() - found.written)
      return { bytes: new Uint8Array(found.bytes), tag: contentTag(found.bytes), age }
    },
    async range(name, start, end) {
      return objects.get(name)?.bytes.slice(start, end)
    },
    async create(name, bytes) {
      const found = objects.get(name)
      if (!found) return put(name, bytes)
      const tag = contentTag(found.bytes)
      if (tag !== contentTag(bytes)) throw new StoreError('exists', `${name} exists with other content.`)
      return tag
    },
    async replace(name, bytes, tag) {
      const found = objects.get(name)
      if (!found) throw new StoreError('changed', `${name} is no longer there.`)
      const current = contentTag(found.bytes)
      if (current === contentTag(bytes)) return current
      if (current !== tag) throw new StoreError('changed', `${name} has been replaced by another version.`)
      return put(name, bytes)
    },
    async delete(name) {
      objects.delete(name)
    },
    async list(prefix, { after = '', limit = Number.POSITIVE_INFINITY } = {}) {
      const names = [...objects.keys()].filter((name) => name.startsWith(prefix) && name > after)
      return names.sort().slice(0, limit)
    },
  }
}
