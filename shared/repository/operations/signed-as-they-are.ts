import { type Draft, delegatedRoles, trialOf } from '../draft.ts'
import { nothingToTell, unitOfEach } from '../long-work.ts'
import { delegatorsOf } from '../settings.ts'
import type { RequestOf, TaskKind } from '../task.ts'
import type { Operation, OperationContext } from './operation.ts'

/** Nothing hangs below it, so it can be signed ahead of the commit that signs what delegates to it. */
export function isAhead(draft: Draft, role: string): boolean {
  return !['timestamp', 'snapshot', ...delegatorsOf(draft.settings)].includes(role)
}

/** Roles that are signed ahead with the content that they have. */
export function asTheyAre(draft: Draft, roles: readonly string[]) {
  return {
    draft,
    units: unitOfEach(roles),
    make: <Contents>(_: unknown, contents: Contents) => contents,
    carries: true,
    facts: async () => nothingToTell,
  } as const
}

/**
 * For an operation that has roles signed again whose content stays, because other keys sign them now. Which those are, and
 * whether they are many, is found by trying it. Those that `may` says no to are done within one commit.
 */
export function resigning<Kind extends TaskKind>(
  apply: (draft: Draft, request: RequestOf<Kind>, context: OperationContext) => unknown,
  may: (draft: Draft, request: RequestOf<Kind>) => boolean,
): Required<Pick<Operation<Kind>, 'needs' | 'long'>> {
  const signedBy = (draft: Draft, request: RequestOf<Kind>, context: OperationContext) => {
    const trial = trialOf(draft)
    try {
      apply(trial, request, context)
    } catch {
      // So it will throw in its turn.
      return new Set<string>()
    }
    return trial.toSign.difference(draft.toSign)
  }
  return {
    needs: (draft, request, context) => [...signedBy(draft, request, context)].filter((role) => isAhead(draft, role)),
    long: {
      is: (draft, request, aheadFrom, context) =>
        delegatedRoles(draft).length >= aheadFrom &&
        may(draft, request) &&
        signedBy(draft, request, context).size >= aheadFrom,
      async plan({ draft }, request, context) {
        apply(draft, request, context)
        return asTheyAre(
          draft,
          [...draft.toSign].filter((role) => isAhead(draft, role)),
        )
      },
    },
  }
}
