import * as z from 'zod'
import { defaultDelegatedExpiration } from '../repository/settings.ts'
import type { BootstrapRequest, CustomRolesRequest } from '../repository/task.ts'
import { binDelegations, hashBins } from '../tuf/bins.ts'
import { customRole, delegationKeys, numberOfBins } from './delegation-schemas.ts'
import { rootMetadata } from './metadata-schemas.ts'
import { days, example, optional, orIssue, wholeNumber, withDefault } from './schemas.ts'
import { servedClients } from './settings-schemas.ts'

const expiration = z.object({ expiration: days })

const bins = z
  .object({
    expiration: days,
    number_of_delegated_bins: numberOfBins,
    delegation: withDefault(z.enum(binDelegations), 'succinct_roles').describe(
      'How targets delegates to the bins: go-tuf v2 reads succinct_roles alone, tough and go-tuf v0 path_hash_prefixes alone.',
    ),
  })
  .transform(({ expiration, number_of_delegated_bins, delegation }, context) =>
    orIssue(context, () => {
      const { number } = hashBins(delegation, number_of_delegated_bins)
      return { expiration: { bins: expiration }, delegations: { delegation, number } }
    }),
  )

const expiringRole = customRole.extend({ 'x-rstuf-expire-policy': withDefault(days, defaultDelegatedExpiration) })

const delegations = z
  .object({ keys: withDefault(delegationKeys, {}), roles: z.array(expiringRole).min(1) })
  .transform(({ keys, roles }) => ({
    expiration: Object.fromEntries(roles.map((role) => [role.name, role['x-rstuf-expire-policy']])),
    delegations: {
      keys,
      roles: roles.map(({ 'x-rstuf-expire-policy': _, ...role }) => role),
    } satisfies CustomRolesRequest,
  }))

const roles = z
  .object({
    root: expiration,
    targets: expiration,
    snapshot: expiration,
    timestamp: expiration,
    bins: optional(bins),
    delegations: optional(delegations),
  })
  .transform(({ root, targets, snapshot, timestamp, bins, delegations }, context) => {
    const chosen = bins ?? delegations
    if (chosen === undefined || (bins !== undefined && delegations !== undefined)) {
      const message = 'Has to hold either "bins" or "delegations", and not both.'
      context.issues.push({ code: 'custom', message, input: context.value })
      return z.NEVER
    }
    const topLevel = {
      root: root.expiration,
      targets: targets.expiration,
      snapshot: snapshot.expiration,
      timestamp: timestamp.expiration,
    }
    return { expiration: { ...topLevel, ...chosen.expiration }, delegations: chosen.delegations }
  })

export const bootstrapBody = z
  .object({
    settings: z.object({ roles, clients: optional(servedClients) }),
    metadata: z.object({ root: rootMetadata }),
    timeout: withDefault(wholeNumber(0), 300).describe('Taken because RSTUF sends it; nothing here times out.'),
  })
  .transform(
    ({ settings, metadata }): BootstrapRequest => ({
      kind: 'bootstrap',
      root: metadata.root,
      ...settings.roles,
      ...(settings.clients && { clients: settings.clients }),
    }),
  )
  .meta(
    example({
      settings: {
        roles: {
          root: { expiration: 365 },
          targets: { expiration: 90 },
          snapshot: { expiration: 7 },
          timestamp: { expiration: 1 },
          bins: { expiration: 30, number_of_delegated_bins: 256 },
        },
      },
      metadata: { root: { signatures: [], signed: {} } },
    }),
  )
