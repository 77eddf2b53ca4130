import { readCurrent } from '../../repository/current.ts'
import { readTarget } from '../../repository/read.ts'
import { jsonAnswer } from '../answer.ts'
import { ApiError } from '../errors.ts'
import type { Routes } from '../routes.ts'
import type { Handler } from './handler.ts'
import { accept, requireBootstrap } from './submission.ts'

const skipped = (publish: boolean) => (publish ? '' : ' Publishing will be skipped.')

export const postArtifacts: Handler<Routes['postArtifacts']> = (call, service) =>
  accept(call, service, call.body, {
    message: `New Artifact(s) successfully submitted.${skipped(call.body.publish)}`,
    data: { artifacts: call.body.artifacts.map(({ path }) => path) },
  })

export const postArtifactsDelete: Handler<Routes['postArtifactsDelete']> = (call, service) =>
  accept(call, service, call.body, {
    message: `Remove Artifact(s) successfully submitted.${skipped(call.body.publish)}`,
    data: { artifacts: call.body.paths },
  })

export const postArtifactsPublish: Handler<Routes['postArtifactsPublish']> = (call, service) =>
  accept(
    call,
    service,
    { kind: 'publish_artifacts' },
    { message: 'Publish artifacts successfully submitted.', data: { artifacts: [] } },
  )

export const getArtifact: Handler<Routes['getArtifact']> = async ({ query: { path } }, { repository }) => {
  const current = await readCurrent(repository)
  const found = current && (await readTarget(repository, current, path))
  if (found === undefined) {
    const why = `No role vouches for ${path}. Its history: GET /commits, or tuffet log --changes.`
    throw new ApiError('not-found', 'Artifact not found.', why)
  }
  const { role, target, commit, imports } = found
  return jsonAnswer(200, { data: { path, role, info: target, commit, imports }, message: 'Artifact.' })
}

export const getParkedArtifacts: Handler<Routes['getParkedArtifacts']> = async ({ query }, service) => {
  await requireBootstrap('Nothing can be parked yet.')(service)
  const current = await readCurrent(service.repository)
  const changes = current?.parked.changes ?? []
  const artifacts = changes
    .slice(query.offset, query.offset + query.limit)
    .map(({ path, info, task, principal }) => ({ path, info, task_id: task, principal }))
  return jsonAnswer(200, { data: { artifacts, total: changes.length }, message: 'Parked artifacts.' })
}
