import { type Root, specVersion, type Targets } from '../tuf/metadata.ts'
import { readingWarnings, sizeWarnings } from './client-rules.ts'
import { type DelegationKind, obstacles, type RepositoryTraits, servedClients } from './clients.ts'
import type { Current } from './current.ts'
import type { Draft } from './draft.ts'
import { delegatorsOf } from './settings.ts'

/** What can be said of a repository without reading its roles, one by one. */
function traitsOf(root: Root, delegators: readonly Targets[], rootBytes: number): RepositoryTraits {
  const none = { bytes: 0, stated: false }
  const delegations = delegators.map(({ delegations }) => delegations).filter((found) => found !== undefined)
  const keys = [root.keys, ...delegations.map(({ keys }) => keys)].flatMap((keys) => [...keys.values()])
  return {
    delegations: new Set(delegations.flatMap(kindsIn)),
    sizes: { root: { bytes: rootBytes, stated: false }, timestamp: none, snapshot: none, targets: none },
    schemes: new Set(keys.map(({ scheme }) => scheme)),
    specVersions: new Set([root.spec_version, specVersion]),
    rootVersions: root.version,
    withoutSha256: false,
  }
}

function kindsIn({ roles = [], succinct_roles }: NonNullable<Targets['delegations']>): DelegationKind[] {
  const kinds = roles.map(({ paths }): DelegationKind => (paths === undefined ? 'path_hash_prefixes' : 'paths'))
  return [...new Set(kinds), ...(succinct_roles === undefined ? [] : (['succinct_roles'] as const))]
}

function traitsOfDraft({ root, settings, roles }: Draft): RepositoryTraits {
  const delegators = delegatorsOf(settings).flatMap((role) => roles.get(role) ?? [])
  return traitsOf(root.signed, delegators, root.bytes.length)
}

/** Which served clients cannot read what this draft makes of the repository. */
export function warningsOfDraft(draft: Draft): string[] {
  return readingWarnings(servedClients(draft.settings.clients), traitsOfDraft(draft))
}

/** The same of those clients that could read it as it was `before`. */
export function warningsOfChange(draft: Draft, before: Draft): string[] {
  const traits = traitsOfDraft(before)
  const readers = servedClients(draft.settings.clients).filter((client) => obstacles(client, traits).length === 0)
  return readingWarnings(readers, traitsOfDraft(draft))
}

/** What a person should know of the clients that the deployment serves. */
export function warningsOfCurrent({ root, delegators, settings, entry }: Current): string[] {
  const served = servedClients(settings.clients)
  const delegating = [...delegators.values()].map(({ signed }) => signed)
  const name = `root version ${root.signed.version}`
  const near = Object.entries(entry.nearCaps ?? {}).map(([role, bytes]) => ({ name: `role ${role}`, bytes }))
  return [
    ...readingWarnings(served, traitsOf(root.signed, delegating, root.bytes.length)),
    ...sizeWarnings(served, 'root', [{ name, bytes: root.bytes.length }]),
    ...sizeWarnings(served, 'targets', near),
  ]
}
