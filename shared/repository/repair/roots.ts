import { TufError } from '../../tuf/errors.ts'
import type { Root } from '../../tuf/metadata.ts'
import { verifyFirstRoot, verifySuccession } from '../../tuf/root.ts'
import type { Signed } from '../../tuf/signed.ts'
import { type BootstrapDocument, bootstrapName, foundingRoots } from '../found.ts'
import { parseFile, stateObjectName } from '../journal.ts'
import type { Repository } from '../repository.ts'
import { biggestOf, type Inventory, newestBase } from './inventory.ts'
import type { Notes } from './notes.ts'
import { documentIn, ignoring, metadataIn } from './readable.ts'

/** The roots that clients follow. */
export interface PublishedRoots {
  readonly newest: Signed<Root>
  /** Those of them whose files are lost, and that private state has as well. */
  readonly restored: readonly Signed<Root>[]
}

/** Nothing, and the reason in `notes`, if clients cannot follow to the newest that was published. */
export async function recoverRoots(
  repository: Repository,
  inventory: Inventory,
  notes: Notes,
): Promise<PublishedRoots | undefined> {
  const { metadata } = repository.ports
  const restored: Signed<Root>[] = []
  const sealed = await sealedRoots(repository)
  const wanted = await newestPublished(repository, inventory, sealed)
  let newest: Signed<Root> | undefined
  for (let version = 1; ; version++) {
    const file = `${version}.root.json`
    const found = following(newest, await metadataIn(metadata, 'root', file))
    const kept =
      found ?? (version > wanted ? undefined : await inPrivateState(repository, inventory, version, newest, sealed))
    if (kept === undefined) {
      if (newest !== undefined && version > wanted) return { newest, restored }
      const without = version === 1 ? 'no client can begin' : `no client can follow to root ${wanted}`
      notes.blocked.push(`${file} cannot be read, and without it ${without}. Restore it from a backup.`)
      return undefined
    }
    if (found === undefined) {
      notes.steps.push(`Put ${file} back, which cannot be read: private state has the same root, signed.`)
      restored.push(kept)
    }
    newest = kept
  }
}

/** The version of the newest root that is known to have been published: at the latest, by whoever built on its commit. */
async function newestPublished(
  { ports }: Repository,
  inventory: Inventory,
  sealed: readonly Signed<Root>[],
): Promise<number> {
  const there = [...inventory.metadata].map(parseFile).filter((parsed) => parsed?.role === 'root')
  const made = inventory.entries.get(newestBase(inventory))?.entry.state.root
  const decided = made === undefined ? undefined : await metadataIn(ports.state, 'root', stateObjectName(made, 'root'))
  return biggestOf([1, sealed.length, decided?.signed.version ?? 1, ...there.map((parsed) => parsed?.version ?? 1)])
}

/** A root as its commit decided it, or as the bootstrap was sealed. One that was never published is not asked for. */
async function inPrivateState(
  { ports }: Repository,
  { state }: Inventory,
  version: number,
  before: Signed<Root> | undefined,
  sealed: readonly Signed<Root>[],
): Promise<Signed<Root> | undefined> {
  for (const name of [...state].filter((name) => /^state\/\d+\.root\.json$/.test(name))) {
    const decided = following(before, await metadataIn(ports.state, 'root', name))
    if (decided?.signed.version === version) return decided
  }
  return following(
    before,
    sealed.find(({ signed }) => signed.version === version),
  )
}

/** The roots of the bootstrap: before the journal has an entry they are published, from version 1 on. */
async function sealedRoots({ ports }: Repository): Promise<readonly Signed<Root>[]> {
  const { sealed } = (await documentIn<BootstrapDocument>(ports.state, bootstrapName)) ?? {}
  return (sealed && ignoring(TufError, () => foundingRoots(sealed.request))) ?? []
}

function following(before: Signed<Root> | undefined, root: Signed<Root> | undefined): Signed<Root> | undefined {
  return (
    root &&
    ignoring(TufError, () => {
      if (before === undefined) verifyFirstRoot(root)
      else verifySuccession(before.signed, root)
      return root
    })
  )
}
