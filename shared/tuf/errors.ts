export type TufErrorCode =
  /** The bytes are not JSON as TUF needs it (UTF-8, no key twice, not too deep). */
  | 'invalid-json'
  /** The value has no canonical form (OLPC canonical JSON knows no fractions). */
  | 'not-canonical'
  /** JSON, but not metadata of the kind it should be. */
  | 'invalid-metadata'
  | 'invalid-key'
  | 'invalid-role-name'
  | 'invalid-target-path'
  /** Fewer good signatures than the threshold asks for. */
  | 'threshold'
  | 'expired'
  /** A version that does not follow the one before. */
  | 'version'

/** An error that programs tell from others by its code; the message is for people. */
export abstract class CodedError<Code extends string> extends Error {
  readonly code: Code
  constructor(code: Code, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Everything that `shared/tuf` refuses. The message says what is wrong, where, and how to mend it. */
export class TufError extends CodedError<TufErrorCode> {
  override readonly name = 'TufError'
}
