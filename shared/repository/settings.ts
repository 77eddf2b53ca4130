import type { HashBins } from '../tuf/bins.ts'
import type { Document } from './documents.ts'

/** What a team decides about its repository, in the bootstrap and later; private state, versioned by commits. */
export interface Settings extends Document {
  /** Days that a role lives after it was signed: the top-level roles, `bins` for all hash bins, and custom roles by name. */
  readonly expiration: Readonly<Record<string, number>>
  /** What was in force before, oldest first: for roles signed by the commits up to `through`. */
  readonly past: readonly { readonly through: number; readonly expiration: Settings['expiration'] }[]
  /** Absent where targets delegates to custom roles only. */
  readonly bins?: HashBins
}

export const defaultExpiration = { root: 365, targets: 90, snapshot: 7, timestamp: 1, bins: 30 } as const

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

/** The name under which a role's days are set: its own, or `bins` for every hash bin. */
export function expirationClass(settings: Pick<Settings, 'bins'>, role: string): string {
  return settings.bins !== undefined && role.startsWith(`${settings.bins.namePrefix}-`) ? 'bins' : role
}
