import { type Clock, type ObjectStore, StoreError } from './ports.ts'

/** How often an operation is tried in all, and the milliseconds before it is tried again; each pause is four times the one before. */
const attempts = 4
const firstPause = 50

/**
 * Settles an unclear answer by repeating the very same operation, which every operation of a store allows: a create or
 * replace that did take effect before succeeds. Throws StoreError, 'unavailable' only where it stayed so.
 */
export function persistent(store: ObjectStore, clock: Pick<Clock, 'sleep'>): ObjectStore {
  const persist = async <Result>(operation: () => Promise<Result>): Promise<Result> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await operation()
      } catch (error) {
        const unclear = error instanceof StoreError && error.code === 'unavailable'
        if (!unclear || attempt === attempts) throw error
        await clock.sleep(firstPause * 4 ** (attempt - 1))
      }
    }
  }
  return {
    read: (name) => persist(() => store.read(name)),
    range: (name, start, end) => persist(() => store.range(name, start, end)),
    create: (name, bytes) => persist(() => store.create(name, bytes)),
    replace: (name, bytes, tag) => persist(() => store.replace(name, bytes, tag)),
    delete: (name) => persist(() => store.delete(name)),
    list: (prefix, options) => persist(() => store.list(prefix, options)),
  }
}
