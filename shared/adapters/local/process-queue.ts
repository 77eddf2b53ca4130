import type { Queue } from '../../repository/ports.ts'

/** A doorbell and the one who answers it, in the same process. */
export interface ProcessQueue extends Queue {
  /**
   * From now on `handler` runs after each ring, never twice at once: rings while it runs become one more run. A ring from before
   * is answered too. A second handler takes the place of the first.
   */
  listen(handler: () => Promise<void>): void
  /** Resolves when no handler runs and no ring waits for one. */
  idle(): Promise<void>
  /** Rings are no longer answered. A run under way goes on: await `idle()`. */
  close(): void
}

/** `onError` is told what a handler threw; the queue goes on. */
export function processQueue(onError: (error: unknown) => void): ProcessQueue {
  let handler: (() => Promise<void>) | undefined
  let rung = false
  let closed = false
  let answering: Promise<void> | undefined

  function wake(): void {
    if (rung && handler && !closed) answering ??= answer()
  }

  async function answer(): Promise<void> {
    // Not within `ring`, so that rings at the same moment are answered together and none waits for the handler.
    await Promise.resolve()
    while (rung && handler && !closed) {
      rung = false
      try {
        await handler()
      } catch (error) {
        onError(error)
      }
    }
    answering = undefined
  }

  return {
    async ring() {
      rung = true
      wake()
    },
    listen(newHandler) {
      handler = newHandler
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
