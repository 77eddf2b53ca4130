import { TufError } from '../../tuf/errors.ts'
import {
  type Snapshot,
  specVersion,
  type TargetFile,
  type Targets,
  type Timestamp,
  versionOf,
} from '../../tuf/metadata.ts'
import { type Signed, unsigned } from '../../tuf/signed.ts'
import { verifyThreshold } from '../../tuf/threshold.ts'
import { sha256 } from '../documents.ts'
import { draftFrom, roleFor } from '../draft.ts'
import { mending, RepositoryError, shown } from '../errors.ts'
import { type Entry, parseFile } from '../journal.ts'
import { inParallel } from '../parallel.ts'
import type { Current, Repository } from '../repository.ts'
import type { SigningGroup } from '../signing.ts'
import { canSign, signedBelow, type Tree } from '../tree.ts'
import type { Head } from './head.ts'
import { type Inventory, targetsByJournal } from './inventory.ts'
import type { Notes } from './notes.ts'
import { ignoring, metadataIn } from './readable.ts'

/** The snapshot that the newest commit made visible; put together anew, unsigned, if it cannot be read. */
export async function recoverSnapshot(
  { ports }: Repository,
  timestamp: Signed<Timestamp> | undefined,
  chain: readonly Entry[],
  inventory: Inventory,
  notes: Notes,
): Promise<{ readonly snapshot: Signed<Snapshot>; readonly isLost: boolean }> {
  const named = timestamp?.signed.meta.get('snapshot.json')
  const created = chain.find(({ creates, number }) => creates.includes(`${number}.snapshot.json`))
  const number = named?.version ?? created?.number ?? 1
  const file = `${number}.snapshot.json`
  const found = await metadataIn(ports.metadata, 'snapshot', file)
  const hash = named?.hashes?.['sha256']
  const isSame = found !== undefined && (hash ?? sha256(found.bytes)) === sha256(found.bytes)
  if (found !== undefined && isSame) return { snapshot: found, isLost: false }
  notes.steps.push(`Put the snapshot together from the journal: ${file} cannot be read.`)
  // The newest of each role that there is, unless the journal knows better: a commit that was not made may have left newer ones.
  const newest = new Map<string, number>()
  for (const name of inventory.metadata) {
    const { role, version } = parseFile(name) ?? { role: 'root', version: 0 }
    if (role !== 'root' && role !== 'snapshot') newest.set(role, Math.max(version, newest.get(role) ?? 0))
  }
  const told = new Map<string, number>()
  for (const { creates, supersedes } of chain.toReversed()) {
    // What holders have signed takes the place of a file, and is created by no commit: the newest that there is counts.
    for (const name of supersedes) told.delete(parseFile(name)?.role ?? '')
    for (const name of creates) {
      const parsed = parseFile(name)
      if (parsed !== undefined && parsed.role !== 'snapshot') told.set(parsed.role, parsed.version)
    }
  }
  const versions = new Map([...newest, ...told])
  const meta = new Map([...versions].map(([role, version]) => [`${role}.json`, { version }]))
  const snapshot: Snapshot = {
    _type: 'snapshot',
    spec_version: specVersion,
    version: number,
    expires: '2000-01-01T00:00:00Z',
    meta,
  }
  return { snapshot: unsigned(snapshot), isLost: true }
}

/** The file of a role as the snapshot names it, if it is what its signers signed. */
export async function readSigned(
  { ports }: Repository,
  snapshot: Signed<Snapshot>,
  role: string,
  group: SigningGroup,
): Promise<Signed<Targets> | undefined> {
  const version = versionOf(snapshot.signed, role)
  const found =
    version === undefined ? undefined : await metadataIn(ports.metadata, 'targets', `${version}.${role}.json`)
  if (found === undefined || found.signed.version !== version) return undefined
  return ignoring(TufError, () => {
    verifyThreshold(role, group.roleKeys, group.keys, found)
    return found
  })
}

export interface RecoveredRoles {
  readonly roles: ReadonlyMap<string, Signed<Targets>>
  /** What those have to hold that could not be read. */
  readonly rebuilt: ReadonlyMap<string, Targets>
}

/** Every role below targets that does not delegate; those that cannot be read from what the journal says of their targets. */
export async function recoverRoles(
  repository: Repository,
  current: Current,
  tree: Tree,
  { chain, complete }: Head['journal'],
  notes: Notes,
): Promise<RecoveredRoles> {
  const below = signedBelow(tree).filter(({ role }) => !current.delegators.has(role))
  const roles = new Map<string, Signed<Targets>>()
  const broken: string[] = []
  await inParallel(below, repository.limits.parallel, async ({ role, group }) => {
    const found = await readSigned(repository, current.snapshot, role, group)
    if (found !== undefined) roles.set(role, found)
    else if (canSign(group, repository.ports.signers)) broken.push(role)
    else
      notes.blocked.push(
        `The file of role ${role} cannot be read, and only its holders can sign another. Restore it from a backup.`,
      )
  })
  if (broken.length === 0) return { roles, rebuilt: new Map() }
  if (!complete) {
    notes.blocked.push(
      `The files of ${shown(broken)} cannot be read, nor the whole journal. Restore them from a backup.`,
    )
    return { roles, rebuilt: new Map() }
  }
  const targets = new Map(broken.map((role) => [role, new Map<string, TargetFile>()]))
  const draft = draftFrom(current)
  const told = await targetsByJournal(repository, chain).catch((error: unknown) => {
    if (!(error instanceof RepositoryError)) throw error
    const why = error.message.replace(mending, 'Restore both from a backup.')
    notes.blocked.push(`The files of ${shown(broken)} cannot be read, nor signed anew from the journal: ${why}`)
  })
  if (told === undefined) return { roles, rebuilt: new Map() }
  notes.steps.push(`Sign ${broken.length} roles anew whose files cannot be read, from the journal: ${shown(broken)}.`)
  for (const [path, info] of told) targets.get(roleFor(draft, path) ?? '')?.set(path, info)
  const empty = { _type: 'targets', spec_version: specVersion, version: 1, expires: '2000-01-01T00:00:00Z' } as const
  return { roles, rebuilt: new Map([...targets].map(([role, held]) => [role, { ...empty, targets: held }])) }
}
