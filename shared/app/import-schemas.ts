import * as z from 'zod'
import { bulkFormats } from '../repository/bulk/bulk.ts'
import { example, optional, wholeNumber, withDefault } from './schemas.ts'

const sha256 = z
  .string()
  .transform((digest) => digest.toLowerCase())
  .refine((digest) => /^[0-9a-f]{64}$/.test(digest), { error: 'Has to be 64 hex digits.' })

export const postImportsBody = z
  .object({
    format: z
      .enum(bulkFormats)
      .describe(
        'csv: lines of path;length;algorithm;digest. jsonl: lines of JSON, each like an element of "artifacts" of POST /artifacts.',
      ),
    bytes: optional(wholeNumber(0)).describe('Of the file. If it is announced, nothing of another length is taken.'),
    sha256: optional(sha256).describe('Of the file. If it is announced, nothing else is taken.'),
  })
  .meta(example({ format: 'csv', bytes: 134_337_890, sha256: '0'.repeat(64) }))

/** All of it may be left out, and so may the body. */
export const postImportBody = z
  .object({
    skip_invalid: withDefault(z.boolean(), false).describe(
      'True: lines that are broken are left out, and the result lists the first of them. False: one broken line, and nothing is published.',
    ),
    add_task_id_to_custom: withDefault(z.boolean(), false),
  })
  .prefault({})
  .meta(example({ skip_invalid: true }))

export const importParameters = z.object({ id: z.string().describe('The `import_id` that POST /imports gave.') })
