import type { TargetFile } from '../tuf/metadata.ts'
import { withTaskId } from './artifact-rules.ts'
import { readBulk } from './bulk.ts'
import type { Change, Imported } from './journal.ts'
import type { ObjectStore } from './ports.ts'
import { decodeLines, encodeLines, readPart } from './stored-lines.ts'

/** What a path held before an import. */
export interface Held {
  readonly path: string
  readonly info: TargetFile
}

export const encodeHeld = (held: readonly Held[]): Uint8Array => encodeLines(held)

/** What an import changed, its file being parsed as one goes. Throws RepositoryError 'corrupt' if that is gone, or has another hash. */
export async function changesOfImport(state: ObjectStore, imported: Imported): Promise<Iterable<Change>> {
  const bulk = readBulk(await readPart(state, imported.bulk, imported.sha256), imported.format)
  const held = new Map<string, TargetFile>()
  if (imported.before !== undefined)
    for (const { path, info } of decodeLines<Held>(await readPart(state, imported.before, imported.beforeSha256)))
      held.set(path, info)
  const except = new Set<string>(imported.except)
  const { addedByTaskId: id } = imported
  return (function* () {
    for (let index = 0; index < bulk.count; index++) {
      const { path, info } = bulk.artifact(index)
      if (except.has(path)) continue
      const before = held.get(path)
      const after = withTaskId(info, id)
      yield { path, after, ...(before && { before }) }
    }
  })()
}
