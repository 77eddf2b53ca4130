import type { Logger } from '../../shared/app/logger.ts'

/** A log, and the warnings that were written to it. */
export function recordedLog(): { readonly log: Logger; readonly warnings: readonly Record<string, unknown>[] } {
  const warnings: Record<string, unknown>[] = []
  const nothing = () => {}
  const warn = (fields: object, message: string) => void warnings.push({ ...fields, message })
  return { warnings, log: { info: nothing, warn, error: nothing } }
}
