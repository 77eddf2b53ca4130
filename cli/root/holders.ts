import type { Signer } from '../../shared/repository/ports.ts'
import { hasIdentity, keyIdentity } from '../../shared/tuf/keys.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import type { Signed } from '../../shared/tuf/signed.ts'
import { goodSignatures } from '../../shared/tuf/threshold.ts'
import { plural, table } from '../table.ts'

/** A key that may sign a root, and for whom it counts: the root before, or the new one itself. */
export interface Holder {
  readonly keyid: string
  /** As RSTUF's users name keys. */
  readonly name?: string
  readonly countsFor: readonly ('current' | 'next')[]
  readonly signed: boolean
}

/** How far the signatures of a root have come. */
export interface Standing {
  readonly version: number
  readonly holders: readonly Holder[]
  /** Signatures that the root before asks for still (none for the first root), and the new one. */
  readonly missing: { readonly current: number; readonly next: number }
}

/** The signer, under the keyid that these roots have for its key: other tools spell keys, and name them, otherwise. Nothing if none has it. */
export function asHolder(signer: Signer, roots: readonly Root[]): Signer | undefined {
  const identity = keyIdentity(signer.key)
  for (const { roles, keys } of roots)
    for (const keyid of roles.root.keyids) {
      const key = keys.get(keyid)
      if (key !== undefined && hasIdentity(key, identity)) return { keyid, key, sign: (bytes) => signer.sign(bytes) }
    }
  return undefined
}

export function standingOf(current: Root | undefined, next: Signed<Root>): Standing {
  const { signed, signedBytes, signatures } = next
  const good = (root: Root | undefined) =>
    root === undefined ? [] : goodSignatures(root.roles.root, root.keys, signedBytes, signatures)
  const [byCurrent, byNext] = [good(current), good(signed)]
  const lacking = (root: Root | undefined, found: readonly string[]) =>
    Math.max(0, (root?.roles.root.threshold ?? 0) - found.length)
  const keyids = new Set([...(current?.roles.root.keyids ?? []), ...signed.roles.root.keyids])
  return {
    version: signed.version,
    holders: [...keyids].map((keyid) => {
      const name = nameOf(signed, keyid) ?? nameOf(current, keyid)
      const inCurrent = current?.roles.root.keyids.includes(keyid) ? (['current'] as const) : []
      const inNext = signed.roles.root.keyids.includes(keyid) ? (['next'] as const) : []
      const has = byCurrent.includes(keyid) || byNext.includes(keyid)
      return { keyid, ...(name !== undefined && { name }), countsFor: [...inCurrent, ...inNext], signed: has }
    }),
    missing: { current: lacking(current, byCurrent), next: lacking(signed, byNext) },
  }
}

export function nameOf(root: Root | undefined, keyid: string): string | undefined {
  const name = root?.keys.get(keyid)?.['x-rstuf-key-name']
  return typeof name === 'string' ? name : undefined
}

export const isSigned = ({ missing }: Standing) => missing.current === 0 && missing.next === 0

/** Who has signed, and who may still; then what is missing. */
export function describeStanding(standing: Standing): string {
  const rows = standing.holders.map(({ keyid, name = '', countsFor, signed }) => {
    return [`  ${signed ? 'signed' : 'not yet'}`, keyid, name, countsFor.length === 2 ? '' : onlyIn(countsFor[0])]
  })
  return [table(rows), '', missingIn(standing)].join('\n')
}

const onlyIn = (group: 'current' | 'next' | undefined) => (group === 'next' ? 'new' : 'on its way out')

export function missingIn({ missing, version, holders }: Standing): string {
  const most = Math.max(missing.current, missing.next)
  if (most === 0) return `Root version ${version} has all its signatures.`
  const one = holders.every(({ countsFor }) => countsFor.includes('current') === countsFor.includes('next'))
  const first = holders.every(({ countsFor }) => !countsFor.includes('current'))
  if (one || first) return `Root version ${version} needs ${plural(most, 'more signature')}.`
  const wanted = [
    ...(missing.current > 0 ? [`${missing.current} more of the current root's holders`] : []),
    ...(missing.next > 0 ? [`${missing.next} more of its own`] : []),
  ]
  return `Root version ${version} needs ${wanted.join(' and ')}; who is both counts for both.`
}
