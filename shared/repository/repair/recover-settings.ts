import { type HashBins, hashBins, isBinName } from '../../tuf/bins.ts'
import { day, expiresAt } from '../../tuf/expiry.ts'
import type { Delegations, Targets } from '../../tuf/metadata.ts'
import type { Signed } from '../../tuf/signed.ts'
import { schemaVersion } from '../documents.ts'
import type { Entry } from '../journal.ts'
import {
  type Delegator,
  defaultExpiration,
  expirationClass,
  innerBinsPrefix,
  intermediateRole,
  type Settings,
} from '../settings.ts'

type Role = Pick<Signed<Targets>, 'signed'>

/** The roles that delegate and how many hash bins there are, as the delegations themselves say it. */
export function settingsShown(targets: Role, roleNamed: (name: string) => Role | undefined): Settings {
  const shape = delegatorsIn(targets.signed.delegations, roleNamed)
  return { schema: schemaVersion, expiration: { ...defaultExpiration }, past: [], ...shape }
}

function delegatorsIn(delegations: Delegations | undefined, roleNamed: (name: string) => Role | undefined) {
  let bins = delegations && binsIn(delegations, 'bins')
  const delegators: Delegator[] = []
  for (const { name } of delegations?.roles ?? []) {
    if (isBinName('bins', name)) continue
    const below = roleNamed(name)?.signed.delegations
    if (below === undefined) continue
    if (name === intermediateRole) {
      bins = binsIn(below, 'bins')
      delegators.unshift({ role: name })
    } else {
      const inner = binsIn(below, innerBinsPrefix(name))
      delegators.push({ role: name, ...(inner && { bins: inner }) })
    }
  }
  return { ...(bins && { bins }), ...(delegators.length > 0 && { delegators }) }
}

function binsIn({ roles = [], succinct_roles: succinct }: Delegations, prefix: string): HashBins | undefined {
  if (succinct !== undefined) return hashBins('succinct_roles', 2 ** succinct.bit_length, succinct.name_prefix)
  const bins = roles.filter(({ name }) => isBinName(prefix, name))
  return bins.length === 0 ? undefined : hashBins('path_hash_prefixes', bins.length, prefix)
}

/**
 * The days that roles were given: by those that were signed online, the shortest of each kind, so that none is refreshed too late.
 * `initial`: what the bootstrap decided, where nothing tells more.
 */
export function withDaysSeen(
  settings: Settings,
  initial: Settings['expiration'],
  roles: Iterable<readonly [string, { readonly signed: { readonly version: number; readonly expires: string } }]>,
  entries: ReadonlyMap<number, { readonly entry: Entry }>,
): Settings {
  const seen = new Map<string, number>()
  for (const [role, { signed }] of roles) {
    const entry = entries.get(signed.version)?.entry
    if (entry === undefined || !(entry.creates.includes(`${signed.version}.${role}.json`) || role === 'timestamp'))
      continue
    const days = Math.round((expiresAt(signed).getTime() - Date.parse(entry.time)) / day)
    const name = expirationClass(settings, role)
    seen.set(name, Math.max(1, Math.min(days, seen.get(name) ?? days)))
  }
  return { ...settings, expiration: { ...settings.expiration, ...initial, ...Object.fromEntries(seen) } }
}
