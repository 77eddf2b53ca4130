import { type HashBins, isBinName } from '../tuf/bins.ts'
import type { ClientId } from './clients.ts'
import type { Document } from './documents.ts'

/** What a team decides about its repository, in the bootstrap and later; private state, versioned by commits. */
export interface Settings extends Document {
  /** Days that a role lives after it was signed: the top-level roles, `bins` for all hash bins, and custom roles by name. */
  readonly expiration: Readonly<Record<string, number>>
  /** What was in force before, oldest first: for roles signed by the commits up to `through`. */
  readonly past: readonly { readonly through: number; readonly expiration: Settings['expiration'] }[]
  /** Those of targets, or of the role between them that `intermediateRole` names. Absent where there are custom roles only. */
  readonly bins?: HashBins
  /** The roles below targets that delegate themselves. */
  readonly delegators?: readonly Delegator[]
  /** The TUF clients that the deployment serves; absent: `defaultClients`. */
  readonly clients?: readonly ClientId[]
}

export interface Delegator {
  readonly role: string
  /** Hash bins that only this role delegates to. */
  readonly bins?: HashBins
}

/** Stands between targets and succinct hash bins once there are custom roles: see docs/adr/0005. */
export const intermediateRole = 'bins'

/** Every role that delegates, each before those below it. */
export function delegatorsOf({ delegators }: Pick<Settings, 'delegators'>): string[] {
  return ['targets', ...(delegators ?? []).map(({ role }) => role)]
}

/** The prefix of the hash bins inside a custom role. */
export const innerBinsPrefix = (role: string) => `${role}-bins`

/** Whether no custom role can have this name, for a hash bin or the role above them may get it. */
export function isReservedName(name: string): boolean {
  return name === intermediateRole || /(^|-)bins-[0-9a-f]{1,4}$/.test(name)
}

export const defaultExpiration = { root: 365, targets: 90, snapshot: 7, timestamp: 1, bins: 30 } as const

/** Ten years: beyond that an expiry protects nobody. */
export const maximumDays = 3650

/** For a custom role whose bootstrap names no days. */
export const defaultDelegatedExpiration = 30

/** Days that `role` lives if it is signed now, or was given when the commit `version` signed it. */
export function expirationOf(settings: Settings, role: string, version = Number.POSITIVE_INFINITY): number {
  const { expiration } = settings.past.find(({ through }) => version <= through) ?? settings
  return expiration[expirationClass(settings, role)] ?? defaultDelegatedExpiration
}

/** The settings with other days for some roles, which roles signed up to commit `baseNumber` do not have yet. */
export function withExpiration(settings: Settings, days: Settings['expiration'], baseNumber: number): Settings {
  const { expiration, past } = settings
  // Two changes in one commit: no role was ever signed under the first.
  const nothingSigned = past.at(-1)?.through === baseNumber
  return {
    ...settings,
    expiration: { ...expiration, ...days },
    past: nothingSigned ? past : [...past, { through: baseNumber, expiration }],
  }
}

/**
 * The name under which a role's days are set: its own; `bins` for every hash bin and the role above them; for hash bins
 * inside a custom role, that role's.
 */
export function expirationClass({ bins, delegators }: Pick<Settings, 'bins' | 'delegators'>, role: string): string {
  if (bins !== undefined && isBinName(bins.namePrefix, role)) return 'bins'
  const above = delegators?.find(({ bins }) => bins !== undefined && isBinName(bins.namePrefix, role))
  return above?.role ?? role
}
