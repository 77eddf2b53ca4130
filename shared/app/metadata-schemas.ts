import * as z from 'zod'
import type { DeleteSignMetadataRequest, MetadataUpdateRequest, SignMetadataRequest } from '../repository/task.ts'
import { signedFromJson } from '../tuf/signed.ts'
import { anyRoleName, example, orIssue, untouchedObject, withDefault } from './schemas.ts'

/** A root's whole file. That it is one is seen here; whether it may be the next one, only by the publisher. */
export const rootMetadata = untouchedObject(
  'A root metadata file, signed: `{"signatures": […], "signed": {…}}`.',
).transform((json, context) =>
  orIssue(context, () => {
    signedFromJson('root', json)
    return json
  }),
)

export const updateMetadataBody = z
  .object({
    metadata: z.object({ root: rootMetadata }),
    compromised: withDefault(z.boolean(), false).describe(
      'True: online keys that this root takes away are in the wrong hands, and stop signing at once.',
    ),
  })
  .transform(
    ({ metadata, compromised }): MetadataUpdateRequest => ({
      kind: 'metadata_update',
      root: metadata.root,
      compromised,
    }),
  )

const signature = z.object({
  keyid: z.string().min(1),
  sig: z.string().regex(/^([0-9a-fA-F]{2})+$/, 'Has to be a signature in hex digits.'),
})

export const signMetadataBody = z
  .object({ role: anyRoleName, signature })
  .transform(({ role, signature }): SignMetadataRequest => ({ kind: 'sign_metadata', role, signature }))
  .meta(example({ role: 'root', signature: { keyid: 'ab'.repeat(32), sig: 'ab'.repeat(64) } }))

export const deleteSignMetadataBody = z
  .object({ role: anyRoleName })
  .transform(({ role }): DeleteSignMetadataRequest => ({ kind: 'delete_sign_metadata', role }))
  .meta(example({ role: 'root' }))
