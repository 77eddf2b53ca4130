import { readFounding } from '../../repository/status.ts'
import { readWaitingMetadata } from '../../repository/waiting-metadata.ts'
import { jsonAnswer } from '../answer.ts'
import { ApiError } from '../errors.ts'
import type { Routes } from '../routes.ts'
import type { Handler, Service } from './handler.ts'
import { accept } from './submission.ts'

export const postMetadata: Handler<Routes['postMetadata']> = (call, service) =>
  accept(call, service, call.body, { message: 'Metadata update accepted.' })

const nothingPending = 'No metadata pending signing available'

export const getMetadataSign: Handler<Routes['getMetadataSign']> = async (_, service) => {
  await requireHolders(nothingPending)(service)
  const { roles, trustedRoot, trustedTargets } = await readWaitingMetadata(service.repository)
  if (Object.keys(roles).length === 0) return jsonAnswer(200, { message: nothingPending })
  const metadata = { ...roles, trusted_root: trustedRoot, trusted_targets: trustedTargets }
  return jsonAnswer(200, { data: { metadata }, message: 'Metadata role(s) pending signing' })
}

export const postMetadataSign: Handler<Routes['postMetadataSign']> = (call, service) =>
  accept(call, service, call.body, {
    message: 'Metadata sign accepted.',
    mayBe: requireHolders('No signing pending.'),
  })

export const postMetadataSignDelete: Handler<Routes['postMetadataSignDelete']> = (call, service) =>
  accept(call, service, call.body, {
    message: 'Metadata sign delete accepted.',
    mayBe: requirePending(call.body.role),
  })

/** Throws ApiError 'not-found' before a root is there for its holders to sign. */
function requireHolders(title: string) {
  return async ({ repository }: Service): Promise<void> => {
    const founding = await readFounding(repository)
    if (founding?.state === 'signing' || founding?.state === 'finished') return
    const state = founding?.state ?? 'none'
    throw new ApiError('not-found', title, `It requires bootstrap started. State: ${state}. Run the ceremony first.`)
  }
}

function requirePending(role: string) {
  return async ({ repository }: Service): Promise<void> => {
    const { roles } = await readWaitingMetadata(repository)
    if (Object.hasOwn(roles, role)) return
    const waiting = Object.keys(roles)
    const those = waiting.length === 0 ? 'No metadata waits for signatures.' : `These wait: ${waiting.join(', ')}.`
    throw new ApiError('not-found', `No signing process for ${role}.`, those)
  }
}
