import type { MessagePort } from 'node:worker_threads'
import type { ObjectStore } from '../repository/ports.ts'
import { asPlain, fromPlain, type PlainError } from './thread-errors.ts'

/** What may be asked of a store from another thread: to change it, and what it has in the memory of its own. */
export type Lent = Pick<ObjectStore, 'create' | 'replace' | 'delete' | 'read'>

interface Asked {
  readonly id: number
  readonly call: keyof Lent
  readonly parameters: readonly unknown[]
}

type Answered = { readonly id: number } & ({ readonly value: unknown } | { readonly failed: PlainError })

/** Does for another thread what it asks of a store that has one writer only: this one. Ends when that one closes the port, or ends. */
export function lendStore(store: Lent, port: MessagePort): void {
  port.on('message', async ({ id, call, parameters }: Asked) => {
    const work = store[call] as (...parameters: readonly unknown[]) => Promise<unknown>
    const answered: Answered = await work(...parameters).then(
      (value) => ({ id, value }),
      (error: unknown) => ({ id, failed: asPlain(error) }),
    )
    port.postMessage(answered)
  })
}

/** What another thread lends, until the port is closed. */
export function borrowedStore(port: MessagePort): Lent {
  const waiting = new Map<number, (answered: Answered) => void>()
  let last = 0
  port.on('message', (answered: Answered) => {
    waiting.get(answered.id)?.(answered)
    waiting.delete(answered.id)
  })

  function asking<Call extends keyof Lent>(call: Call): Lent[Call] {
    const ask = (...parameters: readonly unknown[]) =>
      new Promise<unknown>((resolve, reject) => {
        const asked: Asked = { id: ++last, call, parameters }
        waiting.set(asked.id, (answered) =>
          'failed' in answered ? reject(fromPlain(answered.failed)) : resolve(answered.value),
        )
        port.postMessage(asked)
      })
    return ask as Lent[Call]
  }

  return { create: asking('create'), replace: asking('replace'), delete: asking('delete'), read: asking('read') }
}
