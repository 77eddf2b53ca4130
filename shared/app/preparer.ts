import { extname } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { Prepared } from '../repository/ahead/prepare.ts'
import { type Lent, lendStore } from './lent-store.ts'
import type { Logger } from './logger.ts'
import type { PreparerWork } from './preparer-repository.ts'
import { asPlain, fromPlain } from './thread-errors.ts'

export interface Preparer {
  /** Begins to prepare a task in a thread of its own, unless one is at work. */
  begin(taskId: string): void
  /** No task waits for it: what went wrong before is nobody's trouble any more. */
  rest(): void
  /** Why work was in vain when it was tried last; nothing once it goes well. */
  readonly trouble: Error | undefined
  /** Resolves when no thread is at work; what it had prepared stays for the next one. */
  close(): Promise<void>
}

/** What was in vain is not tried again at once: a full disk stays full for a while, and so does a dead thread hold its work. Milliseconds. */
const pauseBeforeNext = 5_000

/**
 * Does long work beside the publisher, so that neither waits for the other's processor time. `done` is called when the next
 * commit can take it over, or when it has to be tried again.
 */
export function threadedPreparer(
  work: Omit<PreparerWork, 'taskId' | 'state'>,
  state: Lent,
  log: Logger,
  done: () => void,
): Preparer {
  let worker: Worker | undefined
  let pause: NodeJS.Timeout | undefined
  let closed = false
  let trouble: Error | undefined
  return {
    get trouble() {
      return trouble
    },
    rest() {
      trouble = undefined
    },
    begin(taskId) {
      if (worker !== undefined || pause !== undefined || closed) return
      const { port1, port2 } = new MessageChannel()
      lendStore(state, port1)
      const workerData: PreparerWork = { ...work, taskId, state: port2 }
      const thread = new Worker(new URL(`./preparer-thread${extname(import.meta.filename)}`, import.meta.url), {
        workerData,
        transferList: [port2],
      })
      worker = thread
      let inVain = true
      thread.on('message', (prepared: Prepared) => {
        inVain = prepared === 'busy'
        if (!inVain) trouble = undefined
        log.info({ task: taskId, prepared }, 'prepared')
      })
      thread.on('error', (err) => {
        trouble = failed(taskId, err)
        log.error({ task: taskId, err }, 'long work failed; it is tried again')
      })
      thread.on('exit', () => {
        worker = undefined
        if (closed) return
        if (!inVain) return done()
        pause = setTimeout(() => {
          pause = undefined
          done()
        }, pauseBeforeNext)
      })
    },
    async close() {
      closed = true
      clearTimeout(pause)
      await worker?.terminate()
    },
  }
}

/** Of the class that it had in its thread: so who asks after the service's health is told what it is. */
function failed(taskId: string, error: unknown): Error {
  const plain = asPlain(error)
  const message = `The work ahead for task ${taskId} fails, and is tried again every ${pauseBeforeNext / 1000} seconds: ${plain.message}`
  return fromPlain({ ...plain, message })
}
