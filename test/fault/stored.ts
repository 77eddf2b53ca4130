import assert from 'node:assert/strict'
import { type Entry, entryName } from '../../shared/repository/journal.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import type { DecidedTask, TaskRequest } from '../../shared/repository/task.ts'
import { type Json, parseJson } from '../../shared/tuf/json.ts'
import type { Signature } from '../../shared/tuf/signed.ts'
import type { Stores } from './world.ts'

/** What two stores hold, read without any code of the service that writes there. */
export type Objects = Readonly<Record<'metadata' | 'state', Map<string, Uint8Array>>>

export function read<Kind>(store: ReadonlyMap<string, Uint8Array>, name: string): Kind {
  const bytes = store.get(name)
  assert.ok(bytes, `${name} is missing`)
  return parseJson(bytes) as Kind
}

/** What the snapshot names that clients see, whether or not they would take it. */
export function namedBySnapshot(
  metadata: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, { readonly version: number }> {
  const signed = (file: string) => JSON.parse(Buffer.from(metadata.get(file) ?? '').toString()).signed
  const { version } = signed('timestamp.json').meta['snapshot.json']
  return new Map(Object.entries(signed(`${version}.snapshot.json`).meta))
}

/** The keyids of those whose signatures a file has. */
export function signersOf(metadata: ReadonlyMap<string, Uint8Array>, file: string): ReadonlySet<string> {
  const { signatures } = read<{ signatures: readonly Signature[] }>(metadata, file)
  return new Set(signatures.map(({ keyid }) => keyid))
}

/** A version may be taken by a file that a commit left which came to nothing. */
export function isBlocked(request: TaskRequest, { result }: DecidedTask, { metadata, state }: Objects): boolean {
  if (request.kind !== 'upload_delegated_metadata' || !result.error?.includes('was signed before')) return false
  const version = versionIn(request.metadata)
  const file = `${version}.${request.role}.json`
  return metadata.has(file) || read<Entry>(state, entryName(version)).creates.includes(file)
}

export const versionIn = (metadata: Json) => (metadata as { signed: { version: number } }).signed.version

/** True while somebody holds the lease, who may fail again and again and sends everybody else away. */
export async function isLeased({ state, metadata }: Stores, now: number): Promise<boolean> {
  const { holder, base, until } = (await parsed(state, 'lease.json')) ?? {}
  const current = (await parsed(metadata, 'timestamp.json'))?.signed.version ?? 0
  return holder !== undefined && base >= current && Date.parse(until) > now
}

async function parsed(store: Pick<ObjectStore, 'read'>, name: string) {
  const stored = await store.read(name)
  return stored && JSON.parse(Buffer.from(stored.bytes).toString())
}
