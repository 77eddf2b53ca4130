import { once } from 'node:events'

/** Listened for from the first moment on, so that no signal falls between two steps. A second one ends the process at once. */
export async function stopSignal(): Promise<string> {
  const ended = new AbortController()
  const { signal } = ended
  return Promise.race(
    ['SIGTERM', 'SIGINT'].map(async (name) => {
      await once(process, name, { signal })
      return name
    }),
  ).finally(() => ended.abort())
}
