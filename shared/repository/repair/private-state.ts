import { parseJson } from '../../tuf/json.ts'
import type { Root, Targets } from '../../tuf/metadata.ts'
import { rolesBelowRoot } from '../../tuf/names.ts'
import type { Signed } from '../../tuf/signed.ts'
import type { Document } from '../documents.ts'
import { type BootstrapDocument, bootstrapName } from '../found.ts'
import { type Entry, isAsDecided, type StateName, stateObjectName } from '../journal.ts'
import { inParallel } from '../parallel.ts'
import { nothingParked } from '../parked.ts'
import type { Repository } from '../repository.ts'
import { noRotation, type Rotation } from '../rotation.ts'
import type { Settings } from '../settings.ts'
import { nothingPending } from '../signing.ts'
import { canSign, groupOf } from '../tree.ts'
import type { Notes } from './notes.ts'
import { decodedDocument, decodedMetadata, documentIn, metadataIn } from './readable.ts'
import { settingsShown, withDaysSeen } from './recover-settings.ts'

const unusable = 'is missing or spoilt'

/** A piece of private state as the newest commit decided it, and whether it had to be made up. */
export interface Recovered<Part> {
  readonly part: Part
  readonly isLost: boolean
}

/** What it says; nothing if it is missing, cannot be read, or is not what was decided. */
async function decided<Part>(
  { ports }: Repository,
  entry: Entry,
  name: StateName,
  decode: (object: string, bytes: Uint8Array) => Part | undefined,
): Promise<Part | undefined> {
  const object = stateObjectName(entry.state[name], name)
  const stored = await ports.state.read(object)
  const part = stored && decode(object, stored.bytes)
  return stored !== undefined && isAsDecided(entry, name, stored.bytes) ? part : undefined
}

async function stored<Kind extends Document>(
  repository: Repository,
  entry: Entry,
  name: StateName,
  initial: Kind,
): Promise<Kind | undefined> {
  return entry.state[name] === 0 ? initial : decided(repository, entry, name, decodedDocument<Kind>)
}

/** The root that was decided last; the newest that was published, if that one is lost. */
export async function recoverRoot(
  repository: Repository,
  entry: Entry,
  published: Signed<Root>,
  notes: Notes,
): Promise<Recovered<Signed<Root>>> {
  const root = await decided(repository, entry, 'root', (_, bytes) => decodedMetadata('root', bytes))
  if (root !== undefined && root.signed.version >= published.signed.version) return { part: root, isLost: false }
  const name = stateObjectName(entry.state.root, 'root')
  notes.steps.push(`Go on with root ${published.signed.version}, the newest that is published: ${name} ${unusable}.`)
  return { part: published, isLost: true }
}

export async function recoverParked(repository: Repository, entry: Entry, notes: Notes) {
  const found = await stored(repository, entry, 'parked', nothingParked)
  if (found === undefined) {
    notes.steps.push(`Go on with nothing parked: ${stateObjectName(entry.state.parked, 'parked')} ${unusable}.`)
    notes.lost.push('What was parked (accepted with "publish_artifacts": false). Send it again.')
  }
  return { part: found ?? nothingParked, isLost: found === undefined }
}

export async function recoverSigning(repository: Repository, entry: Entry, notes: Notes) {
  const found = await stored(repository, entry, 'signing', nothingPending)
  if (found === undefined) {
    const name = stateObjectName(entry.state.signing, 'signing')
    notes.steps.push(`Go on with nothing that waits for signatures: ${name} ${unusable}.`)
    notes.lost.push('What waited for signatures of offline keys. Send those changes again.')
  }
  return { part: found ?? nothingPending, isLost: found === undefined }
}

/**
 * If online keys may be changing, the old ones sign too for a while, as far as the service has them still: that does no harm,
 * and nobody is left behind.
 */
export async function recoverRotation(
  repository: Repository,
  entry: Entry,
  root: Signed<Root>,
  notes: Notes,
): Promise<Recovered<Rotation>> {
  const found = await stored(repository, entry, 'rotation', noRotation)
  if (found !== undefined) return { part: found, isLost: false }
  const { limits, ports } = repository
  const versions = Array.from({ length: root.signed.version - 1 }, (_, at) => `${at + 1}.root.json`)
  const roots = await inParallel(versions, limits.parallel, (file) => metadataIn(ports.metadata, 'root', file))
  const previous = roots.at(-1)
  const canSignAs = (one: Signed<Root>) =>
    rolesBelowRoot.filter((role) => canSign(groupOf(one.signed, role), ports.signers))
  const signs = previous !== undefined && new Set(canSignAs(root)).isSubsetOf(new Set(canSignAs(previous)))
  notes.steps.push(
    signs
      ? 'Have the online keys of the root before sign, too, for as long as a rotation takes.'
      : `Go on with the online keys of root ${root.signed.version} alone: ${stateObjectName(entry.state.rotation, 'rotation')} ${unusable}.`,
  )
  const removed = onlineKeys(roots.filter((one) => one !== undefined)).difference(onlineKeys([root]))
  const part = {
    ...noRotation,
    ...(signs && { previousRoot: parseJson(previous.bytes) }),
    ...(removed.size > 0 && { removed: [...removed] }),
  }
  return { part, isLost: true }
}

const onlineKeys = (roots: readonly Signed<Root>[]) =>
  new Set(roots.flatMap(({ signed: { roles } }) => [...roles.snapshot.keyids, ...roles.timestamp.keyids]))

export async function recoverSettings(
  repository: Repository,
  entry: Entry,
  targets: Signed<Targets>,
  roleNamed: (name: string) => Promise<Signed<Targets> | undefined>,
  notes: Notes,
): Promise<Recovered<Settings>> {
  const found = await decided(repository, entry, 'settings', decodedDocument<Settings>)
  if (found !== undefined) return { part: found, isLost: false }
  notes.steps.push('Take the settings (hash bins, and how long roles live) from what is published.')
  const named = new Map<string, Signed<Targets> | undefined>()
  for (const { name } of targets.signed.delegations?.roles ?? []) named.set(name, await roleNamed(name))
  return { part: settingsShown(targets, (name) => named.get(name)), isLost: true }
}

/** With the days that the roles were given: asked last, for it takes all that could be read. */
export async function recoverDays(
  { ports }: Repository,
  settings: Settings,
  roles: Parameters<typeof withDaysSeen>[2],
  entries: Parameters<typeof withDaysSeen>[3],
): Promise<Settings> {
  const head = await documentIn<BootstrapDocument>(ports.state, bootstrapName)
  return withDaysSeen(settings, head?.sealed?.request.expiration ?? {}, roles, entries)
}
