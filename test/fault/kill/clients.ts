import { spawn } from 'node:child_process'
import { access, copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { BaseFetcher, Updater } from 'tuf-js'
import { DownloadHTTPError } from 'tuf-js/dist/error.js'

const checkout = join(import.meta.dirname, '../../..')

/** A TUF client that refreshes and never stops. */
export interface RefreshingClient {
  readonly name: string
  readonly counts: { refreshed: number; unreachable: number }
  /** Throws the first failure that is not "nobody answers there". */
  run(isOver: () => boolean): Promise<void>
  /** Ends its process, if it has one. */
  end(): void
}

/** What clients say where the service is not there, or goes away in the middle of an answer. */
const unreachable =
  /ECONNREFUSED|ECONNRESET|EPIPE|other side closed|socket hang up|premature close|aborted|terminated|connection refused|connection reset|connection aborted|RemoteDisconnected|IncompleteRead|NewConnectionError|Max retries|Connection broken/i

function refreshing(name: string, refresh: () => Promise<unknown>, end = () => {}): RefreshingClient {
  const counts = { refreshed: 0, unreachable: 0 }
  return {
    name,
    counts,
    end,
    async run(isOver) {
      while (!isOver()) {
        try {
          await refresh()
          counts.refreshed++
          await sleep(5)
        } catch (error) {
          const told = chainOf(error)
          if (!unreachable.test(told)) throw new Error(`${name} fails: ${told}`, { cause: error })
          counts.unreachable++
          await sleep(20)
        }
      }
    },
  }
}

function chainOf(error: unknown): string {
  const { message, code, cause } = error as { message?: string; code?: string; cause?: unknown }
  return [code, message ?? String(error), ...(cause === undefined ? [] : [chainOf(cause)])].join(' ')
}

/** tuf-js. `keeps`: what it trusted before; else it begins from the first root each time. */
export async function tufJs(url: URL, directory: string, root: string, keeps: boolean): Promise<RefreshingClient> {
  let count = 0
  const state = async () => {
    const own = join(directory, keeps ? 'kept' : `fresh-${count++ % 50}`)
    await mkdir(own, { recursive: true })
    if (!keeps || count++ === 0) await copyFile(root, join(own, 'root.json'))
    return own
  }
  return refreshing(`tuf-js (${keeps ? 'kept' : 'fresh'} state)`, async () => {
    const fetcher = new PlainFetcher()
    const metadataBaseUrl = new URL('metadata', url).href
    const updater = new Updater({ metadataDir: await state(), metadataBaseUrl, fetcher })
    try {
      await updater.refresh()
      await updater.getTargetInfo('writer-0/newest')
    } catch (error) {
      throw fetcher.failure ?? error
    }
  })
}

/** Remembers what tuf-js forgets: how the network failed. */
class PlainFetcher extends BaseFetcher {
  failure: unknown

  override async fetch(url: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const response = await this.#whole(url)
    if (!response.ok) throw new DownloadHTTPError(`${url} was answered ${response.status}`, response.status)
    return new Blob([response.bytes]).stream()
  }

  async #whole(url: string) {
    this.failure = undefined
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(20_000) })
      return { ok: response.ok, status: response.status, bytes: await response.arrayBuffer() }
    } catch (error) {
      this.failure = error
      throw error
    }
  }
}

/** python-tuf, where its environment is installed (`bash test/interop/install.sh`). */
export async function pythonTuf(url: URL, directory: string, root: string): Promise<RefreshingClient | undefined> {
  const python = join(checkout, '.cache/interop/venv/bin/python')
  const installed = await access(python).then(
    () => true,
    () => false,
  )
  if (!installed) return undefined
  await mkdir(directory, { recursive: true })
  const driver = spawn(python, [join(checkout, 'test/interop/clients/python_tuf.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  process.once('exit', () => driver.kill('SIGKILL'))
  const answers = createInterface({ input: driver.stdout })[Symbol.asyncIterator]()
  const request = {
    ...{ state: directory, root, targets: ['writer-0/newest'] },
    ...{ metadataUrl: new URL('metadata/', url).href, targetsUrl: new URL('artifacts/', url).href },
  }
  const refresh = async () => {
    const began = performance.now()
    driver.stdin.write(`${JSON.stringify(request)}\n`)
    const { value } = await answers.next()
    if (value === undefined) throw new Error('its process ended')
    const { ok, error = '' } = JSON.parse(value) as { ok: boolean; error?: string }
    // It has one name for a connection that is refused and for one that is slow; the latter shows after five seconds.
    const isRefused = error.startsWith('SlowRetrievalError') && performance.now() - began < 4000
    if (!ok) throw new Error(isRefused ? 'connection refused' : error)
  }
  return refreshing('python-tuf (kept state)', refresh, () => driver.kill())
}
