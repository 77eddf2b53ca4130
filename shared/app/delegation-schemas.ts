import * as z from 'zod'
import type { CustomRole, MetadataDelegationRequest, UploadDelegatedMetadataRequest } from '../repository/task.ts'
import { binDelegations, hashBins, maximumBins } from '../tuf/bins.ts'
import { type Key, keyid, publicKeyOf } from '../tuf/keys.ts'
import { pathPattern, type RoleName } from '../tuf/names.ts'
import { signedFromJson } from '../tuf/signed.ts'
import {
  anyRoleName,
  days,
  decoded,
  delegatedRoleName,
  dictionary,
  example,
  optional,
  orIssue,
  untouchedObject,
  wholeNumber,
  withDefault,
} from './schemas.ts'

/** What metadata holds of a key. RSTUF sends more (`x-rstuf-…`), which is ours to read and nobody's to publish. */
const key = z
  .object({ keytype: z.string(), scheme: z.string(), keyval: z.object({ public: z.string() }) })
  .transform((key, context) =>
    orIssue(context, (): Key => {
      publicKeyOf(key)
      return key
    }),
  )
  .meta({ id: 'Key' })

export const delegationKeys = dictionary(z.string(), key).check((context) => {
  for (const [id, key] of Object.entries(context.value)) {
    if (keyid(key) === id) continue
    const message = `The keyid of this key is ${keyid(key)}: the SHA-256 of its canonical JSON. Name it by that.`
    context.issues.push({ code: 'custom', message, path: [id], input: id })
  }
})

/** How targets delegates to a role; a bootstrap says no more of one than this. */
export const customRole = z.object({
  name: delegatedRoleName,
  terminating: withDefault(z.boolean(), false),
  keyids: withDefault(z.array(z.string()), []).describe('None: signed by the online key of the service.'),
  threshold: withDefault(wholeNumber(1), 1),
  paths: z.array(decoded(pathPattern)).min(1).describe('`*` and `?` match within one segment of a path.'),
})

export const numberOfBins = wholeNumber(2, maximumBins)
  .check((context) => {
    // Out of range it is refused already.
    if (context.issues.length === 0) orIssue(context, () => hashBins('succinct_roles', context.value))
  })
  .meta({ description: 'A power of two.' })

const innerBins = z
  .object({ number_of_delegated_bins: numberOfBins, delegation: withDefault(z.enum(binDelegations), 'succinct_roles') })
  .transform(({ number_of_delegated_bins: number, delegation }) => ({ number, delegation }))

const placedRole = customRole
  .extend({
    'x-rstuf-expire-policy': optional(days),
    before: optional(z.array(delegatedRoleName)).describe('Clients ask it before the first of these that is there.'),
    bins: optional(innerBins).describe('Hash bins inside it, signed online.'),
  })
  .transform(({ 'x-rstuf-expire-policy': expiration, before, bins, ...role }): CustomRole => {
    return { ...role, ...(expiration && { expiration }), ...(before && { before }), ...(bins && { bins }) }
  })

const delegationsOf = (action: 'add' | 'update') =>
  z
    .object({
      delegations: z.object({ keys: withDefault(delegationKeys, {}), roles: z.array(placedRole).min(1) }),
      remove_artifacts: withDefault(z.boolean(), false).describe(
        'True: artifacts that no role would be trusted with any more are removed, instead of the request being refused.',
      ),
    })
    .transform(
      ({ delegations, remove_artifacts }): MetadataDelegationRequest => ({
        kind: 'metadata_delegation',
        action,
        ...delegations,
        removeArtifacts: remove_artifacts,
      }),
    )
    .meta(
      example({
        delegations: {
          keys: {},
          roles: [{ name: 'project-a', terminating: true, keyids: [], threshold: 1, paths: ['project-a/*'] }],
        },
      }),
    )

export const addDelegationsBody = delegationsOf('add')
export const updateDelegationsBody = delegationsOf('update')

export const deleteDelegationsBody = z
  .object({ delegations: z.object({ roles: z.array(z.object({ name: delegatedRoleName })).min(1) }) })
  .transform(
    ({ delegations }): MetadataDelegationRequest => ({
      kind: 'metadata_delegation',
      action: 'delete',
      names: [...new Set(delegations.roles.map(({ name }) => name))],
    }),
  )
  .meta(example({ delegations: { roles: [{ name: 'project-a' }] } }))

export const renewDelegationsBody = z
  .object({
    roles: withDefault(z.array(anyRoleName), []).describe(
      'Roles that are signed offline, `targets` too. None: what the service signs below such roles gets its current keys.',
    ),
  })
  .transform(
    ({ roles }): MetadataDelegationRequest => ({
      kind: 'metadata_delegation',
      action: 'renew',
      names: [...new Set(roles)],
    }),
  )
  .meta(example({ roles: ['project-a'] }))

export const delegatedMetadataBody = z.object({
  metadata: untouchedObject('The whole file of the role, signed: `{"signatures": […], "signed": {…}}`.').transform(
    (json, context) =>
      orIssue(context, () => {
        signedFromJson('targets', json)
        return json
      }),
  ),
})

export function uploadOf(
  role: RoleName,
  { metadata }: z.output<typeof delegatedMetadataBody>,
): UploadDelegatedMetadataRequest {
  return { kind: 'upload_delegated_metadata', role, metadata }
}
