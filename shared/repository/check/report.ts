import type { DelegationKind, FileSize, OtherHash, RepositoryTraits, SizedRole } from '../clients.ts'

export type Problem =
  | 'missing'
  /** Not metadata of its kind. */
  | 'unreadable'
  /** Another version than the metadata that names it says. */
  | 'version'
  /** Another length or hash than the metadata that names it says. */
  | 'changed'
  /** Too few good signatures, or a root that may not follow the one before. */
  | 'untrusted'
  | 'expired'
  /** A target in a role that is not trusted with its path: no client finds it. */
  | 'unreachable-target'

export interface Finding {
  readonly file: string
  readonly problem: Problem
  readonly message: string
}

export interface CheckedRole {
  readonly role: string
  readonly file: string
  readonly version: number
  readonly expires: Date
}

/** What a repository's metadata is, and all that is wrong with it. */
export interface CheckReport {
  readonly findings: readonly Finding[]
  /** Every role that could be read, the one that expires first in front. */
  readonly roles: readonly CheckedRole[]
  /** The files that clients of today read, and the roots before. */
  readonly files: ReadonlySet<string>
  /** The files of roles that the snapshot names without their versions, those included that nobody delegates to any more. */
  readonly inSnapshot: ReadonlySet<string>
  readonly targets: number
  readonly bytes: number
  readonly traits: RepositoryTraits
}

/** Of a repository of which nothing has been seen yet. */
export function emptyTraits() {
  const none = { bytes: 0, stated: false }
  return {
    delegations: new Set<DelegationKind>(),
    sizes: { root: none, timestamp: none, snapshot: none, targets: none } as Record<SizedRole, FileSize>,
    schemes: new Set<string>(),
    specVersions: new Set<string>(),
    rootVersions: 0,
    rolesInSnapshot: 0,
    withoutSha256: false,
    otherHashes: new Set<OtherHash>(),
  }
}
