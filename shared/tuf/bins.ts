import { hash } from 'node:crypto'
import { TufError } from './errors.ts'
import type { DelegatedRole, RoleKeys, SuccinctRoles } from './metadata.ts'
import { type RoleName, roleName } from './names.ts'

/** How hash bins are delegated to: in four fields (TAP 15), or by a list of hash prefixes for each bin. */
export const binDelegations = ['succinct_roles', 'path_hash_prefixes'] as const
export type BinDelegation = (typeof binDelegations)[number]

/** Hash bins: the targets spread over so many roles by the SHA-256 of their paths. */
export interface HashBins {
  readonly delegation: BinDelegation
  /** A power of two from 2 to 16,384. */
  readonly number: number
  readonly namePrefix: string
}

export const maximumBins = 16_384

/** Throws TufError 'invalid-metadata' for a number of bins that cannot be. */
export function hashBins(delegation: BinDelegation, number: number, namePrefix = 'bins'): HashBins {
  if (!Number.isInteger(Math.log2(number)) || number < 2 || number > maximumBins) {
    throw new TufError(
      'invalid-metadata',
      `The number of hash bins has to be a power of two from 2 to ${maximumBins}, not ${number}.`,
    )
  }
  roleName(`${namePrefix}-0`)
  return { delegation, number, namePrefix }
}

/** The bins in order; their names end in the bin's number, in as many hex digits as the last one needs. */
export function binNames(bins: HashBins): RoleName[] {
  return Array.from({ length: bins.number }, (_, bin) => binName(bins, bin))
}

/** The bin that a target belongs to: the first bits of the SHA-256 of its path. */
export function binOf(bins: HashBins, path: string): RoleName {
  const first32Bits = Number.parseInt(hash('sha256', path).slice(0, 8), 16)
  return binName(bins, Math.floor(first32Bits / 2 ** (32 - Math.log2(bins.number))))
}

/** Whether it is one of these bins. */
export function isBinOf(bins: HashBins, name: string): boolean {
  const bin = Number.parseInt(name.slice(bins.namePrefix.length + 1), 16)
  return bin >= 0 && bin < bins.number && name === binName(bins, bin)
}

/** Whether a hash bin of this prefix could have this name, however many bins there are. */
export function isBinName(namePrefix: string, name: string): boolean {
  return name.startsWith(`${namePrefix}-`) && /^[0-9a-f]{1,4}$/.test(name.slice(namePrefix.length + 1))
}

function binName(bins: HashBins, bin: number): RoleName {
  return `${bins.namePrefix}-${bin.toString(16).padStart(digitsOf(bins), '0')}` as RoleName
}

/** As many hex digits as the number of the last bin has. */
const digitsOf = ({ number }: HashBins) => (number - 1).toString(16).length

/** The bins in targets' delegations, all signed by the same keys. */
export function delegateBins(
  bins: HashBins,
  signers: RoleKeys,
): { roles: DelegatedRole[] } | { succinct_roles: SuccinctRoles } {
  const { keyids, threshold } = signers
  if (bins.delegation === 'succinct_roles') {
    return { succinct_roles: { bit_length: Math.log2(bins.number), keyids, name_prefix: bins.namePrefix, threshold } }
  }
  const digits = digitsOf(bins)
  const prefixesPerBin = 16 ** digits / bins.number
  const roles = binNames(bins).map((name, bin) => ({
    keyids,
    name,
    path_hash_prefixes: Array.from({ length: prefixesPerBin }, (_, offset) =>
      (bin * prefixesPerBin + offset).toString(16).padStart(digits, '0'),
    ),
    terminating: false,
    threshold,
  }))
  return { roles }
}
