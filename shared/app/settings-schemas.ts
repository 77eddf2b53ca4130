import * as z from 'zod'
import type { ForceOnlineMetadataUpdateRequest, UpdateSettingsRequest } from '../repository/task.ts'
import { anyRoleName, days, dictionary, example } from './schemas.ts'

export const updateSettingsBody = z
  .object({ settings: z.object({ expiration: dictionary(anyRoleName, days).describe('Days by role.') }) })
  .transform(({ settings }): UpdateSettingsRequest => ({ kind: 'update_settings', expiration: settings.expiration }))
  .meta(example({ settings: { expiration: { timestamp: 1, bins: 30 } } }))

export const forceOnlineUpdateBody = z
  .object({
    roles: z.array(anyRoleName).describe('None: all that are signed online. `bins` is all hash bins.'),
  })
  .transform(({ roles }): ForceOnlineMetadataUpdateRequest => ({ kind: 'force_online_metadata_update', roles }))
  .meta(example({ roles: ['timestamp', 'bins'] }))
