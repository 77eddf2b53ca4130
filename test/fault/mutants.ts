import type { Entry } from '../../shared/repository/journal.ts'
import { StoreError, type Tag } from '../../shared/repository/ports.ts'
import {
  after,
  bringingOutOwnRoots,
  crashedThrice,
  finishingOwnOnly,
  finishingTheNewest,
  hiding,
  holdBack,
  listingTooSoon,
  longAgo,
  lookingOnce,
  overwrite,
  preparedJustNow,
  readyTooSoon,
  signedAnew,
  stateAfterTimestamp,
  timestampBefore,
  withMetadata,
  withoutFinishing,
  withState,
} from './broken-stores.ts'
import type { Mutant } from './world.ts'

/**
 * The service with one of its rules broken, each by what a process does to its stores, so that none of the service's own
 * code is touched. A simulation that does not catch them proves nothing.
 */
export const mutants: Readonly<Record<string, Mutant>> = {
  'timestamp.json is replaced whatever its tag': (stores) =>
    withMetadata(stores, { replace: (name, bytes) => overwrite(stores.metadata, name, bytes) }),

  'a journal entry is written over another': (stores) =>
    withState(stores, {
      create: (name, bytes) =>
        name.startsWith('commits/') ? overwrite(stores.state, name, bytes) : stores.state.create(name, bytes),
    }),

  'no journal: the number is not claimed, only written down at the end': (stores) => {
    const { create, release } = holdBack(stores.state, (name) => name.startsWith('commits/'))
    const replace: typeof stores.metadata.replace = async (name, bytes, tag) => {
      await release((entry, content) => overwrite(stores.state, entry, content))
      return stores.metadata.replace(name, bytes, tag)
    }
    return withState(withMetadata(stores, { replace }), { create })
  },

  'finished tasks are not looked up': (stores, role) =>
    role === 'api' ? stores : withState(stores, { read: (name) => hiding('tasks/', stores.state, name) }),

  'the timestamp comes before the snapshot': (stores) => timestampBefore(stores, '.snapshot.json'),

  'the timestamp comes before the roles': (stores) => timestampBefore(stores, '.bins-1.json'),

  'a root comes before its commit': (stores) => {
    let root: Uint8Array | undefined
    return {
      state: {
        ...stores.state,
        async create(name, bytes) {
          if (name.endsWith('.root.json')) root = bytes
          return stores.state.create(name, bytes)
        },
      },
      metadata: {
        ...stores.metadata,
        async replace(name, bytes, tag) {
          const version = root && JSON.parse(Buffer.from(root).toString()).signed.version
          if (root) await stores.metadata.create(`${version}.root.json`, root)
          root = undefined
          return stores.metadata.replace(name, bytes, tag)
        },
      },
    }
  },

  'results are written before the commit': (stores) =>
    withState(stores, {
      async create(name, bytes) {
        const tag = await stores.state.create(name, bytes)
        if (!name.startsWith('commits/')) return tag
        const entry: Entry = JSON.parse(Buffer.from(bytes).toString())
        for (const task of entry.tasks) {
          const finished = { schema: 1, ...task, commit: entry.number }
          await stores.state.create(`tasks/${task.id}.json`, Buffer.from(JSON.stringify(finished)))
        }
        return tag
      },
    }),

  'a task leaves the inbox before its result is written': (stores) => {
    const { create, release } = holdBack(stores.state, (name) => name.startsWith('tasks/'))
    const leave = async (name: string) => {
      await stores.state.delete(name)
      await release()
    }
    return withState(stores, { create, delete: leave })
  },

  'the refresher does not finish the commit below its own': (stores, role) =>
    role === 'refresher' ? withoutFinishing(stores) : stores,

  'nobody finishes the commits of others': (stores, role) => (role === 'api' ? stores : finishingOwnOnly(stores)),

  'the inbox is read in the wrong order': (stores, role) =>
    role === 'api'
      ? stores
      : withState(stores, {
          list: async (prefix, options) => (await stores.state.list(prefix, options)).reverse(),
        }),

  'the refresher does not look at the inbox': (stores, role) =>
    role !== 'refresher'
      ? stores
      : withState(stores, {
          list: async (prefix, options) => (prefix === 'inbox/' ? [] : stores.state.list(prefix, options)),
        }),

  'the answer comes before the task is stored': (stores, role) =>
    role !== 'api'
      ? stores
      : withState(stores, {
          async create(name, bytes) {
            if (!name.startsWith('inbox/')) return stores.state.create(name, bytes)
            stores.state.create(name, bytes).catch(() => {})
            return '' as Tag
          },
        }),

  'an Idempotency-Key is taken for a new one': (stores) =>
    withState(stores, {
      create: (name, bytes) =>
        name.startsWith('idempotency/') ? overwrite(stores.state, name, bytes) : stores.state.create(name, bytes),
    }),

  'an unclear swap is cleaned up after': (stores) => {
    let made: string[] = []
    return withMetadata(stores, {
      async create(name, bytes) {
        made.push(name)
        return stores.metadata.create(name, bytes)
      },
      async replace(name, bytes, tag) {
        try {
          return await stores.metadata.replace(name, bytes, tag)
        } catch (error) {
          for (const leftover of made) await stores.metadata.delete(leftover)
          throw error
        } finally {
          made = []
        }
      },
    })
  },

  'an unclear swap counts as refused, and is not repeated': (stores) =>
    withMetadata(stores, {
      async replace(name, bytes, tag) {
        try {
          return await stores.metadata.replace(name, bytes, tag)
        } catch (cause) {
          for (const listed of await stores.state.list('inbox/')) await stores.state.delete(listed)
          throw new StoreError('changed', 'It failed.', { cause })
        }
      },
    }),

  'a sealed bootstrap is changed': (stores) =>
    withState(stores, {
      replace: (name, bytes, tag) =>
        name === 'bootstrap.json' ? overwrite(stores.state, name, bytes) : stores.state.replace(name, bytes, tag),
      create: (name, bytes) =>
        name === 'bootstrap.json' ? overwrite(stores.state, name, bytes) : stores.state.create(name, bytes),
    }),

  'an Idempotency-Key is noted after its task': (stores, role) =>
    role === 'api' ? after(stores, 'idempotency/', 'inbox/') : stores,

  'private state comes after the timestamp': stateAfterTimestamp,

  'what the newest entry decides is finished, not what the current one does': (stores, role) =>
    role === 'api' ? stores : finishingTheNewest(stores),

  'records of tasks are collected at once': (stores, role) =>
    role !== 'collector'
      ? stores
      : withState(stores, {
          read: (name) => (name.startsWith('tasks/') ? longAgo(stores.state, name) : stores.state.read(name)),
        }),

  'the files of an aborted commit stay when its entry goes': (stores, role) =>
    role === 'collector' ? withMetadata(stores, { delete: async () => {} }) : stores,

  'old online keys stop signing at once': (stores, role) =>
    role === 'collector' ? stores : withMetadata(stores, { read: (name) => longAgo(stores.metadata, name) }),

  'what others changed while roles were signed ahead is overlooked': (stores, role) =>
    role === 'publisher' ? withState(stores, { read: (name) => preparedJustNow(stores, name) }) : stores,

  'work ahead is taken over before it is done': (stores, role) =>
    role === 'publisher' ? withState(stores, { read: (name) => readyTooSoon(stores, name) }) : stores,

  'a signature is made twice': (outside) => ({
    ...outside,
    signers: outside.signers.map((signer) => ({
      ...signer,
      async sign(bytes) {
        await signer.sign(bytes)
        return signer.sign(bytes)
      },
    })),
  }),

  'a signature is made twice: what was not answered is signed anew': signedAnew,

  'what was signed offline is put together anew': (stores) =>
    withMetadata(stores, {
      create: (name, bytes) =>
        /\.(targets|team|vault)\.json$/.test(name)
          ? overwrite(stores.metadata, name, bytes)
          : stores.metadata.create(name, bytes),
    }),

  'a root is brought out by none but who decided it': bringingOutOwnRoots,

  'the inbox is listed before the current commit is read': (stores, role) =>
    role === 'publisher' || role === 'refresher' ? listingTooSoon(stores) : stores,

  'a task is looked for once': (stores, role) => (role === 'api' ? lookingOnce(stores) : stores),

  'a task is left out after one crash': (stores, role) =>
    role === 'publisher' ? withState(stores, { read: (name) => crashedThrice(stores, name) }) : stores,

  'superseded files are collected at once': (stores, role) =>
    role !== 'collector'
      ? stores
      : {
          metadata: { ...stores.metadata, read: (name) => longAgo(stores.metadata, name) },
          state: { ...stores.state, read: (name) => longAgo(stores.state, name) },
        },
}
