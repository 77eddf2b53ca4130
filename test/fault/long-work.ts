import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { schemaVersion } from '../../shared/repository/documents.ts'
import type { Entry } from '../../shared/repository/journal.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { type PreparationDocument, preparationName } from '../../shared/repository/preparation.ts'
import { publish } from '../../shared/repository/publish.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { bulkFiles } from './world.ts'

/** Publishes, and does what is to be done ahead, until nothing waits. */
export async function publishAll(repository: Repository): Promise<void> {
  for (;;) {
    const { unprepared } = await publish(repository)
    if (unprepared === undefined) return
    await prepare(repository, unprepared)
  }
}

/** The file of an import is there before the import is accepted. */
export async function upload(request: TaskRequest, state: ObjectStore): Promise<void> {
  if (request.kind !== 'import_artifacts') return
  await state.create(request.bulk, bulkFiles.get(request.bulk) ?? new Uint8Array())
}

/** What was sent after it may be decided before it. */
export function isLong(request: TaskRequest | undefined): boolean {
  if (request?.kind === 'metadata_update') return !request.compromised
  const long: readonly unknown[] = [
    ...['import_artifacts', 'change_bins', 'force_online_metadata_update', 'sign_metadata', 'revert'],
  ]
  return long.includes(request?.kind)
}

/** What commits have changed since a publisher met this task that were made of later ones; nothing where it is not done ahead. */
export function laterThan(
  id: string,
  commits: readonly Entry[],
  state: ReadonlyMap<string, Uint8Array>,
): ReadonlySet<string> | undefined {
  const bytes = state.get(preparationName(id))
  if (bytes === undefined) return undefined
  const { schema, since } = JSON.parse(Buffer.from(bytes).toString()) as PreparationDocument
  if (schema !== schemaVersion) throw new Error(`${preparationName(id)} has schema ${schema}.`)
  const later = commits.filter(({ number, tasks }) => number > since && tasks.some((task) => task.id > id))
  return new Set(later.flatMap(({ changes }) => changes.map(({ path }) => path)))
}
