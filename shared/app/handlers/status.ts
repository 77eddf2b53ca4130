import { warningsOfCurrent } from '../../repository/client-standing.ts'
import { defaultClients } from '../../repository/clients.ts'
import { readCurrent, treeOfCurrent } from '../../repository/current.ts'
import { keysNotHeld } from '../../repository/keys-not-held.ts'
import { stillTrusting } from '../../repository/removed-keys.ts'
import { type HeldRole, toRenew } from '../../repository/renewal.ts'
import type { Repository } from '../../repository/repository.ts'
import { type PublishedStatus, readStatus } from '../../repository/status.ts'
import { rolesBelowRoot } from '../../tuf/names.ts'
import { jsonAnswer } from '../answer.ts'
import { shownTrouble } from '../errors.ts'
import type { Routes } from '../routes.ts'
import type { Handler, Service } from './handler.ts'

export const getStatus: Handler<Routes['getStatus']> = async (_, service) => {
  const repository = await withSigners(service)
  const { founding, waiting, awaited, published } = await readStatus(repository)
  const data = {
    bootstrap: { state: founding?.state, id: founding?.taskId },
    tasks: { waiting: waiting.count, more: waiting.more, oldest: waiting.oldest?.toISOString() },
    awaited_signatures: awaited,
    troubles: service.troubles?.().map(shownTrouble),
    ...(published && publishedStatus(published, repository.ports)),
  }
  return jsonAnswer(200, { data, message: 'Status.' })
}

/** Which roles the service signs itself is told from its keys, which a function that only answers does not have at hand. */
export async function withSigners({ repository, onlineKeys }: Service): Promise<Repository> {
  if (onlineKeys === undefined) return repository
  return { ...repository, ports: { ...repository.ports, signers: await onlineKeys() } }
}

function publishedStatus(status: PublishedStatus, { clock, signers }: Repository['ports']) {
  const now = clock.now()
  const { current, firstToExpire, root, signedOffline, rotation } = status
  const { entry, sha256, timestamp, snapshot, targets, parked, settings } = current
  const ends = Math.min(...[...firstToExpire, root, ...signedOffline].map(({ expires }) => expires.getTime()))
  const left = Math.floor((ends - now.getTime()) / 1000)
  return {
    commit: { number: entry.number, time: entry.time, head: sha256 },
    versions: {
      root: root.version,
      targets: targets.signed.version,
      snapshot: snapshot.signed.version,
      timestamp: timestamp.signed.version,
    },
    parked: parked.changes.length,
    bins: settings.bins && { number: settings.bins.number, delegation: settings.bins.delegation },
    expires: [
      ...firstToExpire.map(({ role, version, signed, expires }) => ({
        role,
        version,
        signed: signed.toISOString(),
        expires: expires.toISOString(),
      })),
      heldRole(root),
    ],
    signed_offline: signedOffline.map(heldRole),
    to_renew: toRenew(root, signedOffline, now).map(heldRole),
    keys_not_held: keysNotHeld(current, signers),
    removed_keys_trusted: stillTrusting(treeOfCurrent(current), current.signing, current.rotation.removed),
    clients: { served: settings.clients ?? defaultClients, warnings: warningsOfCurrent(current) },
    rotation: rotation && { compromised: rotation.compromised, ends: rotation.ends?.toISOString() },
    survives_seconds: Math.max(0, left),
  }
}

const heldRole = ({ role, version, expires }: HeldRole) => ({ role, version, expires: expires.toISOString() })

export const getKeys: Handler<Routes['getKeys']> = async (_, service) => {
  const repository = await withSigners(service)
  const { signers } = repository.ports
  const current = await readCurrent(repository)
  const online = { keyids: signers.slice(0, 1).map(({ keyid }) => keyid), threshold: 1 }
  const roles = rolesBelowRoot.map((role) => {
    const { keyids, threshold } = current?.root.signed.roles[role] ?? online
    return [role, { keyids, threshold }]
  })
  const keys = Object.fromEntries(signers.map(({ keyid, key }) => [keyid, key]))
  return jsonAnswer(200, { data: { keys, roles: Object.fromEntries(roles) }, message: 'Online keys.' })
}
