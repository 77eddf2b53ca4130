import { TufError } from '../../tuf/errors.ts'
import type { Root, Timestamp } from '../../tuf/metadata.ts'
import { decodeSigned, type Signed } from '../../tuf/signed.ts'
import { verifyThreshold } from '../../tuf/threshold.ts'
import type { Entry, StoredEntry } from '../journal.ts'
import type { Tag } from '../ports.ts'
import type { Repository } from '../repository.ts'
import { chainFrom, type Inventory, newestBase, newestCommit, substituteEntry } from './inventory.ts'
import type { Notes } from './notes.ts'
import { ignoring } from './readable.ts'

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
  inventory: Inventory,
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
  const made = newestBase(inventory)
  if (timestamp === undefined || timestamp.signed.version >= made) return { timestamp, tag }
  notes.steps.push(
    `Go on from the journal: it has commit ${made}, and timestamp.json is of ${timestamp.signed.version}.`,
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
