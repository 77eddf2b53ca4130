import { InvalidArgumentError } from 'commander'
import { type ClientId, clientIds } from '../shared/repository/clients.ts'
import { hashBins, maximumBins } from '../shared/tuf/bins.ts'
import { TufError } from '../shared/tuf/errors.ts'
import { roleName, targetPath } from '../shared/tuf/names.ts'

/** Parsers for commander: each throws InvalidArgumentError that says what the value has to be. */

export function wholeNumber(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
    throw new InvalidArgumentError(`It has to be a whole number from ${minimum} to ${maximum}.`)
  }
}

export function numberOfBins(text: string): number {
  return checked(() => hashBins('succinct_roles', wholeNumber(2, maximumBins)(text)).number)
}

export const delegatedRole = (text: string): string => checked(() => roleName(text))

/** Each of several target paths. */
export function collectTargets(text: string, before: readonly string[] | undefined): string[] {
  return collect(
    checked(() => targetPath(text)),
    before,
  )
}

export function sha256Digest(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase()
  throw new InvalidArgumentError('It has to be 64 hex digits.')
}

function checked<Value>(check: () => Value): Value {
  try {
    return check()
  } catch (cause) {
    throw cause instanceof TufError ? new InvalidArgumentError(cause.message) : cause
  }
}

/** An option that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text]
}

export type Days = Readonly<Record<string, number>>

/** `role=days`, several times. */
export function collectDays(text: string, before: Days | undefined): Days {
  const match = /^([A-Za-z][\w-]*)=([1-9]\d{0,4})$/.exec(text)
  if (match === null) throw new InvalidArgumentError('It has to be role=days, such as timestamp=2.')
  const [, role = '', days] = match
  return { ...before, [role]: Number(days) }
}

/** TUF clients by name, with commas between them. */
export function clientList(text: string): ClientId[] {
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !clientIds.some((id) => id === name))
  if (unknown === undefined) return clientIds.filter((id) => names.includes(id))
  throw new InvalidArgumentError(
    `There is no client ${JSON.stringify(unknown)}. Write some of ${clientIds.join(',')}, with commas between them.`,
  )
}

/** For the help of commands that open keys: what `signers.ts` understands. */
export const keyNames = `A key is named by its file, or as
  kms:<key id, ARN or alias>  a KMS key, P-256 or RSA; region and credentials come from the environment
  pkcs11:<URI>                a key on a token or smart card, by its URI (RFC 7512), such as
                              'pkcs11:token=alice;object=root?module-path=/usr/lib/opensc-pkcs11.so'
A password or PIN is asked for, or read from --password-fd.`

/** Whether a variable of the environment turns off what is on if it is set. */
export function saysNo(variable: string): boolean {
  return ['', '0', 'false', 'no'].includes(process.env[variable]?.toLowerCase() ?? '')
}
