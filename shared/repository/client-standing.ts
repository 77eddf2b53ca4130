import { type Root, specVersion, type TargetFile, type Targets } from '../tuf/metadata.ts'
import type { Signed } from '../tuf/signed.ts'
import { emptyTraits } from './check/report.ts'
import { oddKeyids, readingWarnings, refuseWithoutSha256, sizeWarnings, slownessWarnings } from './client-rules.ts'
import {
  type Client,
  hasSha256,
  kindsIn,
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
  { signed: root, bytes }: Signed<Root>,
  delegators: readonly Targets[],
  rolesInSnapshot: number,
): RepositoryTraits {
  // What would cost a client everything is refused before it is published; the rest is told by `check`, which reads all roles.
  const unread = emptyTraits()
  const delegations = delegators.map(({ delegations }) => delegations).filter((found) => found !== undefined)
  const keys = [root.keys, ...delegations.map(({ keys }) => keys)].flatMap((keys) => [...keys.values()])
  return {
    ...unread,
    delegations: new Set(delegations.flatMap(kindsIn)),
    sizes: { ...unread.sizes, root: { bytes: bytes.length, stated: false } },
    schemes: new Set(keys.map(({ scheme }) => scheme)),
    specVersions: new Set([root.spec_version, specVersion]),
    rootVersions: root.version,
    rolesInSnapshot,
  }
}

function traitsOfDraft(draft: Draft): RepositoryTraits {
  const { root, settings, roles } = draft
  const delegators = delegatorsOf(settings).flatMap((role) => roles.get(role) ?? [])
  return traitsOf(root, delegators, rolesInSnapshot(draft))
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

/** Throws a Refusal if a client that can read the repository could not any more, for the hashes of one of these. */
export function refuseLosing(
  draft: Draft,
  artifacts: Iterable<{ readonly path: string; readonly info?: Pick<TargetFile, 'hashes'> }>,
): void {
  const paths: string[] = []
  for (const { path, info } of artifacts) if (info !== undefined && !hasSha256(info.hashes)) paths.push(path)
  if (paths.length > 0) refuseWithoutSha256(readersOfDraft(draft), paths)
}

/** The served clients that can read what this draft makes of the repository. */
export function readersOfDraft(draft: Draft): Client[] {
  const traits = traitsOfDraft(draft)
  const refusesRoot = ({ strictKeyids }: Client) => strictKeyids === true && oddKeyids(draft.root.signed).length > 0
  return servedClients(draft.settings.clients).filter(
    (client) => obstacles(client, traits).length === 0 && !refusesRoot(client),
  )
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
    ...readingWarnings(served, traitsOf(root, delegating, snapshot.signed.meta.size)),
    ...slownessWarnings(served, snapshot.signed.meta.size),
    ...sizeWarnings(served, 'root', [{ name, bytes: root.bytes.length }]),
    ...sizeWarnings(served, 'targets', near),
  ]
}
