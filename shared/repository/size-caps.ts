import type { Targets } from '../tuf/metadata.ts'
import { unsigned } from '../tuf/signed.ts'
import { capOf, isNear, missingSignatures, refuseTooLarge, sizeWarnings } from './client-rules.ts'
import { servedClients } from './clients.ts'
import { type Draft, treeOfDraft } from './draft.ts'
import { signersOf } from './tree.ts'

/** Digits of a version, and of an ECDSA signature, that a file may have more than the one before. */
const slack = 64

/**
 * Throws a Refusal if a role that has changed since the last look grows past what a served client can read. Returns warnings of
 * those that come near.
 */
export function checkRoleSizes(draft: Draft): string[] {
  const { known, changed } = draft.sizes
  if (changed.size === 0) return []
  const served = servedClients(draft.settings.clients)
  const cap = capOf(served, 'targets')
  const measure = measuring(draft)
  const close: { name: string; bytes: number }[] = []
  for (const role of changed) {
    if (!draft.toSign.has(role) && !draft.signed.has(role)) continue
    const bytes = known.get(role) ?? measure(role)
    known.set(role, bytes)
    if (!isNear(bytes + slack, cap)) continue
    // What has come past a cap, because other clients are served now, may get smaller at any rate.
    if (bytes > (draft.published.get(role)?.bytes.length ?? 0))
      refuseTooLarge(served, 'targets', { name: `role ${role}`, bytes: bytes + slack })
    close.push({ name: `role ${role}`, bytes })
  }
  changed.clear()
  return sizeWarnings(served, 'targets', close)
}

function measuring(draft: Draft) {
  const tree = treeOfDraft(draft)
  // Empty hash bins are one and the same object, however many there are.
  const measured = new Map<Targets, number>()
  return (role: string): number => {
    const content = draft.roles.get(role)
    if (content === undefined) return 0
    const file = measured.get(content) ?? unsigned(content).bytes.length
    measured.set(content, file)
    const group = signersOf(tree, role)
    return group === undefined ? file : file + missingSignatures({ signatures: [] }, group)
  }
}

/** More than these is for nobody to read. */
const mostNoted = 100

/** The roles that come near a cap, with their bytes: those that have changed, and those of `before` that have not. */
export function rolesNearCaps(
  draft: Draft,
  before: Readonly<Record<string, number>> = {},
): Readonly<Record<string, number>> | undefined {
  const cap = capOf(servedClients(draft.settings.clients), 'targets')
  const all = new Map([...Object.entries(before), ...draft.sizes.known])
  const close = [...all].filter(([, bytes]) => isNear(bytes, cap))
  if (close.length === 0) return undefined
  const tree = treeOfDraft(draft)
  const there = close.filter(([role]) => signersOf(tree, role) !== undefined)
  return Object.fromEntries(there.sort(([, one], [, other]) => other - one).slice(0, mostNoted))
}
