import type { Draft } from '../draft.ts'
import type { LongWork, Planning } from '../long-work.ts'
import type { Past } from '../past.ts'
import type { Signer } from '../ports.ts'
import type { Facts } from '../preparation.ts'
import type { RequestOf, TaskKind } from '../task.ts'

/** What an operation may know besides the draft and the request. */
export interface OperationContext {
  readonly taskId: string
  readonly principal: string
  /** The number of the commit that the draft is made from; 0 for none. */
  readonly baseNumber: number
  /** When the cycle began. */
  readonly now: Date
  readonly signers: readonly Signer[]
  /** What is signed in the file that `file` names, if there is one. */
  readonly fileInPlace?: Uint8Array
  /** What has changed since the commit that `past` names; absent where that is too much to be undone at once. */
  readonly past?: Past
  /** The commit of that file's number was to create it. */
  readonly fileClaimed?: boolean
  /** What is known of the roles that were signed ahead; taken over once the operation was applied. */
  readonly prepared?: Facts
}

export interface Outcome {
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
  /** What was done although some clients will trip over it; shown among the details. */
  readonly warnings?: readonly string[]
}

/**
 * One kind of task. Everything that needs I/O happens before: an operation is a function of the draft, the request and its
 * context, so it can be tried with a table.
 */
export interface Operation<Kind extends TaskKind> {
  /** A commit whose targets `apply` wants to know, or `long.plan` where too much has changed since. */
  readonly past?: (request: RequestOf<Kind>) => number
  /** The roles below targets whose metadata `apply` reads or changes; those are loaded into the draft first. */
  readonly needs: (draft: Draft, request: RequestOf<Kind>, context: OperationContext) => Iterable<string>
  /** A metadata file that `apply` wants to have the name of: one with other content may lie there, left by an aborted commit. */
  readonly file?: (request: RequestOf<Kind>) => string | undefined
  /** Where the request may be too much for one commit. */
  readonly long?: {
    /** Whether this one is, so that its roles are signed ahead and `apply` finds them prepared; absent: each one. */
    readonly is?: (draft: Draft, request: RequestOf<Kind>, aheadFrom: number, context: OperationContext) => boolean
    /** Throws a Refusal where it cannot be done. */
    readonly plan: (planning: Planning, request: RequestOf<Kind>, context: OperationContext) => Promise<LongWork>
  }
  /** Changes the draft, or throws a Refusal before it has changed anything. */
  readonly apply: (draft: Draft, request: RequestOf<Kind>, context: OperationContext) => Outcome
  /** The message of its result when it is refused; the reason stands beside it. */
  readonly refusedMessage: string
}
