import { fitting, numberOfChanges, readChanges } from '../../repository/changes.ts'
import type { Entry } from '../../repository/journal.ts'
import { readCommits } from '../../repository/read.ts'
import type { Repository } from '../../repository/repository.ts'
import { jsonAnswer } from '../answer.ts'
import { ApiError } from '../errors.ts'
import type { Routes } from '../routes.ts'
import type { Handler } from './handler.ts'

export const getCommits: Handler<Routes['getCommits']> = async ({ query: { newest, limit } }, { repository }) => {
  const all = []
  const bases: number[] = []
  for await (const entry of readCommits(repository, { ...(newest && { newest }), limit })) {
    const { number, time, base } = entry
    all.push({ number, time, tasks: tasksOf(entry), changes: numberOfChanges(entry) })
    bases.push(base.number)
  }
  const commits = all.slice(0, fitting(all, 0, limit).size)
  const next = bases[commits.length - 1]
  return jsonAnswer(200, { data: { commits, next: next === 0 ? undefined : next }, message: 'Commits.' })
}

export const getCommit: Handler<Routes['getCommit']> = async ({ parameters: { number } }, { repository }) => {
  const entry = await readCommit(repository, number)
  const { time, base, creates, supersedes } = entry
  const { artifacts, sha256 } = entry.imported ?? {}
  const imported = artifacts === undefined ? undefined : { artifacts, sha256 }
  const listed = entry.listed && { changes: entry.listed.changes }
  const { size } = fitting(entry.changes, 0, entry.changes.length)
  const changes = entry.changes.slice(0, size)
  const next = size < entry.changes.length ? size : undefined
  const data = { number, time, base, tasks: tasksOf(entry), changes, next, imported, listed, creates, supersedes }
  return jsonAnswer(200, { data, message: 'Commit.' })
}

export const getCommitChanges: Handler<Routes['getCommitChanges']> = async (
  { parameters: { number }, query },
  { repository },
) => {
  const entry = await readCommit(repository, number)
  return jsonAnswer(200, { data: await readChanges(repository.ports.state, entry, query), message: 'Changes.' })
}

async function readCommit(repository: Repository, number: number): Promise<Entry> {
  for await (const entry of readCommits(repository, { newest: number, limit: 1 }))
    if (entry.number === number) return entry
  const why = `There is no commit ${number}. GET /commits, or tuffet log, lists those that there are; numbers may be left out.`
  throw new ApiError('not-found', 'Commit not found.', why)
}

function tasksOf({ tasks }: Entry) {
  return tasks.map(({ id, principal, state, result }) => ({
    task_id: id,
    task: result.task,
    state,
    principal,
    error: result.error,
  }))
}
