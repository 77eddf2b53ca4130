import assert from 'node:assert/strict'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { changesOf, readChanges } from '../../shared/repository/changes.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import type { ImportArtifactsRequest } from '../../shared/repository/task.ts'
import { begin, importOf, many } from './long-work.ts'
import { addRequest, bootstrapped, restarted, run } from './repository.ts'

/** The changes of the current commit, so many at a time; as `changesOf` tells them, which reads all of it. */
export async function paged(repository: Repository, limit: number) {
  const { entry } = (await readCurrent(repository)) ?? assert.fail()
  const pages: number[] = []
  const changes: unknown[] = []
  for (let offset: number | undefined = 0; offset !== undefined; ) {
    const page = await readChanges(repository.ports.state, entry, { offset, limit })
    pages.push(page.changes.length)
    changes.push(...page.changes)
    offset = page.next
  }
  assert.deepEqual(changes, [...(await changesOf(repository.ports.state, entry))])
  return { pages, changes: changes as { path: string; before?: unknown; after?: { length: number } }[] }
}

/** A repository with an import of these lines, beside which somebody has changed p/1. p/2 and old/0 to old/59 were there before. */
export async function afterImport(
  text: readonly string[],
  options: Partial<ImportArtifactsRequest> = {},
  around: (store: ObjectStore) => ObjectStore = (store) => store,
) {
  const repository = await bootstrapped({ around })
  await run(repository, addRequest([...many(60, 'old'), 'p/2'], 7))
  const id = await begin(repository, await importOf(repository, text, options))
  await run(restarted(repository), addRequest(['p/1'], 9))
  await prepare(repository, id)
  await publish(repository)
  return repository
}
