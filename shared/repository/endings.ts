import type { Cache } from './repository.ts'

/**
 * Calls `wake` once, when this process has written down how the task ended: sooner than anybody would see who looks now and
 * then. Returns what takes that back. Nothing may rest on it, for another process may end the task.
 */
export function onEnding({ waiting }: Cache, id: string, wake: () => void): () => void {
  const waitingForIt = waiting.get(id) ?? new Set()
  waiting.set(id, waitingForIt.add(wake))
  return () => {
    waitingForIt.delete(wake)
    if (waitingForIt.size === 0) waiting.delete(id)
  }
}

export function tellEnding({ waiting }: Cache, id: string): void {
  for (const wake of waiting.get(id) ?? []) wake()
}
