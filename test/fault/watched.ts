import type { ObjectStore } from '../../shared/repository/ports.ts'
import { memoryObjectStore } from '../support/memory-object-store.ts'

/** A store that tells of each object that is new or other than before, and of each that is gone, once that has taken effect. */
export function watched(
  now: () => number,
  objects: Map<string, Uint8Array>,
  onWritten: (name: string, bytes: Uint8Array) => Promise<void>,
  onDeleted: (name: string) => Promise<void>,
): ObjectStore {
  const store = memoryObjectStore(now)

  async function written(name: string, bytes: Uint8Array): Promise<void> {
    const before = objects.get(name)
    if (before !== undefined && Buffer.compare(before, bytes) === 0) return
    objects.set(name, bytes)
    await onWritten(name, bytes)
  }

  return {
    ...store,
    async create(name, bytes) {
      const tag = await store.create(name, bytes)
      await written(name, bytes)
      return tag
    },
    async replace(name, bytes, tag) {
      const next = await store.replace(name, bytes, tag)
      await written(name, bytes)
      return next
    },
    async delete(name) {
      await store.delete(name)
      if (objects.delete(name)) await onDeleted(name)
    },
  }
}
