import type { Logger } from '../../shared/app/logger.ts'

type Lines = Record<string, unknown>[]

/** A log, and the warnings and errors that were written to it. */
export function recordedLog(): {
  readonly log: Logger
  readonly warnings: Readonly<Lines>
  readonly errors: Readonly<Lines>
} {
  const warnings: Lines = []
  const errors: Lines = []
  const into = (lines: Lines) => (fields: object, message: string) => void lines.push({ ...fields, message })
  return { warnings, errors, log: { info: () => {}, warn: into(warnings), error: into(errors) } }
}
