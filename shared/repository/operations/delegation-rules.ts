import { rolesTrustedWith } from '../../tuf/delegation.ts'
import { checkForEveryClient, type Key, keyIdentity, keyid as keyidOf } from '../../tuf/keys.ts'
import type { DelegatedRole } from '../../tuf/metadata.ts'
import { pathPattern, roleName } from '../../tuf/names.ts'
import { reachWarnings, refuseUnverified, visitWarnings } from '../client-rules.ts'
import { readersOfDraft } from '../client-standing.ts'
import { servedClients } from '../clients.ts'
import { type Draft, delegatedRoles, roleOf } from '../draft.ts'
import { Refusal, refuseTufErrors } from '../errors.ts'
import type { Signer } from '../ports.ts'
import { isReservedName, maximumDays } from '../settings.ts'
import type { CustomRole } from '../task.ts'
import { onlineGroup } from '../tree.ts'

/** The roles that targets delegates to by patterns, in the order in which clients ask them. */
export function customRoles(draft: Draft): DelegatedRole[] {
  return (roleOf(draft, 'targets').delegations?.roles ?? []).filter(({ name }) => !isReservedName(name))
}

/** Throws a Refusal unless a role can be added under this name. */
export function checkNewName(draft: Draft, name: string): void {
  refuseTufErrors(() => roleName(name))
  if (isReservedName(name.toLowerCase())) {
    throw new Refusal(`Role name ${name} is one that hash bins or the role above them may have. Choose another name.`)
  }
  if (delegatedRoles(draft).includes(name)) {
    throw new Refusal(`There is a role ${name} already, and names are unique. Update it, or choose another name.`)
  }
  refuseLookalike(name, [...customRoles(draft).map((role) => role.name), ...Object.keys(draft.signing.roles)])
}

/** Clients keep metadata in files of these names. One that has waited for its holders under its very name is no other. */
function refuseLookalike(name: string, others: readonly string[]): void {
  const other = others.find((other) => other !== name && other.toLowerCase() === name.toLowerCase())
  if (other === undefined) return
  throw new Refusal(
    `Role name ${name} differs from ${other} in upper and lower case alone, and on a disk that does not tell them apart ` +
      '(macOS, Windows) a client keeps both in one file. Choose another name.',
  )
}

/** Throws a Refusal unless there is a custom role of this name. */
export function checkKnownName(draft: Draft, name: string): void {
  const names = customRoles(draft).map((role) => role.name)
  if (names.includes(name)) return
  throw new Refusal(
    `There is no custom role ${name}${names.length > 0 ? `; there are ${names.join(', ')}` : ', nor any other'}. Add it first.`,
  )
}

/** Throws a Refusal unless clients can live with this role, and it can be signed. `keys`: all that it may name. */
export function checkRole(role: CustomRole, keys: ReadonlyMap<string, Key>, draft: Draft, signers: readonly Signer[]) {
  const refuse = (why: string) => new Refusal(`Role ${role.name} ${why}`)
  const { keyids, threshold, paths, expiration } = role
  if (paths.length === 0) throw refuse('has no path patterns. Give at least one, such as "project/*".')
  for (const pattern of paths) refuseTufErrors(() => pathPattern(pattern))
  if (!Number.isInteger(expiration ?? 1) || (expiration ?? 1) < 1 || (expiration ?? 1) > maximumDays)
    throw refuse(`is to expire after ${expiration} days. Give a whole number from 1 to ${maximumDays}.`)
  const known = keyids.length === 0 ? onlineGroup(draft.root.signed, signers).roleKeys.keyids : keyids
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > known.length) {
    throw refuse(
      `asks for ${threshold} signatures and has ${known.length} keys. Name more keys, or lower the threshold.`,
    )
  }
  const served = servedClients(draft.settings.clients)
  const isKnown = (keyid: string) => roleOf(draft, 'targets').delegations?.keys.has(keyid) === true
  const identities = new Map<string, string>()
  for (const keyid of keyids) {
    const key = keys.get(keyid)
    if (key === undefined) throw refuse(`names key ${keyid}, which is not among the delegations' keys. Send it along.`)
    checkKey(keyid, key, refuse)
    if (!isKnown(keyid)) refuseUnverified(served, `Role ${role.name} names key ${keyid}`, key)
    const other = identities.get(keyIdentity(key))
    if (other !== undefined) throw refuse(`names keyids ${other} and ${keyid}, which are one and the same key.`)
    identities.set(keyIdentity(key), keyid)
  }
  const held = known.filter((keyid) => signers.some((signer) => signer.keyid === keyid)).length
  if (held < threshold && known.length - held < threshold) {
    throw refuse(
      `asks for ${threshold} signatures; the service holds ${held} of its keys and its holders ${known.length - held}, ` +
        'so neither can sign alone. Lower the threshold, or name more keys of one side.',
    )
  }
}

/** What to say if these roles leave more of them trusted with one path than a served client visits. */
export function crowdWarnings(draft: Draft, names: readonly string[]): string[] {
  const roles = customRoles(draft)
  const served = servedClients(draft.settings.clients)
  const examples = roles
    .filter(({ name }) => names.includes(name))
    .flatMap(({ paths = [] }) => paths.map((pattern) => pattern.replaceAll(/[*?]/g, 'x')))
  const crowds = examples.map((path) => ({ path, roles: trusted(path).length }))
  const biggest = crowds.reduce((most, crowd) => (crowd.roles > most.roles ? crowd : most), { path: '', roles: 0 })
  return visitWarnings(served, biggest.path, biggest.roles)

  /** As far as a client comes that asks them in order. */
  function trusted(path: string) {
    const { delegations } = roleOf(draft, 'targets')
    const matching = (delegations === undefined ? [] : rolesTrustedWith(path, delegations)).filter(
      ({ name }) => !isReservedName(name),
    )
    const last = matching.findIndex(({ terminating }) => terminating)
    return last < 0 ? matching : matching.slice(0, last + 1)
  }
}

/** What to say if clients that read patterns in their own way lose by these roles what comes after them. */
export function reachingWarnings(draft: Draft, names: readonly string[]): string[] {
  const others = (roleOf(draft, 'targets').delegations?.roles ?? []).slice(0, -1)
  const reaching = others.filter(
    ({ name, terminating, paths = [] }) =>
      terminating && names.includes(name) && paths.some((path) => /[*?]/.test(path)),
  )
  return reachWarnings(
    readersOfDraft(draft),
    reaching.map(({ name }) => name),
  )
}

function checkKey(keyid: string, key: Key, refuse: (why: string) => Refusal): void {
  refuseTufErrors(() => checkForEveryClient(key))
  const fields = [...Object.keys(key), ...Object.keys(key.keyval).map((field) => `keyval.${field}`)]
  const extra = fields.find((field) => !['keytype', 'scheme', 'keyval', 'keyval.public'].includes(field))
  if (extra !== undefined)
    throw refuse(`has key ${keyid} with a field "${extra}", which some clients drop. Leave it out.`)
  if (keyidOf(key) !== keyid)
    throw refuse(`names key ${keyid}, whose keyid by its canonical form is ${keyidOf(key)}. Name it by that.`)
}
