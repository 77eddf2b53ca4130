import { CodedError } from '../../shared/tuf/errors.ts'

export type TokenErrorCode =
  /** The URI is not one that we can follow. */
  | 'uri'
  /** What speaks PKCS#11 for us is not installed. */
  | 'not-installed'
  /** The library of the token's maker is missing or does not start. */
  | 'module'
  /** No such token, or several. */
  | 'token'
  /** A PIN is wrong, locked or not set. */
  | 'pin'
  /** No such key, or several. */
  | 'key'
  /** A key of a kind that TUF clients refuse, or that may not sign. */
  | 'kind'
  /** The token failed. */
  | 'failed'

/** What goes wrong with a token. The message is for people, and never holds a PIN. */
export class TokenError extends CodedError<TokenErrorCode> {
  override readonly name = 'TokenError'
}
