import { readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Service } from './service.ts'

/**
 * When each version of `timestamp.json`, the file that every client reads first, was there: as the kernel tells, for to ask again
 * and again would take the processor away from what is measured. One for a whole measurement: to begin to watch takes the
 * kernel milliseconds in a directory of 50,000 files, and it holds up whoever writes there.
 */
export interface Visible extends Disposable {
  /** Those that came since. */
  readonly versions: readonly { readonly version: number; readonly at: number }[]
  current(): number
  /** Resolves when this version, or a later one, is there. */
  reached(version: number): Promise<void>
}

export function watchVisible(service: Service): Visible {
  const metadata = join(service.data, 'metadata')
  const read = (): number => JSON.parse(readFileSync(join(metadata, 'timestamp.json'), 'utf8')).signed.version
  let current = read()
  const versions: { version: number; at: number }[] = []
  const waiting = new Set<() => void>()
  const watcher = watch(metadata, (_, file) => {
    if (file !== 'timestamp.json') return
    const at = performance.now()
    const version = read()
    if (version === current) return
    current = version
    versions.push({ version, at })
    for (const look of [...waiting]) look()
  })
  return {
    versions,
    current: () => current,
    reached: (version) =>
      new Promise((resolve) => {
        const look = () => {
          if (current < version) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    [Symbol.dispose]: () => watcher.close(),
  }
}
