import type { Entry } from '../../shared/repository/journal.ts'
import { type ObjectStore, StoreError, type Tag } from '../../shared/repository/ports.ts'
import type { Stores } from './world.ts'

/** Ways in which stores may not keep their word, or a process not its own: what `mutants.ts` is made of. */

export function withMetadata(stores: Stores, changes: Partial<ObjectStore>): Stores {
  return { ...stores, metadata: { ...stores.metadata, ...changes } }
}

export function withState(stores: Stores, changes: Partial<ObjectStore>): Stores {
  return { ...stores, state: { ...stores.state, ...changes } }
}

/** As a store does that knows no conditions: the last one wins. */
export async function overwrite(store: ObjectStore, name: string, bytes: Uint8Array): Promise<Tag> {
  for (;;) {
    const stored = await store.read(name)
    try {
      return stored === undefined ? await store.create(name, bytes) : await store.replace(name, bytes, stored.tag)
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === 'unavailable') throw error
    }
  }
}

export async function longAgo(store: ObjectStore, name: string) {
  const stored = await store.read(name)
  return stored && { ...stored, age: 1e12 }
}

export async function hiding(prefix: string, store: ObjectStore, name: string) {
  return name.startsWith(prefix) ? undefined : store.read(name)
}

export function timestampBefore(stores: Stores, suffix: string): Stores {
  const held = new Map<string, Uint8Array>()
  return withMetadata(stores, {
    async create(name, bytes) {
      if (!name.endsWith(suffix)) return stores.metadata.create(name, bytes)
      held.set(name, bytes)
      return '' as Tag
    },
    async replace(name, bytes, tag) {
      const next = await stores.metadata.replace(name, bytes, tag)
      for (const [file, content] of held) await stores.metadata.create(file, content)
      held.clear()
      return next
    },
  })
}

export function withoutFinishing(stores: Stores): Stores {
  return withState(stores, {
    create: async (name, bytes) => (name.startsWith('tasks/') ? ('' as Tag) : stores.state.create(name, bytes)),
    delete: async () => {},
  })
}

/** Finishes what it has written the journal entry of, and nothing else. */
export function finishingOwnOnly(stores: Stores): Stores {
  const own = new Set<string>()
  const isOthers = (name: string) => !own.has(name.slice(name.indexOf('/') + 1))
  return withState(stores, {
    async create(name, bytes) {
      if (name.startsWith('tasks/') && isOthers(name)) return '' as Tag
      const { tasks = [] }: Partial<Entry> = name.startsWith('commits/')
        ? JSON.parse(Buffer.from(bytes).toString())
        : {}
      for (const { id } of tasks) own.add(`${id}.json`)
      return stores.state.create(name, bytes)
    },
    async delete(name) {
      if (!isOthers(name)) await stores.state.delete(name)
    },
  })
}
