import { keysOfDelegated, rolesTrustedWith } from '../../tuf/delegation.ts'
import { TufError } from '../../tuf/errors.ts'
import { checkExpires, expiresAt } from '../../tuf/expiry.ts'
import type { Key } from '../../tuf/keys.ts'
import type { Delegations, MetadataByType, MetaFile, RoleKeys, Targets } from '../../tuf/metadata.ts'
import type { TopLevelRole } from '../../tuf/names.ts'
import { decodeSigned, lengthAndHashes, type Signed } from '../../tuf/signed.ts'
import { verifyThreshold } from '../../tuf/threshold.ts'
import { hasSha256, otherHashOf, type SizedRole } from '../clients.ts'
import { inParallel } from '../parallel.ts'
import { type CheckedRole, emptyTraits, type Finding, type Problem } from './report.ts'

export interface FileOptions {
  /** The bytes of a metadata file, or nothing if there is none. What it throws ends the check. */
  readonly read: (file: string) => Promise<Uint8Array | undefined>
  readonly now: Date
  /** Called when a file was read. */
  readonly onRead?: () => void
}

/** What the metadata above says of a file, and who has to have signed it. */
export interface Expected {
  readonly signers: RoleKeys
  readonly keys: ReadonlyMap<string, Key>
  readonly meta?: MetaFile
}

/** A role, and what delegates to it. */
export interface DelegatedFile {
  readonly role: string
  readonly delegations: Delegations
  /** Nothing where the snapshot does not name it. */
  readonly meta: MetaFile | undefined
}

/** What was seen in files: plain data, for it may come from another thread. */
export interface Seen {
  readonly findings: Finding[]
  readonly roles: CheckedRole[]
  readonly files: Set<string>
  readonly traits: ReturnType<typeof emptyTraits>
  bytes: number
  targets: number
}

const readAtOnce = 32

/** Looks at one file after the other, as a client would. What is wrong is noted in `seen`. */
export function fileCheck({ read, now, onRead }: FileOptions) {
  const findings: Finding[] = []
  const roles: CheckedRole[] = []
  const files = new Set<string>()
  const traits = emptyTraits()
  const seen: Seen = { findings, roles, files, traits, bytes: 0, targets: 0 }
  return { seen, attempt, checkDelegated, decode, load, loadTargets, note, readFile, report }

  /** Returns the delegations that each of them holds, if it does. */
  async function checkDelegated(delegated: readonly DelegatedFile[]): Promise<(Delegations | undefined)[]> {
    return inParallel(delegated, readAtOnce, async (file) => (await checkDelegatedRole(file))?.delegations)
  }

  async function checkDelegatedRole({ role, delegations, meta }: DelegatedFile): Promise<Targets | undefined> {
    const signers = keysOfDelegated(role, delegations)
    if (signers === undefined) return undefined
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
    for (const { hashes } of loaded?.signed.targets.values() ?? []) {
      if (!hasSha256(hashes)) traits.withoutSha256 = true
      const other = otherHashOf(hashes)
      if (other !== undefined) traits.otherHashes.add(other)
    }
    seen.targets += loaded?.signed.targets.size ?? 0
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
    seen.bytes += bytes.length
    if (bytes.length > traits.sizes[type].bytes) traits.sizes[type] = { bytes: bytes.length, stated, file }
    onRead?.()
    return bytes
  }

  function decode<Type extends TopLevelRole>(type: Type, file: string, bytes: Uint8Array) {
    let decoded: Signed<MetadataByType[Type]> | undefined
    attempt(file, 'unreadable', () => {
      decoded = decodeSigned(type, bytes)
      // Of roots only the newest one has to: `checkRoot` says it.
      if (type !== 'root') checkExpires(type, decoded.signed)
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
