import * as z from 'zod'

/** What the API answers to what it does not do. */

export const refusal = z
  .object({
    detail: z.object({
      message: z.string().optional(),
      error: z.string(),
      code: z.string().optional().describe('With a 503: what kind of trouble it is.'),
    }),
  })
  .meta({ id: 'Refusal' })

export const invalid = z
  .object({
    detail: z.array(
      z.object({
        type: z.string(),
        loc: z.array(z.union([z.string(), z.int()])),
        msg: z.string(),
        input: z.unknown().optional(),
      }),
    ),
  })
  .meta({ id: 'Invalid' })
