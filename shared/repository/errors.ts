import { CodedError, TufError } from '../tuf/errors.ts'
import { SignerError, StoreError } from './ports.ts'

export type RepositoryErrorCode =
  /** What is stored is not what was written, or a part of it is missing. Nothing is published over it. */
  | 'corrupt'
  /** A later version of this service has written what is stored. */
  | 'newer'
  /** The service does not hold a key that the metadata asks for. */
  | 'key-not-held'
  /** The same Idempotency-Key came with another request. */
  | 'idempotency-key-reused'
  /** Others committed again and again while this cycle tried to. */
  | 'overtaken'

/** What to do where what is stored is 'corrupt'. */
export const mending =
  'Stop the service and see what `tuffet repair` can do for the data directory, or restore it from a backup of the same time as the rest.'

/** What stops the service, as against what a task asks in vain: that is a `Refusal`. */
export class RepositoryError extends CodedError<RepositoryErrorCode> {
  override readonly name = 'RepositoryError'
}

/**
 * A task that was understood and cannot be done. An operation throws it before it changes anything; the task ends as
 * ERRORED with this message as the reason.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly details: Readonly<Record<string, unknown>>
  constructor(reason: string, details: Readonly<Record<string, unknown>> = {}) {
    super(reason)
    this.details = details
  }
}

/** Turns a TufError into a Refusal with the same reason. */
export function refuseTufErrors<Value>(decide: () => Value): Value {
  try {
    return decide()
  } catch (error) {
    if (error instanceof TufError) throw new Refusal(error.message)
    throw error
  }
}

/** Names for a message: the first ten, and how many there are if that is not all of them. */
export const shown = (names: readonly string[], count = names.length) =>
  `${names.slice(0, 10).join(', ')}${count > 10 ? `, … (${count} in all)` : ''}`

/** The cycle cannot go on, and no task is to blame: those at hand wait for the next one. */
export function isNoTasksFault(error: unknown): error is StoreError | SignerError | RepositoryError {
  return error instanceof StoreError || error instanceof SignerError || error instanceof RepositoryError
}
