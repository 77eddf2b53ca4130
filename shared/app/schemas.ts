import * as z from 'zod'
import { maximumDays } from '../repository/settings.ts'
import { TufError } from '../tuf/errors.ts'
import type { JsonObject } from '../tuf/json.ts'
import { isTopLevel, type RoleName, roleName } from '../tuf/names.ts'

/**
 * What the bodies of the API are made of. A schema takes what was sent and gives what the repository works with, so what
 * has been through one needs no further look; the OpenAPI document is made from the same schemas.
 */

/** A whole number; one that was sent as a string of digits counts too. */
export function wholeNumber(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  const message = `Has to be a whole number from ${minimum} to ${maximum}, written in digits.`
  const digits = (value: unknown) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value)
  return z.preprocess(digits, z.int({ error: message }).min(minimum, message).max(maximum, message))
}

/** May be left out, and `null` is the same as that. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform((value) => value ?? undefined)
}

export function withDefault<Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>) {
  return schema
    .nullish()
    .transform((sent) => sent ?? value)
    .meta({ override: { default: value } })
}

/** An example for the reader of the contract. Zod itself leaves out those of schemas that turn what was sent into something else. */
export const example = (value: object) => ({ override: { examples: [value] } })

/** Names that a dictionary can have: more keys than that are no body's. Zod looks at each name, however many are wrong. */
const maximumNames = 50_000

/** An object whose keys somebody else chooses; `__proto__`, which zod leaves out of objects, is refused. */
export function dictionary<Key extends z.ZodType<string, string>, Value extends z.ZodType>(key: Key, value: Value) {
  return z.preprocess(
    (sent, context) => {
      const refuse = (message: string) => context.issues.push({ code: 'custom', message, input: sent })
      if (typeof sent !== 'object' || sent === null) return sent
      if (Object.hasOwn(sent, '__proto__')) refuse('No key here can be "__proto__". Leave it out.')
      if (Object.keys(sent).length > maximumNames) refuse(`Has more than ${maximumNames} names. Send fewer of them.`)
      return sent
    },
    z.record(key, value),
  )
}

/** A string that becomes something which cannot be wrong, or an issue that says what TufError said. */
export function decoded<Value>(decode: (text: string) => Value) {
  return z.string().transform((text, context) => orIssue(context, () => decode(text)))
}

/** The value, or an issue of the request if a TufError is thrown. */
export function orIssue<Input, Value>(context: z.core.ParsePayload<Input>, decode: () => Value): Value {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof TufError)) throw error
    context.issues.push({ code: 'custom', message: error.message, input: context.value })
    return z.NEVER
  }
}

/** JSON that goes on as it was sent, field by field: copying it would drop `__proto__` and break what is signed. */
export function untouchedObject(description: string) {
  return z
    .custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), {
      error: 'Has to be an object.',
    })
    .meta({ description, override: { type: 'object', additionalProperties: true } })
}

export const days = wholeNumber(1, maximumDays).meta({ description: 'Days from signature to expiry.' })

export const delegatedRoleName = decoded(roleName)

/** A role as a request names it: a top-level one, `bins` for all hash bins, or a delegated one. */
export const anyRoleName = decoded((text): string => (isTopLevel(text) ? text : (roleName(text) satisfies RoleName)))
