import { linesOf } from './bulk/lines.ts'
import { blocksOf, decodeLines, joinLines, readPart } from './bulk/stored-lines.ts'
import { sha256 } from './documents.ts'
import type { Change, Listed } from './journal.ts'
import type { ObjectStore } from './ports.ts'

/** Changes that are too many for an entry of the journal: a file of their own, with one on each line. */

/** `number`: the one under which the work was done ahead that makes these changes. */
export const listName = (task: string, number: number) => `bulk/${task}.${number}.changes`

/** A line of the list, which takes less memory than the change itself. */
export const lineOf = (change: Change): string => JSON.stringify(change)

/** The same lines make the same file, in whatever order they were found. */
export async function writeList(state: ObjectStore, name: string, lines: readonly string[]): Promise<Listed> {
  const bytes = joinLines([...lines].sort())
  await state.create(name, bytes)
  const blocks = blocksOf(bytes, linesOf(bytes))
  return { file: name, sha256: sha256(bytes), changes: lines.length, ...(blocks && { blocks }), except: [] }
}

/** Parsed as one goes. Throws RepositoryError 'corrupt' if the file is gone, or has another hash. */
export async function changesListed(
  state: ObjectStore,
  { file, sha256: hash, except }: Listed,
): Promise<Iterable<Change>> {
  const bytes = await readPart(state, file, hash)
  const others = new Set(except)
  return (function* () {
    for (const change of decodeLines<Change>(bytes)) if (!others.has(change.path)) yield change
  })()
}
