import { spawn } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { openAsBlob, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { canonicalBytes } from '../shared/tuf/canonical.ts'
import { formatExpires } from '../shared/tuf/expiry.ts'
import { type Json, parseJson } from '../shared/tuf/json.ts'
import { type Key, keyFromPublicKey, keyid } from '../shared/tuf/keys.ts'
import { type Root, specVersion } from '../shared/tuf/metadata.ts'
import { assemble } from '../shared/tuf/signed.ts'

/** An embedded service in a process of its own, as a team would run it. */
export interface Service {
  readonly url: string
  readonly data: string
  readonly pid: number
  stop(): Promise<void>
}

const main = join(import.meta.dirname, '../cli/main.ts')

/** With the online keys in these files, or one that it makes itself. */
export async function startService(data: string, keys: readonly string[] = []): Promise<Service> {
  const flags = ['--data', data, '--port', '0', ...keys.flatMap((file) => ['--key', file])]
  const child = spawn(process.execPath, [main, 'serve', ...flags], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [url] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(([code]) =>
      Promise.reject(new Error(`The service ended with ${code} before it was ready.`)),
    ),
  ])
  return {
    url: String(url).replace(/\/$/, ''),
    data,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

/** Posts, waits until the task is finished, and throws unless it succeeded. */
export async function post(service: Service, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${service.url}/api/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait=25' },
    body: JSON.stringify(body),
  })
  const answer = JSON.stringify(await response.json())
  if (!response.ok || !answer.includes('"SUCCESS"'))
    throw new Error(`POST ${path}: ${response.status} ${answer.slice(0, 500)}`)
}

/** The root, as JSON, of a version that names one of the online keys of its service. */
export type MakeRoot = (version: number, online: number) => Promise<Json>

/** With one root key, which goes with the process. */
export function rootMaker(service: Service): MakeRoot {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const rootKey = keyFromPublicKey(publicKey)
  return async (version, online) => {
    const response = await fetch(`${service.url}/api/v1/keys`)
    const { data } = (await response.json()) as { data: { keys: Record<string, Key> } }
    const [onlineId, onlineKey] = Object.entries(data.keys)[online] ?? []
    if (onlineId === undefined || onlineKey === undefined) throw new Error('The service shows no such online key.')
    const role = (id: string) => ({ keyids: [id], threshold: 1 })
    const root: Root = {
      _type: 'root',
      spec_version: specVersion,
      version,
      expires: formatExpires(new Date(Date.now() + 365 * 24 * 60 * 60 * 1000)),
      consistent_snapshot: true,
      keys: new Map([
        [keyid(rootKey), rootKey],
        [onlineId, onlineKey],
      ]),
      roles: {
        ...{ root: role(keyid(rootKey)), targets: role(onlineId) },
        ...{ snapshot: role(onlineId), timestamp: role(onlineId) },
      },
    }
    const bytes = canonicalBytes(root)
    const signature = { keyid: keyid(rootKey), sig: sign(null, bytes, privateKey).toString('hex') }
    return parseJson(assemble(root, bytes, [signature]).bytes)
  }
}

/** Founds a repository with so many hash bins. */
export async function bootstrap(service: Service, bins: number, makeRoot = rootMaker(service)): Promise<void> {
  const days = (expiration: number) => ({ expiration })
  await post(service, 'bootstrap', {
    settings: {
      roles: {
        ...{ root: days(365), targets: days(90), snapshot: days(7), timestamp: days(1) },
        bins: { expiration: 30, number_of_delegated_bins: bins },
      },
    },
    metadata: { root: await makeRoot(1, 0) },
  })
}

export function artifact(path: string) {
  return { path, info: { length: 630, hashes: { sha256: 'ab'.repeat(32) } } }
}

/** Sends a task and resolves when it has succeeded, however long that takes. */
export async function submitted(service: Service, method: 'POST' | 'PUT', path: string, body: unknown): Promise<void> {
  const api = `${service.url}/api/v1`
  const headers = { 'content-type': 'application/json', prefer: 'wait=25' }
  const response = await fetch(`${api}/${path}`, { method, headers, body: JSON.stringify(body) })
  let { data } = (await response.json()) as { data: { task_id: string; state?: string; result?: unknown } }
  while (response.ok && (data.state === undefined || data.state === 'PENDING')) {
    await sleep(20)
    data = ((await (await fetch(`${api}/task?task_id=${data.task_id}`)).json()) as { data: typeof data }).data
  }
  if (data?.state !== 'SUCCESS') throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(data)}`)
}

/** Uploads a CSV file of artifacts and imports it; how long both took, in milliseconds. */
export async function importFile(
  service: Service,
  file: string,
): Promise<{ readonly uploading: number; readonly importing: number }> {
  const start = performance.now()
  const begun = await fetch(`${service.url}/api/v1/imports`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ format: 'csv' }),
  })
  const { data } = (await begun.json()) as {
    data: { import_id: string; upload: { method: string; url: string; headers: Record<string, string> } }
  }
  const { method, url, headers } = data.upload
  const body = await openAsBlob(file)
  const uploaded = await fetch(new URL(url, service.url), { method, headers, body })
  if (!uploaded.ok) throw new Error(`${method} ${url}: ${uploaded.status} ${await uploaded.text()}`)
  const between = performance.now()
  await submitted(service, 'POST', `imports/${data.import_id}`, {})
  return { uploading: between - start, importing: performance.now() - between }
}

/** Resident memory of a service in MiB, now and at most so far, as Linux counts it. */
export function memoryOf({ pid }: Service): { readonly now: number; readonly most: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mebibytes = (field: string) => Math.round(Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024)
  return { now: mebibytes('VmRSS'), most: mebibytes('VmHWM') }
}
