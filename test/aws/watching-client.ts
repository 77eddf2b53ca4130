import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Updater } from 'tuf-js'
import type { Deployed } from './deployed.ts'

/** What it has come to when it is ended: how often it has refreshed, and each time that it could not. */
export interface Watched {
  readonly refreshes: number
  readonly failures: readonly string[]
}

/** A client that refreshes twice a second, whatever happens meanwhile; its first root is `1.root.json` in the test's directory. */
export function watchingClient({ directory, url }: Deployed): { end(): Promise<Watched> } {
  const ended = new AbortController()
  const failures: string[] = []
  const watched = (async () => {
    const metadataDir = join(directory, 'watching')
    await mkdir(metadataDir)
    await copyFile(join(directory, '1.root.json'), join(metadataDir, 'root.json'))
    let refreshes = 0
    for (; !ended.signal.aborted; refreshes++) {
      const client = new Updater({ metadataDir, metadataBaseUrl: `${url}/metadata` })
      await client.refresh().catch((error: unknown) => failures.push(String(error)))
      await setTimeout(500)
    }
    return { refreshes, failures }
  })()
  return {
    end() {
      ended.abort()
      return watched
    },
  }
}
