import type { Queue } from '../../repository/ports.ts'

/** A doorbell and the one who answers it, in the same process. */
export interface ProcessQueue extends Queue {
  /**
   * From now on `handler` runs after each ring, never twice at once: rings while it runs become one more run. A ring from before
   * is answered too. `onError` is told what it threw; the queue goes on.
   */
  listen(handler: () => Promise<void>, onError: (error: unknown) => void): void
  /** Resolves when no handler runs and no ring waits for one. */
  idle(): Promise<void>
  /** Rings are no longer answered. A run under way goes on: await `idle()`. */
  close(): void
}

export function processQueue(): ProcessQueue {
  let run: (() => Promise<void>) | undefined
  let rung = false
  let closed = false
  let answering: Promise<void> | undefined

  function wake(): void {
    if (rung && run) answering ??= answer(run)
  }

  async function answer(run: () => Promise<void>): Promise<void> {
    // Not within `ring`, so that rings at the same moment are answered together and none waits for the handler.
    await Promise.resolve()
    while (rung && !closed) {
      rung = false
      await run()
    }
    answering = undefined
  }

  return {
    async ring() {
      rung = true
      wake()
    },
    listen(handler, onError) {
      run = async () => {
        try {
          await handler()
        } catch (error) {
          onError(error)
        }
      }
      wake()
    },
    async idle() {
      await answering
    },
    close() {
      closed = true
    },
  }
}
