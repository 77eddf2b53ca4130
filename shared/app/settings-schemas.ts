import * as z from 'zod'
import { clientIds } from '../repository/clients.ts'
import type { ChangeBinsRequest, ForceOnlineMetadataUpdateRequest, UpdateSettingsRequest } from '../repository/task.ts'
import { numberOfBins } from './delegation-schemas.ts'
import { anyRoleName, days, dictionary, example, optional } from './schemas.ts'

export const servedClients = z
  .array(z.enum(clientIds))
  .min(1)
  .transform((ids) => clientIds.filter((id) => ids.includes(id)))
  .describe('The TUF clients that the deployment serves: what one of them could not read is refused, or warned about.')

const otherBins = z
  .object({ number_of_delegated_bins: numberOfBins })
  .transform(({ number_of_delegated_bins }) => number_of_delegated_bins)

export const updateSettingsBody = z
  .object({
    settings: z
      .object({
        expiration: optional(dictionary(anyRoleName, days)).describe('Days by role.'),
        clients: optional(servedClients),
        bins: optional(otherBins).describe(
          'Spreads the targets over another number of hash bins, with one commit. In a request of its own.',
        ),
      })
      .refine((settings) => Object.values(settings).some((part) => part !== undefined), {
        error: 'Has to hold what is to change: "expiration", "clients" or "bins".',
      })
      .refine(({ expiration, clients, bins }) => bins === undefined || (expiration ?? clients) === undefined, {
        error: 'The number of hash bins changes in a request of its own. Send "bins" alone.',
      }),
  })
  .transform(({ settings: { expiration = {}, clients, bins } }): UpdateSettingsRequest | ChangeBinsRequest => {
    if (bins !== undefined) return { kind: 'change_bins', number: bins }
    return { kind: 'update_settings', expiration, ...(clients && { clients }) }
  })
  .meta(example({ settings: { expiration: { timestamp: 1, bins: 30 }, clients: ['python-tuf', 'tuf-js', 'go-tuf'] } }))

export const forceOnlineUpdateBody = z
  .object({
    roles: z.array(anyRoleName).describe('None: all that are signed online. `bins` is all hash bins.'),
  })
  .transform(({ roles }): ForceOnlineMetadataUpdateRequest => ({ kind: 'force_online_metadata_update', roles }))
  .meta(example({ roles: ['timestamp', 'bins'] }))
