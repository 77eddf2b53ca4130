import { type Root, specVersion, type Targets, type Timestamp } from '../../tuf/metadata.ts'
import { type Signed, unsigned } from '../../tuf/signed.ts'
import type { StateName } from '../journal.ts'
import type { Tag } from '../ports.ts'
import type { Current, Repository } from '../repository.ts'
import { delegatorsOf, type Settings } from '../settings.ts'
import { groupOf, signersOf, treeOf } from '../tree.ts'
import type { Head } from './head.ts'
import type { Inventory } from './inventory.ts'
import type { Notes } from './notes.ts'
import { recoverParked, recoverRoot, recoverRotation, recoverSettings, recoverSigning } from './private-state.ts'
import { readSigned, recoverSnapshot } from './recover.ts'

export interface RecoveredCurrent {
  /** The repository as its newest commit left it, as far as it could be found out. */
  readonly current: Current
  /** Private state that had to be made up. */
  readonly lost: readonly StateName[]
  /** The snapshot cannot stay as it is. */
  readonly snapshotIsLost: boolean
}

/** Stands where there is none that can be read; nothing is made from it. */
const noTimestamp: Timestamp = {
  _type: 'timestamp',
  spec_version: specVersion,
  version: 1,
  expires: '2000-01-01T00:00:00Z',
  meta: new Map(),
}

/** Nothing, and the reason in `notes`, if a role that delegates cannot be read. */
export async function recoverCurrent(
  repository: Repository,
  published: Signed<Root>,
  { stored, journal, timestamp, timestampTag }: Head,
  inventory: Inventory,
  notes: Notes,
): Promise<RecoveredCurrent | undefined> {
  const { entry } = stored
  const root = await recoverRoot(repository, entry, published, notes)
  const { snapshot, isLost } = await recoverSnapshot(repository, timestamp, journal.chain, inventory, notes)
  const targets = await readSigned(repository, snapshot, 'targets', groupOf(root.part.signed, 'targets'))
  if (targets === undefined) {
    notes.blocked.push('The file of targets, with all delegations, cannot be read. Restore it from a backup.')
    return undefined
  }
  const delegators = new Map<string, Signed<Targets>>([['targets', targets]])
  const readBelow = async (role: string, settings: Pick<Settings, 'delegators'>) => {
    const tree = treeOf(root.part.signed, settings, (name) => delegators.get(name)?.signed)
    const group = signersOf(tree, role)
    return group && readSigned(repository, snapshot, role, group)
  }
  const settings = await recoverSettings(repository, entry, targets, (role) => readBelow(role, {}), notes)
  for (const role of delegatorsOf(settings.part).slice(1)) {
    const found = await readBelow(role, settings.part)
    if (found === undefined) {
      notes.blocked.push(`The file of role ${role}, with its delegations, cannot be read. Restore it from a backup.`)
      return undefined
    }
    delegators.set(role, found)
  }
  const parked = await recoverParked(repository, entry, notes)
  const signing = await recoverSigning(repository, entry, notes)
  const rotation = await recoverRotation(repository, entry, root.part, notes)
  const parts = { root, settings, parked, signing, rotation }
  return {
    current: {
      ...stored,
      timestampTag: timestampTag ?? ('' as Tag),
      timestamp: timestamp ?? unsigned(noTimestamp),
      ...{ snapshot, targets, delegators },
      ...{
        root: root.part,
        settings: settings.part,
        parked: parked.part,
        signing: signing.part,
        rotation: rotation.part,
      },
    },
    lost: (Object.keys(parts) as StateName[]).filter((name) => parts[name].isLost),
    snapshotIsLost: isLost,
  }
}
