import type { Made } from '../repository/ahead/units.ts'
import { Refusal, RepositoryError, type RepositoryErrorCode } from '../repository/errors.ts'
import { SignerError, StoreError } from '../repository/ports.ts'

/** What one thread tells the other of the work that it was asked for. */
export type Told = { readonly made: Made } | { readonly failed: PlainError }

/** An error as it gets from one thread to another, which keeps of a class nothing but its name. */
export interface PlainError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly stack?: string | undefined
}

export function asPlain(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { message, stack, code, details } = error as Error & Partial<PlainError>
  const name = error instanceof Refusal ? 'Refusal' : error.name
  return { name, message, stack, ...(code !== undefined && { code }), ...(details !== undefined && { details }) }
}

/** The error again, of the class that it had where somebody may ask for that. */
export function fromPlain({ name, message, code, details, stack }: PlainError): Error {
  const cause = stack
  switch (name) {
    case 'StoreError':
      return new StoreError(code as StoreError['code'], message, { cause })
    case 'SignerError':
      return new SignerError(code as SignerError['code'], message, { cause })
    case 'RepositoryError':
      return new RepositoryError(code as RepositoryErrorCode, message, { cause })
    case 'Refusal':
      return new Refusal(message, details)
    default:
      return new Error(message, { cause })
  }
}
