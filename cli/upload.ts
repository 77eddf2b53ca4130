import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request as overHttp } from 'node:http'
import { request as overTls } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { unreachable } from './api-client.ts'
import { CliError } from './output.ts'

const attempts = 3
const firstPause = 500
/** Milliseconds that the other side may be silent. */
const silence = 60_000
const pieceBytes = 256 * 1024

/**
 * Puts bytes to a URL. `progress` is told how many have been sent. Throws CliError 'unreachable', or 'refused' with what was
 * answered.
 */
export async function upload(
  url: URL,
  headers: Readonly<Record<string, string>>,
  bytes: Uint8Array,
  progress: (sent: number) => void,
): Promise<void> {
  for (let attempt = 1, pause = firstPause; ; attempt++, pause *= 2) {
    const { status, text } = await put(url, headers, bytes, progress).catch((cause: unknown) => {
      if (attempt === attempts) throw unreachable(url.origin, cause)
      return { status: 0, text: '' }
    })
    // It is there, because an answer was lost: what is submitted is held to its hash.
    if ((status >= 200 && status < 300) || status === 412) return
    const mayPass = status === 0 || status === 429 || status >= 500
    if (!mayPass || attempt === attempts) throw refused(url, status, text)
    await sleep(pause)
  }
}

async function put(
  url: URL,
  headers: Readonly<Record<string, string>>,
  bytes: Uint8Array,
  progress: (sent: number) => void,
): Promise<{ readonly status: number; readonly text: string }> {
  const send = url.protocol === 'https:' ? overTls : overHttp
  const request = send(url, {
    method: 'PUT',
    // With a length, for S3 takes nothing else; and asking first, for who says no may hang up before all has been sent.
    headers: { ...headers, 'content-length': bytes.length, expect: '100-continue' },
  })
  request.setTimeout(silence, () => request.destroy(new Error(`it was silent for ${silence / 1000} seconds`)))
  const mayBegin = once(request, 'continue')
  const answered = answerOf(request)
  request.flushHeaders()
  try {
    await Promise.race([mayBegin, answered, sleep(patience, undefined, { ref: false })])
    // What is answered meanwhile ends it too.
    return await Promise.race([
      answered,
      pipeline(Readable.from(pieces(bytes, progress)), request).then(() => answered),
    ])
  } finally {
    request.destroy()
  }
}

/** Milliseconds for those who do not know that they are asked first. */
const patience = 2_000

async function answerOf(request: ClientRequest): Promise<{ readonly status: number; readonly text: string }> {
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let text = ''
  for await (const part of response.setEncoding('utf8')) if (text.length < longestAnswer) text += part
  return { status: response.statusCode ?? 0, text }
}

const longestAnswer = 64 * 1024

function* pieces(bytes: Uint8Array, progress: (sent: number) => void): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    progress(from)
    yield bytes.subarray(from, from + pieceBytes)
  }
  progress(bytes.length)
}

function refused(url: URL, status: number, text: string): CliError {
  const said = /<Message>(.*?)<\/Message>/s.exec(text)?.[1] ?? /"error":\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1]
  return new CliError('refused', `${url.origin} answered ${status} to the upload: ${said ?? text.slice(0, 200)}`)
}
