import type { Routes } from '../routes.ts'
import type { Handler } from './handler.ts'
import { accept } from './submission.ts'

export const postRevert: Handler<Routes['postRevert']> = (call, service) =>
  accept(call, service, call.body, { message: 'Revert accepted.' })
