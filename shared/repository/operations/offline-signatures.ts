import { type Draft, setSigning } from '../draft.ts'
import { Refusal } from '../errors.ts'
import {
  changeOf,
  isPending,
  pendingOf,
  pendingTargets,
  type WaitingChange,
  withoutPending,
  withPending,
  withSignature,
} from '../signing.ts'
import type { RequestOf } from '../task.ts'
import { changeArtifacts, rolesForChanges } from './artifacts.ts'
import { changeDelegations, isRenewalBelow, reroutedDetails, rolesForDelegations } from './delegations.ts'
import type { Operation, OperationContext, Outcome } from './operation.ts'
import { adoptIfComplete, checkForClients, checkNextRoot, rootGroups } from './root-update.ts'
import { resigning } from './signed-as-they-are.ts'
import { completeWaiting, withSignedMetadata } from './waiting.ts'

type Request = RequestOf<'sign_metadata'>

const newKeys = resigning<'sign_metadata'>(sign, (draft, { role }) => givesKeys(draft, role))

/** One signature more; the one that completes the metadata publishes it. */
export const signMetadata: Operation<'sign_metadata'> = {
  refusedMessage: 'Signature Failed',
  needs(draft, request, context) {
    const waiting = changeOf(draft.signing, request.role)?.request
    if (request.role === 'root' || (waiting?.kind === 'metadata_delegation' && isRenewalBelow(waiting)))
      return newKeys.needs(draft, request, context)
    if (waiting === undefined) return []
    return waiting.kind === 'metadata_delegation'
      ? rolesForDelegations(draft, waiting)
      : rolesForChanges(draft, waiting.changes)
  },
  long: newKeys.long,
  apply: sign,
}

function sign(draft: Draft, request: Request, context: OperationContext): Outcome {
  const signed = request.role === 'root' ? signRoot(draft, request, context) : signTargets(draft, request, context)
  return { message: 'Signature Processed', ...signed }
}

/** Whether what waits of this role may give other online keys to roles whose content stays, with time to do it. */
function givesKeys(draft: Draft, role: string): boolean {
  if (role === 'root') return isPending(draft.signing, role) && draft.signing.roles[role]?.compromised !== true
  const request = changeOf(draft.signing, role)?.request
  return request?.kind === 'metadata_delegation' && isRenewalBelow(request)
}

function signRoot(draft: Draft, { role, signature }: Request, context: OperationContext): Omit<Outcome, 'message'> {
  const pending = pendingOf(draft.signing, 'root', 'root')
  if (pending === undefined) throw nothingWaits(role)
  // It was fit when it was submitted; it may have expired since, or the service have lost a key.
  checkNextRoot(draft, pending.signed, pending.compromised, context)
  const signed = withSignature(pending, signature, rootGroups(draft, pending.signed))
  checkForClients(draft, signed)
  const adopted = adoptIfComplete(draft, signed, pending.compromised, context.signers)
  if (adopted !== undefined) return { details: { update: 'Metadata update finished' }, ...adopted }
  setSigning(draft, withPending(draft.signing, role, signed, pending.compromised))
  return { details: { update: `Root v${signed.signed.version} is pending signatures` } }
}

function signTargets(draft: Draft, { role, signature }: Request, context: OperationContext): Omit<Outcome, 'message'> {
  const pending = pendingTargets(draft.signing, role)
  if (pending === undefined) throw nothingWaits(role)
  const metadata = withSignature(pending.metadata, signature, [pending.group])
  const completed = completeWaiting(draft, role, metadata, context, (trial, waiting) =>
    changeAgain(trial, waiting, context),
  )
  if (completed !== undefined) return { details: { update: `Role ${role} signing complete`, ...completed.done } }
  setSigning(draft, withSignedMetadata(draft, role, metadata))
  return { details: { update: `Role ${role} v${metadata.signed.version} is pending signatures` } }
}

/** Does what waited: delegations for the task that asked for it. */
function changeAgain(trial: Draft, { request, taskId, principal }: WaitingChange, context: OperationContext) {
  if (request.kind === 'artifacts') {
    changeArtifacts(trial, request.changes)
    return {}
  }
  const asked = { ...context, taskId, principal }
  return reroutedDetails([changeDelegations(trial, request, asked)])
}

const nothingWaits = (role: string) => new Refusal(`No metadata of role ${role} waits for signatures.`)

export const deleteSignMetadata: Operation<'delete_sign_metadata'> = {
  refusedMessage: 'Deletion of signing process failed',
  needs: () => [],
  apply(draft, { role }) {
    if (!isPending(draft.signing, role)) throw new Refusal(`No signing process for ${role}.`)
    setSigning(draft, withoutPending(draft.signing, role))
    return { message: `Deletion of ${role} metadata successful, signing process stopped`, details: {} }
  },
}
