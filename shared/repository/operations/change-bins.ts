import { binNames, binOf, delegateBins, type HashBins, hashBins } from '../../tuf/bins.ts'
import type { Delegations, TargetFile, Targets } from '../../tuf/metadata.ts'
import { slownessOfDraft } from '../client-standing.ts'
import { type Draft, roleOf, setDelegations, setSettings, treeOfDraft } from '../draft.ts'
import { Refusal, refuseTufErrors } from '../errors.ts'
import { type LongWork, nothingToTell, type Planning, type Unit } from '../long-work.ts'
import type { Signer } from '../ports.ts'
import { intermediateRole } from '../settings.ts'
import { checkRoleSizes } from '../size-caps.ts'
import type { ChangeBinsRequest } from '../task.ts'
import { signersOf } from '../tree.ts'
import { emptyTargets } from './delegate.ts'
import type { Operation } from './operation.ts'
import { isOnline, refusePending } from './waiting.ts'

/**
 * Spreads the targets over another number of hash bins, with one commit. Bins that are no more stay in the snapshot as they were
 * last, for clients take no snapshot that has lost a role (specification, section 5.5.5).
 */
export const changeBins: Operation<'change_bins'> = {
  refusedMessage: 'Update Settings Failed',
  needs: () => [],
  long: { plan },
  apply(draft, { number }, { signers }) {
    const before = draft.settings.bins?.number
    setNumberOfBins(draft, number, signers)
    return {
      message: 'Update Settings Succeded',
      details: { number_of_delegated_bins: number, before },
      warnings: slownessOfDraft(draft),
    }
  },
}

async function plan({ repository, draft }: Planning, { number }: ChangeBinsRequest): Promise<LongWork> {
  const { before, after } = setNumberOfBins(draft, number, repository.ports.signers)
  checkRoleSizes(draft)
  const make = ({ makes }: Unit, contents: ReadonlyMap<string, Targets>) => {
    const targets = new Map(makes.map((role) => [role, new Map<string, TargetFile>()]))
    for (const content of contents.values())
      for (const [path, info] of content.targets) targets.get(binOf(after, path))?.set(path, info)
    const empty = emptyTargets()
    return new Map([...targets].map(([role, held]) => [role, held.size === 0 ? empty : { ...empty, targets: held }]))
  }
  const facts = async () => nothingToTell
  return { draft, units: unitsOf(before, after), make, facts }
}

/** As many units as there are bins where these are fewer: one of those, and those of the others that share its hashes. */
function unitsOf(before: HashBins, after: HashBins): Unit[] {
  const number = Math.min(before.number, after.number)
  const [reads, makes] = [binNames(before), binNames(after)]
  const part = (names: readonly string[], unit: number) => {
    const size = names.length / number
    return names.slice(unit * size, (unit + 1) * size)
  }
  return Array.from({ length: number }, (_, unit) => ({ reads: part(reads, unit), makes: part(makes, unit) }))
}

/** Changes settings and delegations, or throws a Refusal before it has. */
function setNumberOfBins(
  draft: Draft,
  number: number,
  signers: readonly Signer[],
): { readonly before: HashBins; readonly after: HashBins } {
  const { bins: before } = draft.settings
  if (before === undefined)
    throw new Refusal('This repository has custom roles and no hash bins, so there is no number of bins to change.')
  if (before.number === number) throw new Refusal(`There are ${number} hash bins already.`)
  const after = refuseTufErrors(() => hashBins(before.delegation, number, before.namePrefix))
  const above = draft.roles.has(intermediateRole) ? intermediateRole : 'targets'
  refusePending(draft, above)
  const { delegations } = roleOf(draft, above)
  const [bin = ''] = binNames(before)
  const group = signersOf(treeOfDraft(draft), bin)
  if (delegations === undefined || group === undefined) throw new Error(`Role ${above} delegates to the hash bins.`)
  if (!isOnline(draft, above, signers) || !isOnline(draft, bin, signers))
    throw new Refusal(
      `Role ${above}, which delegates to the hash bins, is signed offline: the service cannot change it.`,
    )
  const names = new Set<string>(binNames(before))
  const others = (delegations.roles ?? []).filter(({ name }) => !names.has(name))
  const delegated = delegateBins(after, group.roleKeys)
  const changed: Delegations =
    'roles' in delegated ? { ...delegations, roles: [...others, ...delegated.roles] } : { ...delegations, ...delegated }
  setDelegations(draft, above, changed)
  setSettings(draft, { ...draft.settings, bins: after })
  return { before, after }
}
