import { readFounding } from '../../repository/status.ts'
import { jsonAnswer } from '../answer.ts'
import { ApiError } from '../errors.ts'
import type { Routes } from '../routes.ts'
import type { Handler, Service } from './handler.ts'
import { accept } from './submission.ts'

export const getBootstrap: Handler<Routes['getBootstrap']> = async (_, { repository }) => {
  const founding = await readFounding(repository)
  const data = { bootstrap: founding?.state === 'finished', state: founding?.state, id: founding?.taskId }
  const message = founding === undefined ? 'System available for bootstrap.' : 'System LOCKED for bootstrap.'
  return jsonAnswer(200, { data, message })
}

export const postBootstrap: Handler<Routes['postBootstrap']> = (call, service) =>
  accept(call, service, call.body, { message: 'Bootstrap accepted.', mayBe: requireNoRepository })

async function requireNoRepository({ repository }: Service): Promise<void> {
  const founding = await readFounding(repository)
  if (founding === undefined) return
  throw new ApiError('not-found', undefined, `System already has a Metadata. State: ${founding.state}`)
}
