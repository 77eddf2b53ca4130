import { TufError } from '../../tuf/errors.ts'
import type { Root, Timestamp } from '../../tuf/metadata.ts'
import { verifyFirstRoot, verifySuccession } from '../../tuf/root.ts'
import { decodeSigned, type Signed } from '../../tuf/signed.ts'
import { verifyThreshold } from '../../tuf/threshold.ts'
import type { Entry, StoredEntry } from '../journal.ts'
import type { Tag } from '../ports.ts'
import type { Repository } from '../repository.ts'
import { ignoring, metadataIn } from './files.ts'
import { biggestOf, chainFrom, type Inventory, newestCommit, substituteEntry } from './journal.ts'
import type { Notes } from './notes.ts'

/** The newest commit, and what leads to it. */
export interface Head {
  readonly stored: StoredEntry
  /** True if its entry is lost, and `stored` stands in for it. */
  readonly isSubstitute: boolean
  /** The commits below it, newest first; `complete` if none is missing. */
  readonly journal: { readonly chain: readonly Entry[]; readonly complete: boolean }
  /** What makes it visible; absent if that cannot be read, or is older than the journal. */
  readonly timestamp?: Signed<Timestamp>
  /** Of the `timestamp.json` that is there, good or not. */
  readonly timestampTag?: Tag
}

/** The newest root that clients can follow to. */
export async function newestRoot({ ports }: Repository): Promise<Signed<Root> | undefined> {
  for (let newest: Signed<Root> | undefined; ; ) {
    const next = await metadataIn(ports.metadata, 'root', `${(newest?.signed.version ?? 0) + 1}.root.json`)
    if (next === undefined) return newest
    const before = newest?.signed
    const verified = ignoring(TufError, () => {
      if (before === undefined) verifyFirstRoot(next)
      else verifySuccession(before, next)
      return next
    })
    if (verified === undefined) return newest
    newest = verified
  }
}

/** Nothing if it cannot be found out. */
export async function findHead(
  repository: Repository,
  root: Signed<Root>,
  inventory: Inventory,
  notes: Notes,
): Promise<Head | undefined> {
  const { timestamp, tag } = await readTimestamp(repository, root.signed, inventory, notes)
  const found = timestamp === undefined ? newestCommit(inventory) : entryOf(repository, timestamp, inventory, notes)
  if (found === undefined) return undefined
  const { stored, isSubstitute } = 'stored' in found ? found : { stored: found, isSubstitute: false }
  if (timestamp === undefined) notes.steps.push(`Sign timestamp.json anew, for commit ${stored.entry.number}.`)
  const journal = chainFrom(stored, inventory)
  return {
    stored,
    isSubstitute,
    journal,
    ...(timestamp && { timestamp }),
    ...(tag !== undefined && { timestampTag: tag }),
  }
}

async function readTimestamp(
  { ports }: Repository,
  { keys, roles }: Root,
  { entries }: Inventory,
  notes: Notes,
): Promise<{ timestamp?: Signed<Timestamp> | undefined; tag?: Tag }> {
  const stored = await ports.metadata.read('timestamp.json')
  if (stored === undefined) return {}
  const { tag, bytes } = stored
  const timestamp = ignoring(TufError, () => {
    const read = decodeSigned('timestamp', bytes)
    verifyThreshold('timestamp.json', roles.timestamp, keys, read)
    return read
  })
  const newestBase = biggestOf([...entries.values()].map(({ entry }) => entry.base.number))
  if (timestamp === undefined || timestamp.signed.version >= newestBase) return { timestamp, tag }
  notes.steps.push(
    `Go on from the journal: it has commit ${newestBase}, and timestamp.json is of ${timestamp.signed.version}.`,
  )
  return { tag }
}

function entryOf(
  { ports }: Repository,
  { signed: { version } }: Signed<Timestamp>,
  inventory: Inventory,
  notes: Notes,
) {
  const stored = inventory.entries.get(version)
  if (stored !== undefined) return stored
  notes.steps.push(`Write an entry for commit ${version}, which has none that can be read.`)
  notes.lost.push(`What commit ${version} changed, and for whom. What it published stays.`)
  return { stored: substituteEntry(version, ports.clock.newId(), ports.clock.now(), inventory), isSubstitute: true }
}
