import * as z from 'zod'
import { clientIds } from '../repository/clients.ts'
import type { ForceOnlineMetadataUpdateRequest, UpdateSettingsRequest } from '../repository/task.ts'
import { anyRoleName, days, dictionary, example, optional } from './schemas.ts'

export const servedClients = z
  .array(z.enum(clientIds))
  .min(1)
  .transform((ids) => clientIds.filter((id) => ids.includes(id)))
  .describe('The TUF clients that the deployment serves: what one of them could not read is refused, or warned about.')

export const updateSettingsBody = z
  .object({
    settings: z
      .object({
        expiration: optional(dictionary(anyRoleName, days)).describe('Days by role.'),
        clients: optional(servedClients),
      })
      .refine(({ expiration, clients }) => expiration !== undefined || clients !== undefined, {
        error: 'Has to hold what is to change: "expiration" or "clients".',
      }),
  })
  .transform(({ settings: { expiration = {}, clients } }): UpdateSettingsRequest => {
    return { kind: 'update_settings', expiration, ...(clients && { clients }) }
  })
  .meta(example({ settings: { expiration: { timestamp: 1, bins: 30 }, clients: ['python-tuf', 'tuf-js', 'go-tuf'] } }))

export const forceOnlineUpdateBody = z
  .object({
    roles: z.array(anyRoleName).describe('None: all that are signed online. `bins` is all hash bins.'),
  })
  .transform(({ roles }): ForceOnlineMetadataUpdateRequest => ({ kind: 'force_online_metadata_update', roles }))
  .meta(example({ roles: ['timestamp', 'bins'] }))
