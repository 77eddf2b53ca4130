import type { ObjectStore, Signer } from '../../shared/repository/ports.ts'

/** How often each operation of the ports was called. */
export interface Counts {
  signatures: number
  reads: number
  /** Creates and replaces. */
  writes: number
  deletes: number
  lists: number
}

/** Wrappers for the ports of a test repository that count into `counts`. */
export function counting() {
  const counts: Counts = { signatures: 0, reads: 0, writes: 0, deletes: 0, lists: 0 }
  const around = (store: ObjectStore): ObjectStore => ({
    read: (name) => counted('reads', () => store.read(name)),
    range: (name, start, end) => counted('reads', () => store.range(name, start, end)),
    create: (name, bytes) => counted('writes', () => store.create(name, bytes)),
    replace: (name, bytes, tag) => counted('writes', () => store.replace(name, bytes, tag)),
    delete: (name) => counted('deletes', () => store.delete(name)),
    list: (prefix, options) => counted('lists', () => store.list(prefix, options)),
  })
  const wrapSigner = (signer: Signer): Signer => ({
    ...signer,
    sign: (bytes) => counted('signatures', () => signer.sign(bytes)),
  })

  function counted<Result>(kind: keyof Counts, operation: () => Result): Result {
    counts[kind]++
    return operation()
  }

  return {
    around,
    wrapSigner,
    /** What `work` calls. */
    async during(work: () => Promise<unknown>): Promise<Counts> {
      const before = { ...counts }
      await work()
      const kinds = Object.keys(counts) as (keyof Counts)[]
      return Object.fromEntries(kinds.map((kind) => [kind, counts[kind] - before[kind]])) as unknown as Counts
    },
  }
}
