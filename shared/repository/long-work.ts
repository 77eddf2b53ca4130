import type { Targets } from '../tuf/metadata.ts'
import type { Artifact } from './artifact-rules.ts'
import type { SharedBulk } from './bulk/bulk.ts'
import type { Draft } from './draft.ts'
import type { HeldByArtifact } from './imported.ts'
import type { Facts } from './preparation.ts'
import type { Current, Repository } from './repository.ts'
import type { Later } from './take-over.ts'

/** What an operation does to so many roles that their metadata is signed ahead of the commit: see `prepare.ts`. */
export interface LongWork {
  /** With the delegations and settings that the roles will have: by them they are signed. */
  readonly draft: Draft
  readonly units: readonly Unit[]
  /** What the roles of a unit are to hold, made from what those hold that it reads. */
  make(unit: Unit, contents: ReadonlyMap<string, Targets>): ReadonlyMap<string, Targets>
  /** The roles stay as they are but for version, expiry and signatures: what they hold need not be read. */
  readonly carries?: true
  /** What making units has shown so far, in this thread. */
  found?(): Found
  /** What is known once all of them are made, under this number, by whatever threads. */
  facts(number: number, found: Found): Promise<Omit<Facts, 'nearCaps' | 'parkedBy'>>
  /** Spares other threads that make units of the same work a part of planning it. */
  lend?(): Lent
}

/** Plain data, for it may come from another thread. */
export interface Found {
  /** What paths held that the work has changed. */
  readonly held: readonly HeldByArtifact[]
  /** Changes to be listed, as lines of `listed.ts`: of targets that are to be there afterwards, and of those that are not. */
  readonly restored: readonly string[]
  readonly removed: readonly string[]
  /** Paths of parked changes that were accepted before. */
  readonly overtaken: readonly string[]
  /** Artifacts among which are some that clients will trip over. */
  readonly odd: readonly Artifact[]
}

export const nothingFound: Found = { held: [], restored: [], removed: [], overtaken: [], odd: [] }

/** A file of artifacts that was read, and which of them belong into each role; in memory that threads share. */
export interface Lent {
  readonly bulk: SharedBulk
  readonly placed: readonly (readonly [role: string, indexes: Uint32Array])[]
  readonly details: { readonly imported_artifacts: number; readonly updated_roles: number }
}

export const nothingToTell = { details: {}, warnings: [], overtaken: [] } as const

/** Roles that are made by themselves, whatever becomes of the others. */
export interface Unit {
  readonly makes: readonly string[]
  /** Roles as they are now. */
  readonly reads: readonly string[]
}

/** A unit for each of these roles, which is made from what it holds itself. */
export const unitOfEach = (roles: Iterable<string>): Unit[] =>
  Array.from(roles, (role) => ({ makes: [role], reads: [role] }))

/** What work is planned on. */
export interface Planning {
  readonly repository: Repository
  /** The repository as it was visible when the round began. */
  readonly at: Current
  /** What later tasks have changed already: they have the last word about it. */
  readonly later: Later
  /** Made from `at`. */
  readonly draft: Draft
  readonly taskId: string
  /** Other threads are to make units of it too. */
  readonly lends: boolean
  /** From the thread that has planned it before. */
  readonly lent?: Lent | undefined
}
