import type { TargetFile } from '../tuf/metadata.ts'

/**
 * How big the files of a draft's roles become, kept while targets come and go: nobody has to serialise a role to know that it is
 * far from any cap.
 */
export interface RoleSizes {
  /** Bytes, of roles that differ from what is published. */
  readonly known: Map<string, number>
  /** Those that have changed since somebody looked; a size that is not in `known` has to be measured. */
  readonly changed: Set<string>
}

export const noSizes = (): RoleSizes => ({ known: new Map(), changed: new Set() })

export function copyOfSizes({ known, changed }: RoleSizes): RoleSizes {
  return { known: new Map(known), changed: new Set(changed) }
}

/** A target of a role changes, whose file has `published` bytes now if it has any. */
export function resizeByTarget(
  { known, changed }: RoleSizes,
  role: string,
  published: number | undefined,
  path: string,
  { before, after }: { readonly before: TargetFile | undefined; readonly after: TargetFile | undefined },
): void {
  const size = changed.has(role) ? known.get(role) : (known.get(role) ?? published)
  changed.add(role)
  if (size !== undefined) known.set(role, size + entryBytes(path, after) - entryBytes(path, before))
}

/** A role changes as a whole. */
export function resizeAsWhole({ known, changed }: RoleSizes, role: string, bytes?: number): void {
  changed.add(role)
  if (bytes === undefined) known.delete(role)
  else known.set(role, bytes)
}

/** Of a target in the file of its role: the path, the rest, a colon and a comma. */
function entryBytes(path: string, info: TargetFile | undefined): number {
  return info === undefined ? 0 : jsonBytes(path) + jsonBytes(info) + 2
}

const jsonBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))
