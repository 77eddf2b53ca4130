import { type Entry, entryName } from '../../shared/repository/journal.ts'
import { type ObjectStore, type Stored, StoreError, type Tag } from '../../shared/repository/ports.ts'
import type { PreparationDocument } from '../../shared/repository/preparation.ts'
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

/** What is created under this prefix comes late: once the process has created something under that one. */
export function after(stores: Stores, late: string, early: string): Stores {
  const held = new Map<string, Uint8Array>()
  return withState(stores, {
    async create(name, bytes) {
      if (name.startsWith(late)) {
        held.set(name, bytes)
        return '' as Tag
      }
      const tag = await stores.state.create(name, bytes)
      if (!name.startsWith(early)) return tag
      for (const [object, content] of held) await stores.state.create(object, content)
      held.clear()
      return tag
    },
  })
}

/** Private state is there once the timestamp is. */
export function stateAfterTimestamp(stores: Stores): Stores {
  const held = new Map<string, Uint8Array>()
  return {
    state: {
      ...stores.state,
      async create(name, bytes) {
        if (!name.startsWith('state/')) return stores.state.create(name, bytes)
        held.set(name, bytes)
        return '' as Tag
      },
    },
    metadata: {
      ...stores.metadata,
      async replace(name, bytes, tag) {
        const next = await stores.metadata.replace(name, bytes, tag)
        for (const [object, content] of held) await stores.state.create(object, content)
        held.clear()
        return next
      },
    },
  }
}

/** Whoever looks into the inbox finishes first what the newest entry decides, whether or not it is the current one. */
export function finishingTheNewest(stores: Stores): Stores {
  return withState(stores, {
    async list(prefix, options) {
      const newest = prefix === 'inbox/' ? (await stores.state.list('commits/')).at(-1) : undefined
      const stored = newest === undefined ? undefined : await stores.state.read(newest)
      if (stored !== undefined) {
        const { number, tasks }: Entry = JSON.parse(Buffer.from(stored.bytes).toString())
        for (const task of tasks) {
          const finished = Buffer.from(JSON.stringify({ schema: 1, ...task, commit: number }))
          await stores.state.create(`tasks/${task.id}.json`, finished)
          await stores.state.delete(`inbox/${task.id}.json`)
        }
      }
      return stores.state.list(prefix, options)
    },
  })
}

/** A root counts as old as the decision about it, which is older where somebody died in between. */
export function agedByCommit(stores: Stores): Stores {
  return withMetadata(stores, {
    async read(name) {
      const stored = await stores.metadata.read(name)
      if (stored === undefined || !name.endsWith('.root.json')) return stored
      const decisions = await stores.state.list('state/')
      const numbers = decisions
        .filter((object) => object.endsWith('.root.json'))
        .map((object) => Number.parseInt(object.slice(6), 10))
      const decided = await stores.state.read(`state/${Math.max(...numbers)}.root.json`)
      return { ...stored, age: decided?.age ?? stored.age }
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

/** A preparation that says it was made from what is current now. */
export async function preparedJustNow({ state, metadata }: Stores, name: string): Promise<Stored | undefined> {
  const stored = await state.read(name)
  const timestamp = name.startsWith('preparations/') ? await metadata.read('timestamp.json') : undefined
  if (stored === undefined || timestamp === undefined) return stored
  const { version } = JSON.parse(Buffer.from(timestamp.bytes).toString()).signed
  const document: PreparationDocument = JSON.parse(Buffer.from(stored.bytes).toString())
  const rounds = document.rounds.map((round) => ({ ...round, base: version }))
  return { ...stored, bytes: Buffer.from(JSON.stringify({ ...document, rounds })) }
}

/** A preparation that says it is ready as soon as it has claimed its number. */
export async function readyTooSoon({ state }: Stores, name: string): Promise<Stored | undefined> {
  const stored = await state.read(name)
  if (stored === undefined || !name.startsWith('preparations/')) return stored
  const document: PreparationDocument = JSON.parse(Buffer.from(stored.bytes).toString())
  const [round] = document.rounds
  if (round === undefined || document.phase === 'ready') return stored
  const entry = await state.read(entryName(round.number))
  if (entry === undefined) return stored
  const { creates } = JSON.parse(Buffer.from(entry.bytes).toString()) as Entry
  const roles = creates.map((file) => file.replace(/^\d+\./, '').replace(/\.json$/, ''))
  const facts = { details: {}, warnings: [], overtaken: [], parkedBy: [], nearCaps: {} }
  const ready = { ...document, phase: 'ready', rounds: [{ ...round, roles }], facts }
  return { ...stored, bytes: Buffer.from(JSON.stringify(ready)) }
}
