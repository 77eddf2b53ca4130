import type { Choose } from './fragile-disk.ts'

/** Turns that end at some moment: from then on nothing that is asked for is done. */
export interface Power {
  readonly turn: () => Promise<void>
  /** Resolves with the cut. */
  readonly cut: Promise<'cut'>
  /** The cut comes now. */
  end(): void
}

/** One turn at a time, to whomever `choose` says; after so many turns there are no more. */
export function power(choose: Choose, lasts: number): Power {
  const waiting: (() => void)[] = []
  const { promise: cut, resolve: end } = Promise.withResolvers<'cut'>()
  let left = lasts
  let running = false

  async function run(): Promise<void> {
    running = true
    for (;;) {
      // Whoever had its turn goes on to what it asks next.
      await new Promise((resolve) => setImmediate(resolve))
      if (left <= 0) return end('cut')
      const [next] = waiting.splice(choose(waiting.length), 1)
      if (next === undefined) break
      left--
      next()
    }
    running = false
  }

  return {
    turn: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        if (!running) void run()
      }),
    cut,
    end() {
      left = 0
    },
  }
}
