import { delegatedNames, keysOfDelegated, rolesTrustedWith } from '../tuf/delegation.ts'
import { TufError } from '../tuf/errors.ts'
import type { Key } from '../tuf/keys.ts'
import {
  expiresAt,
  type MetadataByType,
  type MetaFile,
  type RoleKeys,
  type Root,
  type Targets,
} from '../tuf/metadata.ts'
import type { TopLevelRole } from '../tuf/names.ts'
import { verifyFirstRoot, verifySuccession } from '../tuf/root.ts'
import { decodeSigned, lengthAndHashes, type Signed } from '../tuf/signed.ts'
import { verifyThreshold } from '../tuf/threshold.ts'
import { type CheckedRole, type CheckReport, emptyTraits, type Finding, type Problem } from './check-report.ts'
import { hasSha256, type SizedRole } from './clients.ts'
import { inParallel } from './parallel.ts'

export interface CheckOptions {
  /** The bytes of a metadata file, or nothing if there is none. What it throws ends the check. */
  readonly read: (file: string) => Promise<Uint8Array | undefined>
  readonly now: Date
  /** Files read at once. */
  readonly parallel?: number
  /** Called as files are read; `total` grows while more roles become known. */
  readonly progress?: (read: number, total: number) => void
}

/** What the metadata above says of a file, and who has to have signed it. */
interface Expected {
  readonly signers: RoleKeys
  readonly keys: ReadonlyMap<string, Key>
  readonly meta?: MetaFile
}

/**
 * Verifies everything that a client could read, as a client would, from the first root to the last delegated role. What is
 * wrong is reported, not thrown, and what does not depend on it is looked at all the same.
 */
export async function checkRepository(options: CheckOptions): Promise<CheckReport> {
  const { read, now, parallel = 32, progress } = options
  const findings: Finding[] = []
  const roles: CheckedRole[] = []
  const files = new Set<string>()
  const traits = emptyTraits()
  let bytesRead = 0
  let targets = 0
  let known = 0

  await checkBelow(await checkRoots())
  roles.sort((one, other) => one.expires.getTime() - other.expires.getTime())
  return { findings, roles, files, targets, bytes: bytesRead, traits }

  /** The newest root that can be trusted. */
  async function checkRoots(): Promise<Root | undefined> {
    let current: Root | undefined
    for (let version = 1; ; version++) {
      const file = `${version}.root.json`
      const bytes = await readFile(file, 'root')
      if (bytes === undefined) {
        if (current === undefined) report(file, 'missing', 'There is no first root, so no client can begin.')
        break
      }
      const root = decode('root', file, bytes)
      if (root === undefined) break
      const before: Root | undefined = current
      const trusted = attempt(file, 'untrusted', () =>
        before === undefined ? verifyFirstRoot(root) : verifySuccession(before, root),
      )
      if (!trusted) break
      current = root.signed
      traits.rootVersions = version
    }
    if (current !== undefined) {
      note('root', `${current.version}.root.json`, current)
      for (const key of current.keys.values()) traits.schemes.add(key.scheme)
    }
    return current
  }

  async function checkBelow(root: Root | undefined): Promise<void> {
    if (root === undefined) return
    const expected = (role: TopLevelRole): Expected => ({ signers: root.roles[role], keys: root.keys })
    const timestamp = await load('timestamp', 'timestamp', 'timestamp.json', expected('timestamp'))
    const snapshotMeta = timestamp?.signed.meta.get('snapshot.json')
    if (snapshotMeta === undefined) return
    const snapshotFile = `${snapshotMeta.version}.snapshot.json`
    const snapshot = await load('snapshot', 'snapshot', snapshotFile, { ...expected('snapshot'), meta: snapshotMeta })
    traits.rolesInSnapshot = snapshot?.signed.meta.size ?? 0
    const targetsMeta = snapshot?.signed.meta.get('targets.json')
    if (snapshot === undefined || targetsMeta === undefined) return
    const top = await loadTargets('targets', { ...expected('targets'), meta: targetsMeta })
    if (top !== undefined) await checkDelegated(top, snapshot.signed.meta)
  }

  /** Level by level below the top-level targets; each role once, however many delegate to it. */
  async function checkDelegated(top: Targets, snapshot: ReadonlyMap<string, MetaFile>): Promise<void> {
    const seen = new Set(['targets'])
    for (let level = [top]; level.length > 0; ) {
      const found = level.flatMap((parent) => delegationsOf(parent).map((role) => ({ role, parent })))
      const next = found.filter(({ role }) => !seen.has(role) && seen.add(role))
      const loaded = await inParallel(next, parallel, ({ role, parent }) => checkDelegatedRole(role, parent, snapshot))
      level = loaded.filter((role) => role !== undefined)
    }
  }

  function delegationsOf({ delegations }: Targets): string[] {
    if (delegations === undefined) return []
    if (delegations.succinct_roles !== undefined) traits.delegations.add('succinct_roles')
    for (const { paths } of delegations.roles ?? []) traits.delegations.add(paths ? 'paths' : 'path_hash_prefixes')
    for (const key of delegations.keys.values()) traits.schemes.add(key.scheme)
    const names = delegatedNames(delegations)
    known += names.length
    return names
  }

  async function checkDelegatedRole(
    role: string,
    { delegations }: Targets,
    snapshot: ReadonlyMap<string, MetaFile>,
  ): Promise<Targets | undefined> {
    const signers = delegations && keysOfDelegated(role, delegations)
    if (delegations === undefined || signers === undefined) return undefined
    const meta = snapshot.get(`${role}.json`)
    if (meta === undefined) {
      report(`${role}.json`, 'missing', `Role ${role} is delegated to, but the snapshot has no version of it.`)
      return undefined
    }
    const signed = await loadTargets(role, { signers, keys: delegations.keys, meta })
    const isTrusted = (path: string) => rolesTrustedWith(path, delegations).some(({ name }) => name === role)
    const strange = [...(signed?.targets.keys() ?? [])].filter((path) => !isTrusted(path))
    if (strange.length > 0) {
      const shown = strange.slice(0, 3).join(', ')
      report(`${meta.version}.${role}.json`, 'unreachable-target', `Role ${role} is not trusted with ${shown}.`)
    }
    return signed
  }

  async function loadTargets(role: string, expected: Expected & { meta: MetaFile }): Promise<Targets | undefined> {
    const loaded = await load('targets', role, `${expected.meta.version}.${role}.json`, expected)
    for (const { hashes } of loaded?.signed.targets.values() ?? []) if (!hasSha256(hashes)) traits.withoutSha256 = true
    targets += loaded?.signed.targets.size ?? 0
    return loaded?.signed
  }

  async function load<Type extends SizedRole>(
    type: Type,
    role: string,
    file: string,
    { signers, keys, meta }: Expected,
  ): Promise<Signed<MetadataByType[Type]> | undefined> {
    const bytes = await readFile(file, type, meta?.length !== undefined)
    if (bytes === undefined) {
      report(file, 'missing', `There is no ${file}, which clients need for role ${role}.`)
      return undefined
    }
    const hashes = lengthAndHashes(bytes)
    const other =
      (meta?.length ?? bytes.length) !== bytes.length ||
      (meta?.hashes?.['sha256'] ?? hashes.hashes['sha256']) !== hashes.hashes['sha256']
    if (other) report(file, 'changed', `${file} has another length or hash than the metadata that names it says.`)
    const signed = decode(type, file, bytes)
    if (signed === undefined) return undefined
    if (meta !== undefined && signed.signed.version !== meta.version)
      report(file, 'version', `${file} says that it is version ${signed.signed.version}, not ${meta.version}.`)
    attempt(file, 'untrusted', () => verifyThreshold(`Role ${role}`, signers, keys, signed))
    note(role, file, signed.signed)
    return signed
  }

  async function readFile(file: string, type: SizedRole, stated = false): Promise<Uint8Array | undefined> {
    const bytes = await read(file)
    if (bytes === undefined) return undefined
    files.add(file)
    bytesRead += bytes.length
    if (bytes.length > traits.sizes[type].bytes) traits.sizes[type] = { bytes: bytes.length, stated, file }
    progress?.(files.size, Math.max(files.size, known + traits.rootVersions + 3))
    return bytes
  }

  function decode<Type extends TopLevelRole>(type: Type, file: string, bytes: Uint8Array) {
    let decoded: Signed<MetadataByType[Type]> | undefined
    attempt(file, 'unreadable', () => {
      decoded = decodeSigned(type, bytes)
    })
    return decoded
  }

  function note(role: string, file: string, signed: { version: number; expires: string; spec_version: string }): void {
    const expires = expiresAt(signed)
    traits.specVersions.add(signed.spec_version)
    roles.push({ role, file, version: signed.version, expires })
    if (expires <= now) report(file, 'expired', `${file} expired at ${signed.expires}.`)
  }

  /** False, and reported, if it throws a TufError. */
  function attempt(file: string, problem: Problem, verify: () => void): boolean {
    try {
      verify()
      return true
    } catch (error) {
      if (!(error instanceof TufError)) throw error
      report(file, problem, error.message)
      return false
    }
  }

  function report(file: string, problem: Problem, message: string): void {
    findings.push({ file, problem, message })
  }
}
