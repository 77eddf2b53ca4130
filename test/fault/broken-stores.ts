import { type Entry, entryName } from '../../shared/repository/journal.ts'
import { type ObjectStore, type Stored, StoreError, type Tag } from '../../shared/repository/ports.ts'
import type { PreparationDocument } from '../../shared/repository/preparation.ts'
import { assemble, type Signature } from '../../shared/tuf/signed.ts'
import type { Keys, Stores } from './world.ts'

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

/** What would be created under such a name is not, until somebody has it `release`d. */
export function holdBack(store: ObjectStore, isHeld: (name: string) => boolean) {
  const held = new Map<string, Uint8Array>()
  return {
    async create(name: string, bytes: Uint8Array): Promise<Tag> {
      if (!isHeld(name)) return store.create(name, bytes)
      held.set(name, bytes)
      return '' as Tag
    },
    async release(write = store.create): Promise<void> {
      for (const [name, bytes] of held) await write(name, bytes)
      held.clear()
    },
  }
}

export function timestampBefore(stores: Stores, suffix: string): Stores {
  const { create, release } = holdBack(stores.metadata, (name) => name.endsWith(suffix))
  return withMetadata(stores, { create, replace: thenRelease(stores.metadata, release) })
}

/** Private state is there once the timestamp is. */
export function stateAfterTimestamp(stores: Stores): Stores {
  const { create, release } = holdBack(stores.state, (name) => name.startsWith('state/'))
  return withState(withMetadata(stores, { replace: thenRelease(stores.metadata, release) }), { create })
}

function thenRelease(store: ObjectStore, release: () => Promise<void>): ObjectStore['replace'] {
  return async (name, bytes, tag) => {
    const next = await store.replace(name, bytes, tag)
    await release()
    return next
  }
}

/** What is created under this prefix comes late: once the process has created something under that one. */
export function after(stores: Stores, late: string, early: string): Stores {
  const { create, release } = holdBack(stores.state, (name) => name.startsWith(late))
  return withState(stores, {
    async create(name, bytes) {
      const tag = await create(name, bytes)
      if (name.startsWith(early)) await release()
      return tag
    },
  })
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

/** What was not answered is not repeated but signed anew, and written whatever is there. */
export function signedAnew(stores: Stores & Keys): Stores {
  return withMetadata(stores, {
    async create(name, bytes) {
      try {
        return await stores.metadata.create(name, bytes)
      } catch (error) {
        const document = JSON.parse(Buffer.from(bytes).toString())
        if (!(error instanceof StoreError && error.code === 'unavailable')) throw error
        const signedBytes = bytes.subarray(Buffer.from(bytes).indexOf('"signed":') + '"signed":'.length, -1)
        const signatures = await Promise.all(
          document.signatures.map(async ({ keyid, sig }: Signature) => {
            const signer = stores.signers.find((one) => one.keyid === keyid)
            return { keyid, sig: signer === undefined ? sig : await signer.sign(signedBytes) }
          }),
        )
        return overwrite(stores.metadata, name, assemble(document.signed, signedBytes, signatures).bytes)
      }
    },
  })
}

/** A root is brought out by the process that has decided it, and by no other. */
export function bringingOutOwnRoots(stores: Stores): Stores {
  const own = new Set<string>()
  const isFounded = async () => (await stores.metadata.read('timestamp.json')) !== undefined
  return {
    state: {
      ...stores.state,
      async create(name, bytes) {
        if (/^state\/\d+\.root\.json$/.test(name)) own.add(Buffer.from(bytes).toString())
        return stores.state.create(name, bytes)
      },
    },
    metadata: {
      ...stores.metadata,
      create: async (name, bytes) =>
        /^\d+\.root\.json$/.test(name) && !own.has(Buffer.from(bytes).toString()) && (await isFounded())
          ? ('' as Tag)
          : stores.metadata.create(name, bytes),
    },
  }
}

/** What the inbox holds is what it held when the cycle before this one began, so before the current commit was read. */
export function listingTooSoon(stores: Stores): Stores {
  let next: string[] | undefined
  let listed: string[] | undefined
  return {
    metadata: {
      ...stores.metadata,
      async read(name) {
        if (name === 'timestamp.json') {
          listed = next
          next = await stores.state.list('inbox/')
        }
        return stores.metadata.read(name)
      },
    },
    state: {
      ...stores.state,
      list: async (prefix, options) =>
        prefix === 'inbox/' && listed !== undefined
          ? listed.slice(0, options?.limit)
          : stores.state.list(prefix, options),
    },
  }
}

/** A task that is neither finished nor waits is not looked for a second time. */
export function lookingOnce(stores: Stores): Stores {
  let unfinished: string | undefined
  return withState(stores, {
    async read(name) {
      const again = unfinished === name
      unfinished = undefined
      if (again) return undefined
      const stored = await stores.state.read(name)
      if (name.startsWith('tasks/') && stored === undefined) unfinished = name
      else if (name.startsWith('inbox/') && stored === undefined) unfinished = name.replace('inbox/', 'tasks/')
      return stored
    },
  })
}

/** Whoever finds a lease that was not released finds one whose holders have crashed often enough. */
export async function crashedThrice({ state }: Stores, name: string): Promise<Stored | undefined> {
  const stored = await state.read(name)
  if (stored === undefined || name !== 'lease.json') return stored
  const lease = JSON.parse(Buffer.from(stored.bytes).toString())
  const bytes = Buffer.from(JSON.stringify({ ...lease, batch: lease.batch.slice(0, 1), crashes: 3 }))
  return { ...stored, bytes }
}
