import { uploadOf } from '../delegation-schemas.ts'
import type { Routes } from '../routes.ts'
import type { Handler } from './handler.ts'
import { accept } from './submission.ts'

export const postDelegations: Handler<Routes['postDelegations']> = (call, service) =>
  accept(call, service, call.body, { message: 'Metadata delegation add accepted.' })

export const putDelegations: Handler<Routes['putDelegations']> = (call, service) =>
  accept(call, service, call.body, { message: 'Metadata delegation update accepted.' })

export const postDelegationsDelete: Handler<Routes['postDelegationsDelete']> = (call, service) =>
  accept(call, service, call.body, { message: 'Metadata delegation delete accepted.' })

export const postDelegatedMetadata: Handler<Routes['postDelegatedMetadata']> = (call, service) =>
  accept(call, service, uploadOf(call.parameters.role, call.body), { message: 'Delegated metadata accepted.' })
