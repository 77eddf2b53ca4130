/** The embedded service as a child process, and the two calls that the interop tests make of its API. */

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** How a path finds its hash bin, named as in metadata. */
export type Flavour = 'succinct_roles' | 'path_hash_prefixes'

export interface Service {
  url: URL
  /** The directory whose files it serves as targets. */
  artifacts: string
  stop(): Promise<void>
}

const checkout = join(import.meta.dirname, '../..')

/** Starts a service with a new repository of that flavour below `directory`; it is bootstrapped when the promise resolves. */
export function startService(flavour: Flavour, directory: string): Promise<Service> {
  return serve(directory, ['--trial'], { TUFFET_TRIAL_BINS: flavour })
}

/** Starts a service on `directory`, with whatever is there; it answers when the promise resolves. */
export async function serve(
  directory: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const artifacts = join(directory, 'artifacts')
  const log = join(directory, 'service.log')
  mkdirSync(artifacts, { recursive: true })
  const child = spawn(
    process.execPath,
    ['cli/main.ts', 'serve', '--data', join(directory, 'data'), '--port', '0', '--artifacts', artifacts, ...flags],
    {
      cwd: checkout,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', openSync(log, 'w')],
    },
  ) as ChildProcessByStdio<null, Readable, null>
  process.once('exit', () => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) {
    return { url: new URL(line), artifacts, stop: () => stop(child) }
  }
  throw new Error(`the service ended before it printed its URL; its log:\n${readFileSync(log, 'utf8')}`)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await exit
  }
  if (child.exitCode !== 0) throw new Error(`the service ended with ${child.exitCode ?? child.signalCode}, not with 0`)
}

/** Posts and waits for the finished task. Throws unless it succeeded. */
export async function submit(
  service: Service,
  path: string,
  body: object,
  method: 'POST' | 'PUT' = 'POST',
): Promise<void> {
  const response = await fetch(new URL(`api/v1/${path}`, service.url), {
    method,
    headers: { 'content-type': 'application/json', prefer: 'wait=20' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (response.status !== 200 || JSON.parse(text).data?.state !== 'SUCCESS')
    throw new Error(`${method} ${path} did not finish with SUCCESS within 20 seconds: ${response.status} ${text}`)
}

export async function download(url: URL): Promise<Buffer> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}`)
  return Buffer.from(await response.arrayBuffer())
}
