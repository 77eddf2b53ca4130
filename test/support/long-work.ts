import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { ImportArtifactsRequest, TaskRequest } from '../../shared/repository/task.ts'

const digest = 'ab'.repeat(32)

export async function importOf(
  repository: Repository,
  lines: readonly string[],
  options: Partial<ImportArtifactsRequest> = {},
): Promise<ImportArtifactsRequest> {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const bulk = `bulk/${repository.ports.clock.newId()}`
  await repository.ports.state.create(bulk, bytes)
  const file = {
    bulk,
    sha256,
    bytes: bytes.length,
    format: 'csv',
    skipInvalid: false,
    addTaskIdToCustom: false,
  } as const
  return { kind: 'import_artifacts', ...file, ...options }
}

export const lines = (paths: readonly string[], length = 1) => paths.map((path) => `${path};${length};sha256;${digest}`)

export async function begin(repository: Repository, request: TaskRequest): Promise<string> {
  const { id } = await submit(repository, { request, principal: 'test' })
  assert.equal((await publish(repository)).unprepared, id)
  return id
}

export async function ended(repository: Repository, id: string) {
  const standing = await readTask(repository, id)
  assert.ok(standing !== undefined && 'result' in standing.task, 'the task has ended')
  return { state: standing.state, ...standing.task.result }
}

export async function finish(repository: Repository, id: string) {
  assert.equal(await prepare(repository, id), 'ready')
  await publish(repository)
  return ended(repository, id)
}

export const many = (count: number, name = 'p') => Array.from({ length: count }, (_, at) => `${name}/${at}`)
export const lengths = (paths: readonly string[], length = 1) =>
  Object.fromEntries(paths.map((path) => [path, length] as const).sort())
