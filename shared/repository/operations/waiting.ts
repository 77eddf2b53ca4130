import { canonicalText } from '../../tuf/canonical.ts'
import { expiresAt, expiresIn } from '../../tuf/expiry.ts'
import type { Targets } from '../../tuf/metadata.ts'
import { type Signed, unsigned } from '../../tuf/signed.ts'
import {
  adoptTrial,
  type Draft,
  NextCommit,
  roleOf,
  setSignedElsewhere,
  setSigning,
  treeOfDraft,
  trialOf,
} from '../draft.ts'
import { Refusal } from '../errors.ts'
import type { AskedChange } from '../parked.ts'
import type { Signer } from '../ports.ts'
import { expirationOf } from '../settings.ts'
import {
  artifactsThatWait,
  changeOf,
  isComplete,
  isPending,
  isSigned,
  pendingTargets,
  type WaitingChange,
  withoutPending,
  withWaiting,
} from '../signing.ts'
import { checkRoleSizes } from '../size-caps.ts'
import { canSign, signersOf } from '../tree.ts'
import type { OperationContext } from './operation.ts'

/** Whether the service signs this role itself; one that nobody delegates to yet counts as such. */
export function isOnline(draft: Draft, role: string, signers: readonly Signer[]): boolean {
  const group = signersOf(treeOfDraft(draft), role)
  return group === undefined || canSign(group, signers)
}

/** Whether what changes in this role becomes visible with the commit: the service signs it, and nothing of it waits. */
export function signsAtOnce(draft: Draft, role: string, signers: readonly Signer[]): boolean {
  return isOnline(draft, role, signers) && !isPending(draft.signing, role)
}

/** Throws a Refusal if metadata of this role waits for signatures: what it says now may be something else soon. */
export function refusePending(draft: Draft, role: string): void {
  if (!isPending(draft.signing, role)) return
  throw new Refusal(
    `Metadata of role ${role} waits for signatures. Sign it, or stop its signing (${howToStop(role)}), and try again.`,
  )
}

/**
 * What waits for the holders of this role, where changes of artifacts can be added to it; empty where nothing waits. Throws a
 * Refusal if something else does, or if a holder has signed: that signature is not to be lost.
 */
export function openChanges(draft: Draft, role: string, signers: readonly Signer[]): readonly AskedChange[] {
  const { signing } = draft
  const isOpen = changeOf(signing, role)?.request.kind === 'artifacts' && !isSigned(signing, role)
  if (!isOpen || isOnline(draft, role, signers)) refusePending(draft, role)
  return artifactsThatWait(signing, role)
}

/**
 * Makes a change. If the service cannot sign a role that it touches, nothing changes but that the metadata of these roles
 * waits for signatures, and with it the request, which is done as a whole when they are complete.
 * Returns the roles that wait.
 */
export function changeOrWait<Done>(
  draft: Draft,
  request: WaitingChange['request'],
  { taskId, principal, signers, now }: OperationContext,
  change: (trial: Draft) => Done,
): { readonly done: Done; readonly waiting: readonly string[] } {
  const trial = trialOf(draft)
  const done = change(trial)
  const waiting = offlineIn(trial, signers)
  if (waiting.length === 0) {
    adoptTrial(draft, trial)
    return { done, waiting }
  }
  // Before anybody is asked to sign it.
  checkRoleSizes(trial)
  const tree = treeOfDraft(trial)
  let { signing } = draft
  for (const role of waiting) {
    refusePending(draft, role)
    // Both would have the number of this commit as their version.
    if (draft.toSign.has(role)) throw new NextCommit(`Role ${role} is signed online in this commit.`)
    const group = signersOf(tree, role)
    if (group === undefined) throw new Error(`Nothing delegates to role ${role}.`)
    const expires = expiresIn(now, expirationOf(trial.settings, role))
    // The commit gives it its number.
    const metadata = unsigned({ ...roleOf(trial, role), version: 1, expires })
    const { keyids, threshold } = group.roleKeys
    const keys = Object.fromEntries([...group.keys].filter(([keyid]) => keyids.includes(keyid)))
    const waits = { request, taskId, principal, roles: waiting, signers: { keyids, threshold }, keys }
    signing = withWaiting(signing, role, metadata, waits)
  }
  setSigning(draft, signing)
  for (const role of waiting) draft.waiting.add(role)
  return { done, waiting }
}

function offlineIn(draft: Draft, signers: readonly Signer[]): string[] {
  const tree = treeOfDraft(draft)
  return [...draft.toSign].filter((role) => !canSign(signersOf(tree, role), signers))
}

/**
 * Makes the change that waits for this role, now that `metadata` is signed, unless another role that waits with it is not.
 * `change` does its request again: things may have changed since, and then what was signed is of no use any more.
 * Returns what the change returns, or nothing if signatures are missing.
 */
export function completeWaiting<Done>(
  draft: Draft,
  role: string,
  metadata: Signed<Targets>,
  { signers, now }: OperationContext,
  change: (trial: Draft, waiting: WaitingChange) => Done,
): { readonly done: Done } | undefined {
  const signing = withSignedMetadata(draft, role, metadata)
  const waiting = changeOf(signing, role)
  const members = (waiting?.roles ?? []).map((name) => ({ name, pending: pendingTargets(signing, name) }))
  if (
    waiting === undefined ||
    !members.every(({ pending }) => pending && isComplete(pending.metadata, [pending.group]))
  )
    return undefined
  const trial = trialOf(draft)
  setSigning(trial, withoutPending(signing, role))
  const done = change(trial, waiting)
  for (const { name, pending } of members) {
    if (pending === undefined) continue
    if (draft.toSign.has(name)) throw new NextCommit(`Role ${name} is signed online in this commit.`)
    checkStillGood(trial, name, pending.metadata, now)
    setSignedElsewhere(trial, name, pending.metadata)
  }
  if (offlineIn(trial, signers).length > 0) throw outdated(role)
  adoptTrial(draft, trial)
  return { done }
}

/** What waits, with this role's metadata as it is signed now. */
export function withSignedMetadata(draft: Draft, role: string, metadata: Signed<Targets>) {
  const change = changeOf(draft.signing, role)
  return change === undefined ? draft.signing : withWaiting(draft.signing, role, metadata, change)
}

function checkStillGood(trial: Draft, role: string, { signed }: Signed<Targets>, now: Date): void {
  if (expiresAt(signed) <= now) {
    throw new Refusal(`What waits of role ${role} expired at ${signed.expires}. ${startAgain(role)}`)
  }
  const content = ({ version: _, expires: __, ...rest }: Targets) => canonicalText(rest)
  const published = trial.published.get(role)?.signed.version ?? 0
  const wanted = trial.toSign.has(role) && content(roleOf(trial, role)) === content(signed)
  if (!wanted || published >= signed.version) throw outdated(role)
}

function outdated(role: string): Refusal {
  return new Refusal(`The repository has changed since the metadata of role ${role} was drafted. ${startAgain(role)}`)
}

const startAgain = (role: string) => `Stop the signing of ${role} (${howToStop(role)}) and send the request again.`

const howToStop = (role: string) => `POST /api/v1/metadata/sign/delete, or tuffet delegation cancel ${role}`
