import { day } from '../tuf/expiry.ts'
import { importsFor, listImports, namesOf, readImport } from './imports.ts'
import { readTask } from './read.ts'
import type { Repository } from './repository.ts'

/** Imports looked at in one run. */
const most = 1000

/**
 * Takes imports away that nobody can submit any more, and what is remembered of those that are done. The file that a commit
 * was made from stays with the journal, which names it. Says of how many imports.
 */
export async function collectImports(repository: Repository): Promise<number> {
  const { state } = repository.ports
  let deleted = 0
  // Ids begin with the time: the first ones are the oldest.
  for (const id of await listImports(repository, most)) {
    const { file, submitted, record } = namesOf(id)
    const begun = await readImport(repository, id)
    if (begun === undefined) {
      // Somebody was stopped here.
      await state.delete(submitted)
      continue
    }
    // Longer than any request takes that found it in time.
    if (begun.age < importsFor + day) break
    const task = begun.submitted && (await readTask(repository, begun.submitted.task))
    if (task?.state === 'PENDING') continue
    const isUnused = begun.submitted === undefined || task?.state === 'ERRORED' || task?.state === 'FAILURE'
    if (isUnused) {
      // What its paths held before, as far as somebody had come with it.
      for (const name of await state.list(`${file}.`)) await state.delete(name)
      await state.delete(file)
    }
    // This one before the other: a record alone is one of a file that nobody has submitted.
    await state.delete(record)
    await state.delete(submitted)
    deleted++
  }
  return deleted
}
