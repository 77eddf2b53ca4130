/** The people behind a repository: they hold its root keys, found it, and change what signs it. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalBytes } from '../../shared/tuf/canonical.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { signedFromJson } from '../../shared/tuf/signed.ts'
import { makeRoot, signatureBy, signRole, type TestKey } from '../support/keys.ts'
import { download, type Flavour, type Service, submit } from './service.ts'

export const onlineRoles = ['targets', 'snapshot', 'timestamp'] as const
export type OnlineRole = (typeof onlineRoles)[number]

/** Who signs what. Root needs all of its keys. */
export interface Signers {
  readonly root: readonly TestKey[]
  readonly online: Readonly<Record<OnlineRole, TestKey>>
}

/** Writes each key where the service is told to find it; returns the flags that tell it. */
export function keyFlags(directory: string, keys: readonly TestKey[]): string[] {
  return keys.flatMap(({ keyid, privateKey }) => {
    const file = join(directory, `${keyid.slice(0, 8)}.pem`)
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    return ['--key', file]
  })
}

export async function found(service: Service, signers: Signers, delegation: Flavour, bins = 4): Promise<void> {
  const days = (expiration: number) => ({ expiration })
  const roles = {
    root: days(365),
    targets: days(90),
    snapshot: days(7),
    timestamp: days(1),
    bins: { expiration: 30, number_of_delegated_bins: bins, delegation },
  }
  const root = parseJson(signRole(rootOf(signers, 1), signers.root).bytes)
  await submit(service, 'bootstrap', { settings: { roles }, metadata: { root } })
}

/** Brings out the root after `version`, signed as both it and the one before ask. */
export async function changeSigners(
  service: Service,
  version: number,
  before: Signers,
  after: Signers,
  { compromised = false } = {},
): Promise<void> {
  const holders = [...new Set([...before.root, ...after.root])]
  const root = parseJson(signRole(rootOf(after, version + 1), holders).bytes)
  await submit(service, 'metadata', { metadata: { root }, compromised })
}

function rootOf({ root, online }: Signers, version: number): Root {
  const made = makeRoot({ version, root, threshold: root.length, online: Object.values(online) })
  const signedBy = (role: OnlineRole) => ({ keyids: [online[role].keyid], threshold: 1 })
  const [targets, snapshot, timestamp] = onlineRoles.map(signedBy)
  if (!targets || !snapshot || !timestamp) throw new Error('Three roles are three.')
  return { ...made, roles: { root: made.roles.root, targets, snapshot, timestamp } }
}

export interface CustomRole {
  readonly name: string
  readonly holders: readonly TestKey[]
}

/** Adds or changes a role for `<name>/*`; all of its holders sign it, if it has any. */
export async function delegate(service: Service, { name, holders }: CustomRole, method: 'POST' | 'PUT'): Promise<void> {
  const keyids = holders.map(({ keyid }) => keyid)
  const keys = Object.fromEntries(holders.map(({ keyid, key }) => [keyid, key]))
  const threshold = Math.max(1, holders.length)
  const role = { name, terminating: false, keyids, threshold, paths: [`${name}/*`] }
  await submit(service, 'delegations', { delegations: { keys, roles: [role] } }, method)
  await signWaiting(service, name, holders)
}

/** Each holder signs what waits of a role; without any that does, nothing happens. */
export async function signWaiting(service: Service, role: string, holders: readonly TestKey[]): Promise<void> {
  for (const holder of holders) {
    const { data } = await api<{ data?: { metadata: Record<string, unknown> } }>(service, 'metadata/sign')
    const waiting = data?.metadata[role]
    if (waiting === undefined) return
    const { signed } = signedFromJson('targets', parseJson(Buffer.from(JSON.stringify(waiting))))
    await submit(service, 'metadata/sign', { role, signature: signatureBy(holder, canonicalBytes(signed)) })
  }
}

/** Keyids of who has signed what clients read now. */
export async function signersOf(service: Service, file: string): Promise<string[]> {
  const json = JSON.parse((await download(new URL(`metadata/${file}`, service.url))).toString())
  return (json as { signatures: { keyid: string }[] }).signatures.map(({ keyid }) => keyid).sort()
}

/** Whether the hash bins that clients read now were signed ahead of the commit that brought them out. */
export async function areBinsSignedAhead(service: Service): Promise<boolean> {
  const { data } = await api<{ data: { commits: { number: number; tasks: { task?: string }[] }[] } }>(
    service,
    'commits?limit=100',
  )
  const update = data.commits.find(({ tasks }) => tasks.some(({ task }) => task === 'metadata_update'))
  const commit = await api<{ data: { number: number; creates: string[] } }>(service, `commits/${update?.number}`)
  const bins = commit.data.creates.filter((file) => file.includes('.bins-'))
  return bins.some((file) => Number.parseInt(file, 10) < commit.data.number)
}

/** Whether a change of online keys is under way. */
export async function isRotating(service: Service): Promise<boolean> {
  const { data } = await api<{ data: { rotation?: unknown } }>(service, 'status')
  return data.rotation !== undefined
}

async function api<Body>(service: Service, path: string): Promise<Body> {
  return JSON.parse((await download(new URL(`api/v1/${path}`, service.url))).toString()) as Body
}
