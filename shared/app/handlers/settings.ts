import { defaultClients } from '../../repository/clients.ts'
import { type Current, readCurrent } from '../../repository/current.ts'
import type { Signer } from '../../repository/ports.ts'
import { canSign, groupOf } from '../../repository/tree.ts'
import { jsonAnswer } from '../answer.ts'
import { ApiError } from '../errors.ts'
import type { Routes } from '../routes.ts'
import type { Handler } from './handler.ts'
import { withSigners } from './status.ts'
import { accept, requireBootstrap } from './submission.ts'

const notFound = 'No Repository Settings/Config found.'

export const getConfig: Handler<Routes['getConfig']> = async (_, service) => {
  const repository = await withSigners(service)
  const current = await readCurrent(repository)
  if (current === undefined) {
    await requireBootstrap(notFound)(service)
    throw new ApiError('unavailable', notFound, 'The repository is being bootstrapped. Try again.')
  }
  return jsonAnswer(200, { data: settingsOf(current, repository.ports.signers), message: 'Current Settings' })
}

export const putConfig: Handler<Routes['putConfig']> = (call, service) =>
  accept(call, service, call.body, {
    message: 'Settings successfully submitted.',
    mayBe: requireBootstrap(notFound),
  })

export const postMetadataOnline: Handler<Routes['postMetadataOnline']> = (call, service) =>
  accept(call, service, call.body, { message: 'Force online metadata update accepted.' })

/** Flat and in lower case, as RSTUF has them. */
function settingsOf({ settings, root }: Current, signers: readonly Signer[]): Record<string, unknown> {
  const flat: [string, unknown][] = [['targets_online_key', canSign(groupOf(root.signed, 'targets'), signers)]]
  for (const [role, days] of Object.entries(settings.expiration)) flat.push([`${role}_expiration`.toLowerCase(), days])
  for (const [role, { threshold, keyids }] of Object.entries(root.signed.roles)) {
    flat.push([`${role}_threshold`, threshold], [`${role}_num_keys`, keyids.length])
  }
  if (settings.bins !== undefined) {
    flat.push(['number_of_delegated_bins', settings.bins.number], ['bins_delegation', settings.bins.delegation])
  }
  flat.push(['clients', settings.clients ?? defaultClients])
  return Object.fromEntries(flat)
}
