import type { Targets } from '../tuf/metadata.ts'
import type { Draft } from './draft.ts'
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
  /** What is known once all of them are made, under this number. */
  facts(number: number): Promise<Omit<Facts, 'nearCaps' | 'parkedBy'>>
}

export const nothingToTell = { details: {}, warnings: [], overtaken: [] } as const

/** Roles that are made by themselves, whatever becomes of the others. */
export interface Unit {
  readonly makes: readonly string[]
  /** Roles as they are now. */
  readonly reads: readonly string[]
}

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
}
