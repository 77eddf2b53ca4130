import { setTimeout as sleep } from 'node:timers/promises'
import { BaseFetcher } from 'tuf-js'
import { DownloadHTTPError, DownloadLengthMismatchError } from 'tuf-js/dist/error.js'
import { unreachable } from './api-client.ts'
import { CliError } from './output.ts'

const attempts = 3
const firstPause = 200
/** Milliseconds until the first byte; how long a big file then takes is another matter. */
const patience = 30_000

/** Fetches for tuf-js, and remembers what tuf-js forgets: whether it was the network that failed. */
export class TufFetcher extends BaseFetcher {
  /** Why the last file could not be fetched; nothing if it was, or if it was fetched and then refused. */
  failure: CliError | undefined
  readonly #received: (url: string, bytes: Uint8Array) => void

  /** `received` is called with each file of metadata before tuf-js reads it. */
  constructor(received: (url: string, bytes: Uint8Array) => void = () => undefined) {
    super()
    this.#received = received
  }

  override async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    const bytes = await super.downloadBytes(url, maxLength)
    this.#received(url, bytes)
    return bytes
  }

  override async downloadFile<Value>(
    url: string,
    maxLength: number,
    handler: (file: string) => Promise<Value>,
  ): Promise<Value> {
    this.failure = undefined
    let received = false
    try {
      return await super.downloadFile(url, maxLength, (file) => {
        received = true
        return handler(file)
      })
    } catch (error) {
      const tooLong = error instanceof DownloadLengthMismatchError
      if (!received && !tooLong) this.failure = asCliError(url, error)
      throw error
    }
  }

  override async fetch(url: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    for (let attempt = 1, pause = firstPause; ; attempt++, pause *= 2) {
      const last = attempt === attempts
      const response = await open(url).catch((error: unknown) => {
        if (last) throw error
      })
      if (response?.ok && response.body !== null) return response.body
      await response?.body?.cancel()
      const mayPass = response === undefined || response.status >= 500
      if (response !== undefined && (last || !mayPass))
        throw new DownloadHTTPError('Failed to download', response.status)
      await sleep(pause)
    }
  }
}

async function open(url: string): Promise<Response> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new Error(`no answer in ${patience / 1000} seconds`)), patience)
  try {
    return await fetch(url, { signal: late.signal, headers: { 'user-agent': 'tuffet' } })
  } finally {
    clearTimeout(timer)
  }
}

function asCliError(url: string, error: unknown): CliError {
  if (!(error instanceof DownloadHTTPError)) return unreachable(url, error)
  return new CliError('unreachable', `${url} cannot be had: the server answered ${error.statusCode}.`, { cause: error })
}
