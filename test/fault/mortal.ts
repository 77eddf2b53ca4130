import type { ObjectStore } from '../../shared/repository/ports.ts'

/** When a process dies: at which of its operations, counted from 1, and whether that one still takes effect. */
export interface Death {
  readonly at: number
  readonly after: boolean
}

export interface Mortal {
  readonly metadata: ObjectStore
  readonly state: ObjectStore
  /** Resolves once it is dead and nothing of it moves any more. */
  readonly died: Promise<'died'>
  /** What it has asked for so far, in order. */
  readonly operations: readonly ('read' | 'write')[]
}

/** The stores as a process sees them that dies: from then on nothing that it asks takes effect or is answered. */
export function mortal(stores: Record<'metadata' | 'state', ObjectStore>, death: Death | undefined): Mortal {
  const operations: ('read' | 'write')[] = []
  const { promise: died, resolve } = Promise.withResolvers<'died'>()

  async function step<Result>(kind: 'read' | 'write', operation: () => Promise<Result>): Promise<Result> {
    const at = operations.push(kind)
    if (death === undefined || at < death.at) return operation()
    if (at === death.at) {
      if (death.after) await operation()
      // What else is under way goes by in microtasks.
      setImmediate(() => resolve('died'))
    }
    return new Promise<Result>(() => {})
  }

  const dying = (store: ObjectStore): ObjectStore => ({
    read: (name) => step('read', () => store.read(name)),
    range: (name, start, end) => step('read', () => store.range(name, start, end)),
    create: (name, bytes) => step('write', () => store.create(name, bytes)),
    replace: (name, bytes, tag) => step('write', () => store.replace(name, bytes, tag)),
    delete: (name) => step('write', () => store.delete(name)),
    list: (prefix, options) => step('read', () => store.list(prefix, options)),
  })
  return { metadata: dying(stores.metadata), state: dying(stores.state), died, operations }
}
