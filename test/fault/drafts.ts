import type { BootstrapDocument } from '../../shared/repository/found.ts'
import { type Entry, stateObjectName } from '../../shared/repository/journal.ts'
import { pendingTargets, type Signing } from '../../shared/repository/signing.ts'
import type { Targets } from '../../shared/tuf/metadata.ts'
import { type Signed, signedFromJson } from '../../shared/tuf/signed.ts'
import { isWaiting } from './model-held.ts'
import type { Model } from './model-state.ts'
import type { HeldRole } from './world.ts'

/** What waits for the signatures of holders, by role. */
export type Drafts = ReadonlyMap<HeldRole, Signed<Targets>>

/** As this commit leaves it. `document`: reads what is in the state store. */
export function draftsAfter({ state }: Entry, document: (name: string) => unknown): Drafts {
  if (state.signing === 0) return new Map()
  const signing = document(stateObjectName(state.signing, 'signing')) as Signing
  const found = (['targets', 'team', 'vault'] as const).map((role) => [role, pendingTargets(signing, role)] as const)
  return new Map(found.flatMap(([role, pending]) => (pending === undefined ? [] : [[role, pending.metadata]])))
}

/** Before there is a commit. */
export function draftsBefore({ pending, sealed }: Pick<BootstrapDocument, 'pending' | 'sealed'>): Drafts {
  const targets = (pending ?? sealed?.request)?.offline?.['targets']
  return new Map(targets === undefined ? [] : [['targets', signedFromJson('targets', targets)]])
}

/** Notes the version of each that waits no more: it counts for whoever comes next, in the same commit too. */
export function noteSigned(waited: Drafts, model: Model, versions: Map<string, number>): void {
  for (const [role, { signed }] of waited) if (!isWaiting(model, role)) versions.set(role, signed.version)
}
