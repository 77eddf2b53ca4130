import assert from 'node:assert/strict'
import { checkRepository } from '../../shared/repository/check/check.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { delegatedNames, findTarget, keysOfDelegated } from '../../shared/tuf/delegation.ts'
import { expiresAt } from '../../shared/tuf/expiry.ts'
import type {
  MetadataByType,
  MetaFile,
  RoleKeys,
  Root,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from '../../shared/tuf/metadata.ts'
import { checkRoot, verifyFirstRoot, verifySuccession } from '../../shared/tuf/root.ts'
import { decodeSigned, lengthAndHashes, type Signed } from '../../shared/tuf/signed.ts'
import { verifyThreshold } from '../../shared/tuf/threshold.ts'

/** The bytes of a metadata file, or nothing if there is none. */
export type Fetch = (file: string) => Promise<Uint8Array | undefined>

/** A TUF client (specification, section 5) that keeps what it trusts; whatever such a client must not accept throws. */
export interface Client {
  /** The whole update, from the root down to targets. */
  refresh(): Promise<void>
  /** What the role that is trusted with a path says of it, as of the last refresh. */
  find(path: string): Promise<TargetFile | undefined>
  /** Every target of every delegated role, as of the last refresh; all of them verified. */
  everything(): Promise<Map<string, TargetFile>>
  /** Another client in the same state. */
  copy(): Client
  readonly trusted: Readonly<Trusted>
}

interface Trusted {
  root?: Signed<Root>
  timestamp?: Signed<Timestamp>
  snapshot?: Signed<Snapshot>
  targets?: Signed<Targets>
}

/** A client of this repository that trusts its first root. */
export function clientOf({ ports }: Repository): Client {
  return tufClient(
    async (file) => (await ports.metadata.read(file))?.bytes,
    () => ports.clock.now(),
  )
}

/** The same, and it has seen what is published now. */
export async function clientNow(repository: Repository): Promise<Client> {
  const client = clientOf(repository)
  await client.refresh()
  return client
}

/** The lengths of all targets that a client sees. */
export async function seen(repository: Repository): Promise<Record<string, number>> {
  const client = await clientNow(repository)
  const all = [...(await client.everything())].map(([path, { length }]) => [path, length] as const)
  return Object.fromEntries(all.sort())
}

/** Asserts that nothing is wrong with what is published. */
export async function isClean({ ports: { metadata, clock } }: Repository): Promise<void> {
  const read = async (file: string) => (await metadata.read(file))?.bytes
  const { findings } = await checkRepository({ read, now: clock.now() })
  assert.deepEqual(findings, [])
}

export function tufClient(fetch: Fetch, now: () => Date, earlier: Readonly<Trusted> = {}): Client {
  const trusted: Trusted = { ...earlier }
  let time = now()

  async function refresh(): Promise<void> {
    // Section 5.1: one time for the whole of it.
    time = now()
    const root = await refreshRoot()
    const timestamp = await refreshTimestamp(root)
    const snapshot = await refreshSnapshot(root, timestamp)
    const meta = snapshot.signed.meta.get('targets.json')
    assert.ok(meta, 'the snapshot names no targets.json')
    const targets = await load('targets', 'targets', root.signed.roles.targets, root.signed.keys, meta)
    notExpired('targets', targets, time)
    trusted.targets = targets
  }

  async function refreshRoot(): Promise<Signed<Root>> {
    for (;;) {
      const version: number = (trusted.root?.signed.version ?? 0) + 1
      const bytes = await fetch(`${version}.root.json`)
      if (bytes === undefined) break
      const next = decodeSigned('root', bytes)
      if (trusted.root === undefined) verifyFirstRoot(next)
      else verifySuccession(trusted.root.signed, next)
      trusted.root = next
    }
    assert.ok(trusted.root, 'there is no 1.root.json')
    checkRoot(trusted.root.signed)
    notExpired('root', trusted.root, time)
    return trusted.root
  }

  async function refreshTimestamp(root: Signed<Root>): Promise<Signed<Timestamp>> {
    const next = await load('timestamp', 'timestamp', root.signed.roles.timestamp, root.signed.keys)
    const known = trusted.timestamp
    if (known !== undefined) {
      const back = `timestamp went back from ${known.signed.version} to ${next.signed.version}`
      assert.ok(next.signed.version >= known.signed.version, back)
      if (next.signed.version === known.signed.version)
        assert.deepEqual(next.signedBytes, known.signedBytes, 'one timestamp version has two contents')
      const [was, is] = [snapshotMeta(known), snapshotMeta(next)]
      assert.ok(is.version >= was.version, `snapshot went back from ${was.version} to ${is.version}`)
    }
    notExpired('timestamp', next, time)
    trusted.timestamp = next
    return next
  }

  async function refreshSnapshot(root: Signed<Root>, timestamp: Signed<Timestamp>) {
    const { roles, keys } = root.signed
    const next = await load('snapshot', 'snapshot', roles.snapshot, keys, snapshotMeta(timestamp))
    for (const [file, { version }] of trusted.snapshot?.signed.meta ?? []) {
      const listed = next.signed.meta.get(file)?.version ?? 0
      assert.ok(listed >= version, `${file} went back from ${version} to ${listed} in the snapshot`)
    }
    notExpired('snapshot', next, time)
    trusted.snapshot = next
    return next
  }

  async function loadDelegated(role: string, parent: Targets): Promise<Signed<Targets>> {
    const { delegations } = parent
    const roleKeys = delegations && keysOfDelegated(role, delegations)
    const meta = trusted.snapshot?.signed.meta.get(`${role}.json`)
    assert.ok(meta, `the snapshot does not name ${role}`)
    assert.ok(delegations && roleKeys, `nobody delegates to ${role}`)
    const loaded = await load('targets', role, roleKeys, delegations.keys, meta)
    notExpired(role, loaded, time)
    return loaded
  }

  async function load<Type extends keyof MetadataByType>(
    type: Type,
    role: string,
    roleKeys: RoleKeys,
    keys: Root['keys'],
    meta?: MetaFile,
  ): Promise<Signed<MetadataByType[Type]>> {
    const file = meta === undefined ? `${role}.json` : `${meta.version}.${role}.json`
    const bytes = await fetch(file)
    assert.ok(bytes, `${file} is missing`)
    const signed = decodeSigned(type, bytes)
    if (meta?.hashes !== undefined) {
      const { length, hashes } = lengthAndHashes(bytes)
      assert.deepEqual(
        { length, hashes },
        { length: meta.length, hashes: meta.hashes },
        `${file} is not as it was listed`,
      )
    }
    if (meta !== undefined) assert.equal(signed.signed.version, meta.version, `the version within ${file}`)
    verifyThreshold(file, roleKeys, keys, signed)
    return signed
  }

  function top(): Signed<Targets> {
    assert.ok(trusted.targets, 'refresh first')
    return trusted.targets
  }

  return {
    refresh,
    async find(path) {
      const parents = new Map<string, Signed<Targets>>()
      const found = await findTarget(path, top(), async (name) => {
        const loaded = await loadDelegated(name, (parents.get(name) ?? top()).signed)
        for (const child of loaded.signed.delegations ? delegatedNames(loaded.signed.delegations) : [])
          parents.set(child, loaded)
        return loaded
      })
      return found?.metadata.signed.targets.get(path)
    },
    async everything() {
      const targets = new Map(top().signed.targets)
      const below = async (parent: Targets): Promise<void> => {
        for (const name of parent.delegations === undefined ? [] : delegatedNames(parent.delegations)) {
          const role = await loadDelegated(name, parent)
          for (const [path, target] of role.signed.targets) if (!targets.has(path)) targets.set(path, target)
          await below(role.signed)
        }
      }
      await below(top().signed)
      return targets
    },
    copy: () => tufClient(fetch, now, trusted),
    trusted,
  }
}

function snapshotMeta(timestamp: Signed<Timestamp>): MetaFile {
  const meta = timestamp.signed.meta.get('snapshot.json')
  assert.ok(meta, 'the timestamp names no snapshot.json')
  return meta
}

function notExpired(role: string, { signed }: Signed, time: Date): void {
  assert.ok(
    expiresAt(signed) > time,
    `${role} ${signed.version} expired at ${signed.expires}, and it is ${time.toISOString()}`,
  )
}
