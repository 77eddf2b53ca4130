import { InvalidArgumentError } from 'commander'

/** Parsers for commander: each throws InvalidArgumentError that says what the value has to be. */

export function wholeNumber(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
    throw new InvalidArgumentError(`It has to be a whole number from ${minimum} to ${maximum}.`)
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
