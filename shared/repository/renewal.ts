import { day, expiresAt } from '../tuf/expiry.ts'
import type { Current } from './current.ts'
import { type Life, signedOffline, timeOfCommit } from './refresh.ts'
import type { Repository } from './repository.ts'
import { expirationOf } from './settings.ts'

/** People have to be found, and have to find their keys. */
const timeToFindHolders = 90 * day

/** A role that nobody but its holders can sign anew: the root, and what is signed offline. */
export interface HeldRole extends Omit<Life, 'signed'> {
  /** From then on its holders should be asked. */
  readonly renewFrom: Date
}

export async function heldRoot(repository: Repository, { root, entry, settings }: Current): Promise<HeldRole> {
  const expires = expiresAt(root.signed)
  // Its own life, not that of the settings, as long as the journal tells it: a single root may be made to live longer or shorter.
  const signed = await timeOfCommit(repository, entry.state.root)
  const life = signed === undefined ? expirationOf(settings, 'root') * day : expires.getTime() - signed.getTime()
  return { role: 'root', version: root.signed.version, expires, renewFrom: renewFrom(expires, life) }
}

/** The one that expires first in front. */
export async function heldOffline(repository: Repository, current: Current): Promise<HeldRole[]> {
  const lives = await signedOffline(repository, current)
  // When they were signed is noted down nowhere, so theirs is the life that the settings ask for.
  const lifeOf = (role: string) => expirationOf(current.settings, role) * day
  return lives.map((life) => ({ ...life, renewFrom: renewFrom(life.expires, lifeOf(life.role)) }))
}

/** Those of the root and the roles signed offline whose holders should be asked now. */
export function toRenew(root: HeldRole, offline: readonly HeldRole[], now: Date): HeldRole[] {
  return [root, ...offline].filter(({ renewFrom }) => renewFrom <= now)
}

/**
 * 90 days before it expires, or when a quarter of its life is left, whichever is later: a role that lives for a month would
 * ask all its life long if the 90 days counted alone, and nobody would listen any more.
 */
function renewFrom(expires: Date, life: number): Date {
  return new Date(expires.getTime() - Math.min(timeToFindHolders, life / 4))
}
