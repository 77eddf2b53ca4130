import type { TargetFile } from '../tuf/metadata.ts'
import { withTaskId } from './artifact-rules.ts'
import type { Block, BlockOfArtifacts } from './blocks.ts'
import { readBulk } from './bulk/bulk.ts'
import { decodeLines, joinLines, readPart } from './bulk/stored-lines.ts'
import { sha256 } from './documents.ts'
import type { Change, Imported } from './journal.ts'
import { createUnlessTaken, type ObjectStore } from './ports.ts'

/** What a path held before an import. */
export interface Held {
  readonly path: string
  readonly info: TargetFile
}

/** With the number of the path's artifact in the file. */
export interface HeldByArtifact extends Held {
  readonly index: number
}

const lineOfHeld = ({ path, info }: Held) => JSON.stringify({ path, info })

/** Writes it beside the file, if there is something. `blocks`: of the artifacts; without them the lines are in the order of their paths. */
export async function writeHeld(
  state: ObjectStore,
  name: string,
  held: readonly HeldByArtifact[],
  blocks: readonly Block[] | undefined,
): Promise<Pick<Imported, 'before' | 'beforeSha256' | 'blocks'>> {
  if (held.length === 0) return { ...(blocks && { blocks }) }
  if (blocks !== undefined) {
    const { bytes, told } = heldInBlocks(held, blocks)
    // Else who began this work was of a version that knew no blocks.
    if (await createUnlessTaken(state, name, bytes)) return { before: name, beforeSha256: sha256(bytes), blocks: told }
  }
  const sorted = held.toSorted((one, other) => (one.path < other.path ? -1 : 1))
  const bytes = joinLines(sorted.map(lineOfHeld))
  await state.create(name, bytes)
  return { before: name, beforeSha256: sha256(bytes) }
}

function heldInBlocks(held: readonly HeldByArtifact[], blocks: readonly Block[]) {
  const sorted = held.toSorted((one, other) => one.index - other.index)
  const parts: Uint8Array[] = []
  let [next, artifacts, start] = [0, 0, 0]
  const told = blocks.map((block): BlockOfArtifacts => {
    artifacts += block.lines
    const from = next
    while ((sorted[next]?.index ?? artifacts) < artifacts) next++
    if (next === from) return block
    const bytes = joinLines(sorted.slice(from, next).map(lineOfHeld))
    parts.push(bytes)
    const before = { start, end: start + bytes.length, sha256: sha256(bytes) }
    start = before.end
    return { ...block, before }
  })
  return { bytes: Buffer.concat(parts), told }
}

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
