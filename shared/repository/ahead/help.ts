import { readCurrent } from '../current.ts'
import { nothingFound } from '../long-work.ts'
import { readPreparation, structureOf } from '../preparation.ts'
import type { Repository } from '../repository.ts'
import { changedAfter } from '../take-over.ts'
import { baseOfRound, planned } from './rounds.ts'
import { type Made, makeUnits, type Share } from './units.ts'

/**
 * Takes part in the round of a preparer that runs in another thread, as one would that goes on with it after a crash, but writes
 * nothing beside the roles. What it does not do, the preparer does. Throws as `prepare` does.
 */
export async function help(repository: Repository, share: Share): Promise<Made> {
  const { state } = repository.ports
  const { task, lent } = share
  const nothing = { nearCaps: {}, found: nothingFound }
  const [preparation, current] = await Promise.all([readPreparation(state, task.id), readCurrent(repository)])
  if (preparation === undefined || current === undefined) return nothing
  const { document } = preparation
  // The preparer will see that it has to begin anew.
  if (document.rounds[0]?.number !== share.round.number) return nothing
  if (structureOf(current, repository.ports.signers) !== document.structure) return nothing
  const at = await baseOfRound(repository, current, document)
  if (at === undefined) return nothing
  const later = await changedAfter(repository, share.round.base, document.since, task.id)
  return makeUnits(repository, at, await planned(repository, task, at, later, { lends: false, lent }), share)
}
