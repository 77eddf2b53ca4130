import type { Draft } from '../draft.ts'
import { setSigning } from '../draft.ts'
import { Refusal } from '../errors.ts'
import type { WaitingChange } from '../signing.ts'
import { changeOf, pendingOf, pendingTargets, withoutPending, withPending, withSignature } from '../signing.ts'
import type { RequestOf } from '../task.ts'
import { changeArtifacts, rolesForArtifacts } from './artifacts.ts'
import { changeDelegations, reroutedDetails, rolesForDelegations } from './delegations.ts'
import type { Operation, OperationContext, Outcome } from './operation.ts'
import { adoptIfComplete, checkForClients, checkNextRoot, rolesToSignFor, rootGroups } from './root-update.ts'
import { completeWaiting, withSignedMetadata } from './waiting.ts'

type Request = RequestOf<'sign_metadata'>

/** One signature more; the one that completes the metadata publishes it. */
export const signMetadata: Operation<'sign_metadata'> = {
  refusedMessage: 'Signature Failed',
  needs(draft, { role }) {
    if (role === 'root') return rolesToSignFor(draft, pendingOf(draft.signing, 'root', 'root')?.signed)
    const request = changeOf(draft.signing, role)?.request
    if (request === undefined) return []
    return request.kind === 'metadata_delegation'
      ? rolesForDelegations(draft, request)
      : rolesForArtifacts(draft, request)
  },
  apply(draft, request, context) {
    const update = request.role === 'root' ? signRoot(draft, request, context) : signTargets(draft, request, context)
    return { message: 'Signature Processed', details: update }
  },
}

function signRoot(draft: Draft, { role, signature }: Request, context: OperationContext): Outcome['details'] {
  const pending = pendingOf(draft.signing, 'root', 'root')
  if (pending === undefined) throw nothingWaits(role)
  // It was fit when it was submitted; it may have expired since, or the service have lost a key.
  checkNextRoot(draft, pending.signed, pending.compromised, context)
  const signed = withSignature(pending, signature, rootGroups(draft, pending.signed))
  checkForClients(draft, signed)
  if (adoptIfComplete(draft, signed, pending.compromised, context.signers))
    return { update: 'Metadata update finished' }
  setSigning(draft, withPending(draft.signing, role, signed, pending.compromised))
  return { update: `Root v${signed.signed.version} is pending signatures` }
}

function signTargets(draft: Draft, { role, signature }: Request, context: OperationContext): Outcome['details'] {
  const pending = pendingTargets(draft.signing, role)
  if (pending === undefined) throw nothingWaits(role)
  const metadata = withSignature(pending.metadata, signature, [pending.group])
  const completed = completeWaiting(draft, role, metadata, context, (trial, waiting) =>
    changeAgain(trial, waiting, context),
  )
  if (completed !== undefined) return { update: `Role ${role} signing complete`, ...completed.done }
  setSigning(draft, withSignedMetadata(draft, role, metadata))
  return { update: `Role ${role} v${metadata.signed.version} is pending signatures` }
}

/** Does what waited: for the task that asked for it, as far as it is noted. */
function changeAgain(trial: Draft, { request, taskId, principal }: WaitingChange, context: OperationContext) {
  const asked = { ...context, taskId, principal }
  if (request.kind === 'metadata_delegation') return reroutedDetails([changeDelegations(trial, request, asked)])
  changeArtifacts(trial, request, asked)
  return {}
}

const nothingWaits = (role: string) => new Refusal(`No metadata of role ${role} waits for signatures.`)

export const deleteSignMetadata: Operation<'delete_sign_metadata'> = {
  refusedMessage: 'Deletion of signing process failed',
  needs: () => [],
  apply(draft, { role }) {
    if (!Object.hasOwn(draft.signing.roles, role)) throw new Refusal(`No signing process for ${role}.`)
    setSigning(draft, withoutPending(draft.signing, role))
    return { message: `Deletion of ${role} metadata successful, signing process stopped`, details: {} }
  },
}
