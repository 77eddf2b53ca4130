import { readAwaited } from '../../repository/awaited.ts'
import { readCurrent } from '../../repository/current.ts'
import { readDelegationTree, type StandingRole } from '../../repository/delegation-tree.ts'
import type { Key } from '../../tuf/keys.ts'
import { jsonAnswer } from '../answer.ts'
import { uploadOf } from '../delegation-schemas.ts'
import type { Routes } from '../routes.ts'
import type { Call, Handler } from './handler.ts'
import { withSigners } from './status.ts'
import { accept, requireBootstrap } from './submission.ts'

const message = 'Delegations.'

export const getDelegations: Handler<Routes['getDelegations']> = async (_, service) => {
  await requireBootstrap('There are no delegations yet.')(service)
  const repository = await withSigners(service)
  const current = await readCurrent(repository)
  const awaited_signatures = await readAwaited(repository, current)
  if (current === undefined) return jsonAnswer(200, { data: { roles: [], keys: {}, awaited_signatures }, message })
  const { roles, keys } = await readDelegationTree(repository, current)
  const data = { roles: roles.map(shownRole), keys: shownKeys(keys), awaited_signatures }
  return jsonAnswer(200, { data, message })
}

/** As the API shows keys everywhere: what else a root says of one is for its holders. */
function shownKeys(keys: ReadonlyMap<string, Key>) {
  const shown = [...keys].map(([keyid, { keytype, scheme, keyval }]) => {
    return [keyid, { keytype, scheme, keyval: { public: keyval.public } }] as const
  })
  return Object.fromEntries(shown)
}

function shownRole({ role, delegation, days, expires, bins, ...rest }: StandingRole) {
  const { number, delegation: kind, keyids, threshold, online } = bins ?? {}
  return {
    name: role,
    ...rest,
    ...delegation,
    expires: expires.toISOString(),
    expiration: days,
    bins: bins && { number, delegation: kind, keyids, threshold, online, expires: bins.expires?.toISOString() },
  }
}

export const postDelegations: Handler<Routes['postDelegations']> = (call, service) => {
  const message = isFromRstuf(call) ? 'New Metadata accepted.' : 'Metadata delegation add accepted.'
  return accept(call, service, call.body, { message })
}

/**
 * The `rstuf` command waits for another message than RSTUF's own API sends, and calls a request an error that was accepted
 * (docs/adr/0012). It does not give its name; it is a program over python-requests that says of each role when it expires.
 */
function isFromRstuf({ headers, body }: Call<Routes['postDelegations']>): boolean {
  if (!headers['user-agent']?.startsWith('python-requests/')) return false
  return 'roles' in body && body.roles.every(({ expiration }) => expiration !== undefined)
}

export const putDelegations: Handler<Routes['putDelegations']> = (call, service) =>
  accept(call, service, call.body, { message: 'Metadata delegation update accepted.' })

export const postDelegationsDelete: Handler<Routes['postDelegationsDelete']> = (call, service) =>
  accept(call, service, call.body, { message: 'Metadata delegation delete accepted.' })

export const postDelegationsRenew: Handler<Routes['postDelegationsRenew']> = (call, service) =>
  accept(call, service, call.body, { message: 'Metadata delegation renew accepted.' })

export const postDelegatedMetadata: Handler<Routes['postDelegatedMetadata']> = (call, service) =>
  accept(call, service, uploadOf(call.parameters.role, call.body), { message: 'Delegated metadata accepted.' })
