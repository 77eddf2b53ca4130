import { setSigning } from '../draft.ts'
import { Refusal } from '../errors.ts'
import { pendingOf, withoutPending, withPending, withSignature } from '../signing.ts'
import type { Operation } from './operation.ts'
import { adoptIfComplete, rolesToSignFor, rootGroups } from './root-update.ts'

/** One signature more; the one that completes the metadata publishes it. */
export const signMetadata: Operation<'sign_metadata'> = {
  refusedMessage: 'Signature Failed',
  needs: (draft, { role }) =>
    role === 'root' ? rolesToSignFor(draft, pendingOf(draft.signing, 'root', 'root')?.signed) : [],
  apply(draft, { role, signature }) {
    const pending = role === 'root' ? pendingOf(draft.signing, 'root', 'root') : undefined
    if (pending === undefined) throw new Refusal(`No metadata of role ${role} waits for signatures.`)
    const signed = withSignature(pending, signature, rootGroups(draft, pending.signed))
    if (adoptIfComplete(draft, signed, pending.compromised)) {
      return { message: 'Signature Processed', details: { update: 'Metadata update finished' } }
    }
    setSigning(draft, withPending(draft.signing, role, signed, pending.compromised))
    return {
      message: 'Signature Processed',
      details: { update: `Root v${signed.signed.version} is pending signatures` },
    }
  },
}

export const deleteSignMetadata: Operation<'delete_sign_metadata'> = {
  refusedMessage: 'Deletion of signing process failed',
  needs: () => [],
  apply(draft, { role }) {
    if (!Object.hasOwn(draft.signing.roles, role)) throw new Refusal(`No signing process for ${role}.`)
    setSigning(draft, withoutPending(draft.signing, role))
    return { message: `Deletion of ${role} metadata successful, signing process stopped`, details: {} }
  },
}
