import type { CheckReport } from './report.ts'

export interface UnusedFiles {
  /**
   * Versions of roles other than the current one, and of roles that nobody delegates to any more: kept for clients that began
   * before, or left by a commit that was not made.
   */
  readonly superseded: number
  /** What no version of anything asks for. */
  readonly strange: readonly string[]
}

const versioned = /^[1-9]\d*\.(.+\.json)$/

/** The files that clients of today do not read, of all that lie with the metadata. */
export function unusedFiles(
  { files, findings, inSnapshot }: Pick<CheckReport, 'files' | 'findings' | 'inSnapshot'>,
  names: readonly string[],
): UnusedFiles {
  // Older versions of a role are superseded also where the newest is missing.
  const known = [...files, ...findings.map(({ file }) => file)]
  const roles = new Set([...inSnapshot, ...known.map((file) => versioned.exec(file)?.[1])])
  const unused = names.filter((name) => !files.has(name))
  const isSuperseded = (name: string) => {
    const role = versioned.exec(name)?.[1]
    // Another root than those of the chain is nothing that was superseded.
    return role !== undefined && role !== 'root.json' && roles.has(role)
  }
  const strange = unused.filter((name) => !isSuperseded(name))
  return { superseded: unused.length - strange.length, strange }
}
