import { spawn } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { canonicalBytes } from '../shared/tuf/canonical.ts'
import { parseJson } from '../shared/tuf/json.ts'
import { type Key, keyFromPublicKey, keyid } from '../shared/tuf/keys.ts'
import { formatExpires, type Root, specVersion } from '../shared/tuf/metadata.ts'
import { assemble } from '../shared/tuf/signed.ts'

/** An embedded service in a process of its own, as a team would run it. */
export interface Service {
  readonly url: string
  readonly data: string
  readonly pid: number
  stop(): Promise<void>
}

const main = join(import.meta.dirname, '../cli/main.ts')

export async function startService(data: string): Promise<Service> {
  const child = spawn(process.execPath, [main, 'serve', '--data', data, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
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

/** Founds a repository with so many hash bins and one root key that is thrown away. */
export async function bootstrap(service: Service, bins: number): Promise<void> {
  const { data } = (await (await fetch(`${service.url}/api/v1/keys`)).json()) as { data: { keys: Record<string, Key> } }
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const rootKey = keyFromPublicKey(publicKey)
  const [online] = Object.entries(data.keys)
  if (online === undefined) throw new Error('The service shows no online key.')
  const [onlineId, onlineKey] = online
  const role = (id: string) => ({ keyids: [id], threshold: 1 })
  const root: Root = {
    _type: 'root',
    spec_version: specVersion,
    version: 1,
    expires: formatExpires(new Date(Date.now() + 365 * 24 * 60 * 60 * 1000)),
    consistent_snapshot: true,
    keys: new Map([
      [keyid(rootKey), rootKey],
      [onlineId, onlineKey],
    ]),
    roles: { root: role(keyid(rootKey)), targets: role(onlineId), snapshot: role(onlineId), timestamp: role(onlineId) },
  }
  const bytes = canonicalBytes(root)
  const signature = { keyid: keyid(rootKey), sig: sign(null, bytes, privateKey).toString('hex') }
  const days = (expiration: number) => ({ expiration })
  await post(service, 'bootstrap', {
    settings: {
      roles: {
        ...{ root: days(365), targets: days(90), snapshot: days(7), timestamp: days(1) },
        bins: { expiration: 30, number_of_delegated_bins: bins },
      },
    },
    metadata: { root: parseJson(assemble(root, bytes, [signature]).bytes) },
  })
}

export function artifact(path: string) {
  return { path, info: { length: 630, hashes: { sha256: 'ab'.repeat(32) } } }
}
