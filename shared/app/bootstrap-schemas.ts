import * as z from 'zod'
import { defaultDelegatedExpiration } from '../repository/settings.ts'
import type { BootstrapRequest, CustomRolesRequest, Predecessor } from '../repository/task.ts'
import { binDelegations } from '../tuf/bins.ts'
import { decodeSigned } from '../tuf/signed.ts'
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
  .transform(({ expiration, number_of_delegated_bins: number, delegation }) => ({
    expiration: { bins: expiration },
    delegations: { delegation, number },
  }))

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

/** A signed file inside JSON: as text it stays what it is to the byte. */
const rootFile = z.string().transform((text, context) =>
  orIssue(context, () => {
    decodeSigned('root', Buffer.from(text))
    return text
  }),
)

/** Clients that count in 32 bits have to get along with what comes after it. */
const highestVersion = 1_000_000_000

const predecessor = z
  .object({
    roots: z
      .array(rootFile)
      .min(1)
      .describe('The text of `1.root.json`, `2.root.json` and so on to the last one. They are served as they are.'),
    highest_version: wholeNumber(1, highestVersion).describe(
      'The highest version of all its other metadata: timestamp, snapshot, and whatever the snapshot names.',
    ),
  })
  .transform(({ roots, highest_version }): Predecessor => ({ roots, highestVersion: highest_version }))

export const bootstrapBody = z
  .object({
    settings: z.object({ roles, clients: optional(servedClients) }),
    metadata: z.object({ root: rootMetadata }),
    predecessor: optional(predecessor).describe(
      'A TUF repository that goes on here, so that its clients need no other root. The root is the next one after its last, signed as that one asks, too.',
    ),
    timeout: withDefault(wholeNumber(0), 300).describe('Taken because RSTUF sends it; nothing here times out.'),
  })
  .transform(
    ({ settings, metadata, predecessor }): BootstrapRequest => ({
      kind: 'bootstrap',
      root: metadata.root,
      ...settings.roles,
      ...(settings.clients && { clients: settings.clients }),
      ...(predecessor && { predecessor }),
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
