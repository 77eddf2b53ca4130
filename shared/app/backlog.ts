/** What was accepted and is not decided yet, so that who posts cannot outrun the publisher of the same process for long. */
export interface Backlog {
  /** Resolves when one more may be accepted. */
  enter(): Promise<void>
  /** So many have been decided. */
  leave(count: number): void
  /** None is left, or none can be decided now. */
  clear(): void
}

/**
 * With `most` undecided, the next one waits; for `patience` milliseconds at the most, for to be accepted is worth more than to be published soon.
 */
export function backlog(most: number, patience: number): Backlog {
  let undecided = 0
  const outside = new Set<() => void>()

  function leave(count: number): void {
    undecided = Math.max(0, undecided - count)
    for (const enter of outside) {
      if (undecided >= most) return
      enter()
    }
  }

  return {
    async enter() {
      if (undecided < most) {
        undecided++
        return
      }
      await new Promise<void>((resolve) => {
        const enter = () => {
          clearTimeout(timer)
          outside.delete(enter)
          undecided++
          resolve()
        }
        const timer = setTimeout(enter, patience)
        outside.add(enter)
      })
    },
    leave,
    clear: () => leave(undecided),
  }
}
