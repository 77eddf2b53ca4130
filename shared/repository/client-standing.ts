import { type Root, specVersion, type Targets } from '../tuf/metadata.ts'
import { readingWarnings, sizeWarnings, slownessWarnings } from './client-rules.ts'
import {
  type Client,
  type DelegationKind,
  obstacles,
  type RepositoryTraits,
  secondsToRefresh,
  servedClients,
} from './clients.ts'
import type { Current } from './current.ts'
import { type Draft, delegatedRoles } from './draft.ts'
import { delegatorsOf } from './settings.ts'

/** What can be said of a repository without reading its roles, one by one. */
function traitsOf(
  root: Root,
  delegators: readonly Targets[],
  rootBytes: number,
  rolesInSnapshot: number,
): RepositoryTraits {
  const none = { bytes: 0, stated: false }
  const delegations = delegators.map(({ delegations }) => delegations).filter((found) => found !== undefined)
  const keys = [root.keys, ...delegations.map(({ keys }) => keys)].flatMap((keys) => [...keys.values()])
  return {
    delegations: new Set(delegations.flatMap(kindsIn)),
    sizes: { root: { bytes: rootBytes, stated: false }, timestamp: none, snapshot: none, targets: none },
    schemes: new Set(keys.map(({ scheme }) => scheme)),
    specVersions: new Set([root.spec_version, specVersion]),
    rootVersions: root.version,
    rolesInSnapshot,
    withoutSha256: false,
  }
}

function kindsIn({ roles = [], succinct_roles }: NonNullable<Targets['delegations']>): DelegationKind[] {
  const kinds = roles.map(({ paths }): DelegationKind => (paths === undefined ? 'path_hash_prefixes' : 'paths'))
  return [...new Set(kinds), ...(succinct_roles === undefined ? [] : (['succinct_roles'] as const))]
}

function traitsOfDraft(draft: Draft): RepositoryTraits {
  const { root, settings, roles } = draft
  const delegators = delegatorsOf(settings).flatMap((role) => roles.get(role) ?? [])
  return traitsOf(root.signed, delegators, root.bytes.length, rolesInSnapshot(draft))
}

/** Of the next one: all that are in the one before, and those that it is to get. */
function rolesInSnapshot(draft: Draft): number {
  const { inSnapshot } = draft
  const roles = ['targets', ...delegatedRoles(draft)]
  return inSnapshot.size + roles.filter((role) => !inSnapshot.has(`${role}.json`)).length
}

/** Which served clients cannot read what this draft makes of the repository, or take long. */
export function warningsOfDraft(draft: Draft): string[] {
  return [...readingWarnings(servedClients(draft.settings.clients), traitsOfDraft(draft)), ...slownessOfDraft(draft)]
}

/** Which of them take long. */
export function slownessOfDraft(draft: Draft): string[] {
  return slownessWarnings(servedClients(draft.settings.clients), rolesInSnapshot(draft))
}

/** The same of those clients that could read it as it was `before`, and took less long. */
export function warningsOfChange(draft: Draft, before: Draft): string[] {
  const [traits, next] = [traitsOfDraft(before), traitsOfDraft(draft)]
  const readers = servedClients(draft.settings.clients).filter((client) => obstacles(client, traits).length === 0)
  const seconds = (client: Client, { rolesInSnapshot }: RepositoryTraits) => secondsToRefresh(client, rolesInSnapshot)
  const slowed = readers.filter((client) => seconds(client, next) !== seconds(client, traits))
  return [...readingWarnings(readers, next), ...slownessWarnings(slowed, next.rolesInSnapshot)]
}

/** What a person should know of the clients that the deployment serves. */
export function warningsOfCurrent({ root, snapshot, delegators, settings, entry }: Current): string[] {
  const served = servedClients(settings.clients)
  const delegating = [...delegators.values()].map(({ signed }) => signed)
  const name = `root version ${root.signed.version}`
  const near = Object.entries(entry.nearCaps ?? {}).map(([role, bytes]) => ({ name: `role ${role}`, bytes }))
  return [
    ...readingWarnings(served, traitsOf(root.signed, delegating, root.bytes.length, snapshot.signed.meta.size)),
    ...slownessWarnings(served, snapshot.signed.meta.size),
    ...sizeWarnings(served, 'root', [{ name, bytes: root.bytes.length }]),
    ...sizeWarnings(served, 'targets', near),
  ]
}
