/** Mutual exclusion by name, within this process. */
export interface Turns {
  /** Runs `work` when all that was given before under this name has ended, well or badly; settles as it does. */
  take<T>(name: string, work: () => Promise<T>): Promise<T>
  /** Resolves when all that has been given so far under this name has ended, well or badly. */
  ended(name: string): Promise<void>
}

export function takingTurns(): Turns {
  const last = new Map<string, Promise<void>>()

  return {
    take(name, work) {
      const turn = (last.get(name) ?? Promise.resolve()).then(work)
      const end: Promise<void> = turn.then(ignore, ignore).then(() => {
        if (last.get(name) === end) last.delete(name)
      })
      last.set(name, end)
      return turn
    },
    async ended(name) {
      await last.get(name)
    },
  }
}

/** At most `limit` at once, in the order in which they came. */
export function atMost(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let free = limit

  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}

function ignore(): void {}
