import { TufError } from '../../tuf/errors.ts'
import { parseJson } from '../../tuf/json.ts'
import type { RoleKeys, Root } from '../../tuf/metadata.ts'
import { checkRoot } from '../../tuf/root.ts'
import { type Signed, signedFromJson } from '../../tuf/signed.ts'
import { checkRootFor } from '../client-rules.ts'
import { servedClients } from '../clients.ts'
import { schemaVersion } from '../documents.ts'
import {
  type Draft,
  delegatedRoles,
  roleOf,
  setRoot,
  setRotation,
  setSigning,
  signAgain,
  treeOfDraft,
} from '../draft.ts'
import { Refusal } from '../errors.ts'
import type { Signer } from '../ports.ts'
import { delegatorsOf } from '../settings.ts'
import {
  isComplete,
  isPending,
  pendingOf,
  type SigningGroup,
  withGoodSignatures,
  withoutPending,
  withPending,
} from '../signing.ts'
import type { RequestOf } from '../task.ts'
import { canSign, onlineGroup, signersOf } from '../tree.ts'
import { giveKeys } from './delegate.ts'
import type { Operation, OperationContext } from './operation.ts'
import { checkExpiry, checkHeld, checkOnlineKeys } from './root-rules.ts'

const onlineRoles = ['targets', 'snapshot', 'timestamp'] as const

export const metadataUpdate: Operation<'metadata_update'> = {
  refusedMessage: 'Metadata Update Failed',
  needs: (draft, request) => rolesToSignFor(draft, rootIn(request)?.signed),
  apply(draft, request, context) {
    const submitted = refuseTufErrors(() => signedFromJson('root', request.root))
    // Without the key of the timestamp nothing can be decided but a complete root, so one that is not must not stand in its way.
    if (pendingOf(draft.signing, 'root', 'root') !== undefined && signsTimestamp(draft.root.signed, context.signers)) {
      throw new Refusal('Another root waits for signatures. Sign it, or stop its signing first.')
    }
    checkNextRoot(draft, submitted.signed, request.compromised, context)
    const root = withGoodSignatures(submitted, rootGroups(draft, submitted.signed))
    const warnings = checkForClients(draft, root)
    if (adoptIfComplete(draft, root, request.compromised, context.signers)) {
      return { message: 'Metadata Update Processed', details: { role: 'root' }, warnings }
    }
    setSigning(draft, withPending(draft.signing, 'root', root, request.compromised))
    const update = `Root v${root.signed.version} is pending signatures`
    return { message: 'Metadata Update Processed', details: { role: 'root', update }, warnings }
  },
}

/** Those who have to sign the next root: as the current one asks, and as it asks itself. */
export function rootGroups(draft: Draft, next: Root): SigningGroup[] {
  return [draft.root.signed, next].map(({ roles, keys }) => ({ roleKeys: roles.root, keys }))
}

/** Throws a Refusal if a client that is served could not read this root. Returns warnings. */
export function checkForClients(draft: Draft, root: Signed<Root>): string[] {
  const served = servedClients(draft.settings.clients)
  return checkRootFor(served, root, rootGroups(draft, root.signed), draft.root.signed)
}

/** Makes the root the current one if its signatures are complete; says whether they are. */
export function adoptIfComplete(
  draft: Draft,
  root: Signed<Root>,
  compromised: boolean,
  signers: readonly Signer[],
): boolean {
  if (!isComplete(root, rootGroups(draft, root.signed))) return false
  const before = draft.root
  setRoot(draft, root)
  setSigning(draft, withoutPending(draft.signing, 'root'))
  if (onlineKeysChange(before.signed, root.signed)) {
    setRotation(draft, { schema: schemaVersion, previousRoot: parseJson(before.bytes), compromised })
    giveOnlineKeys(
      draft,
      oldOnlineKeys(before.signed, root.signed, signers),
      onlineGroup(root.signed, signers),
      signers,
    )
  }
  return true
}

/** The roles below targets that are signed anew if this root becomes the current one. */
export function rolesToSignFor(draft: Draft, next: Root | undefined): string[] {
  return next !== undefined && onlineKeysChange(draft.root.signed, next) ? delegatedRoles(draft) : []
}

/**
 * Delegated roles that the old online keys sign are delegated to the new ones and signed by them, in the same commit:
 * the snapshot holds both together, so no client ever sees one without the other. What a role that is signed offline
 * delegates to keeps its keys: only its holders can change them.
 */
function giveOnlineKeys(
  draft: Draft,
  old: ReadonlySet<string>,
  online: SigningGroup,
  signers: readonly Signer[],
): void {
  const isOnline = (role: RoleKeys) => role.keyids.every((keyid) => old.has(keyid))
  signAgain(draft, 'snapshot')
  for (const delegator of delegatorsOf(draft.settings)) {
    const { delegations } = roleOf(draft, delegator)
    // From above to below: who signs this one has been decided.
    if (delegations === undefined || !canSign(signersOf(treeOfDraft(draft), delegator), signers)) continue
    signAgain(draft, delegator)
    giveKeys(draft, delegator, delegations, online, isOnline)
  }
}

/** What the service signed with, maybe without holding it any more. */
function oldOnlineKeys({ roles, keys }: Root, next: Root, signers: readonly Signer[]): Set<string> {
  const wasOnline = canSign({ roleKeys: roles.targets, keys }, signers) || signsTargets(next, signers)
  return new Set([...roles.snapshot.keyids, ...(wasOnline ? roles.targets.keyids : [])])
}

const signsTimestamp = ({ roles, keys }: Root, signers: readonly Signer[]) =>
  canSign({ roleKeys: roles.timestamp, keys }, signers)

const signsTargets = ({ roles, keys }: Root, signers: readonly Signer[]) =>
  canSign({ roleKeys: roles.targets, keys }, signers)

export function checkNextRoot(
  draft: Draft,
  next: Root,
  compromised: boolean,
  { signers, now }: Pick<OperationContext, 'signers' | 'now'>,
): void {
  const current = draft.root.signed
  refuseTufErrors(() => checkRoot(next))
  if (next.version !== current.version + 1) {
    throw new Refusal(
      `The current root has version ${current.version}, so the next one has ${current.version + 1}, not ${next.version}. ` +
        'Make the update from the current root and have it signed anew.',
    )
  }
  checkExpiry('This root', next, now)
  checkOnlineKeys(next, signers)
  // A key that is lost or stolen signs nothing more, and need not.
  if (!(compromised && signsTargets(next, signers))) checkOfflineTargets(draft, next, signers)
  if (!onlineKeysChange(current, next)) return
  if (draft.rotation.previousRoot !== undefined) {
    throw new Refusal('A change of online keys is under way. Wait until it is over (GET /api/v1/status says when).')
  }
  if (!compromised)
    checkHeld(
      current,
      signers,
      'To change it without a failing client the service has to hold it until the change is over.',
    )
}

/**
 * Where targets is signed offline, before or after, nobody here can sign it for other keys: the signatures that it has must do.
 */
function checkOfflineTargets(draft: Draft, next: Root, signers: readonly Signer[]): void {
  const groups = [draft.root.signed, next].map(({ roles, keys }) => ({ roleKeys: roles.targets, keys }))
  if (groups.every((group) => canSign(group, signers))) return
  if (isPending(draft.signing, 'targets')) {
    throw new Refusal('Metadata of role targets waits for signatures. Sign it, or stop its signing first.')
  }
  const targets = draft.signed.get('targets') ?? draft.published.get('targets')
  if (targets !== undefined && isComplete(targets, groups)) return
  throw new Refusal(
    'This root asks for signatures of targets that the published targets does not have, and the service does not hold these keys. ' +
      'Leave the keys of targets as they are, or change them so that enough of the holders who have signed remain.',
  )
}

function onlineKeysChange(before: Root, after: Root): boolean {
  const signers = (root: Root) =>
    JSON.stringify(onlineRoles.map((role) => [[...root.roles[role].keyids].sort(), root.roles[role].threshold]))
  return signers(before) !== signers(after)
}

function rootIn(request: RequestOf<'metadata_update'>): Signed<Root> | undefined {
  try {
    return signedFromJson('root', request.root)
  } catch {
    return undefined
  }
}

export function refuseTufErrors<Value>(decide: () => Value): Value {
  try {
    return decide()
  } catch (error) {
    if (error instanceof TufError) throw new Refusal(error.message)
    throw error
  }
}
