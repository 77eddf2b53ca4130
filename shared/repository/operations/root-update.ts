import { parseJson } from '../../tuf/json.ts'
import type { RoleKeys, Root } from '../../tuf/metadata.ts'
import { rolesBelowRoot, type TopLevelRole } from '../../tuf/names.ts'
import { checkRoot } from '../../tuf/root.ts'
import { type Signed, signedFromJson } from '../../tuf/signed.ts'
import { checkRootFor } from '../client-rules.ts'
import { servedClients } from '../clients.ts'
import { schemaVersion } from '../documents.ts'
import { type Draft, roleOf, setRoot, setRotation, setSigning, signAgain, treeOfDraft } from '../draft.ts'
import { Refusal, refuseTufErrors } from '../errors.ts'
import type { Signer } from '../ports.ts'
import { stillTrusting } from '../removed-keys.ts'
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
import { canSign, groupOf, onlineGroup, signersOf } from '../tree.ts'
import { giveKeys, keysOfBins, withOnlineKeys } from './delegate.ts'
import type { Operation, OperationContext, Outcome } from './operation.ts'
import { checkExpiry, checkHeld, checkOnlineKeys } from './root-rules.ts'
import { resigning } from './signed-as-they-are.ts'

export const metadataUpdate: Operation<'metadata_update'> = {
  refusedMessage: 'Metadata Update Failed',
  // A key in the wrong hands is to be out as soon as can be: nothing may come before that, and begin it anew.
  ...resigning<'metadata_update'>(update, (_, { compromised }) => !compromised),
  apply: update,
}

function update(draft: Draft, request: RequestOf<'metadata_update'>, context: OperationContext): Outcome {
  const submitted = refuseTufErrors(() => signedFromJson('root', request.root))
  // Without the key of the timestamp nothing can be decided but a complete root, so one that is not must not stand in its way.
  if (pendingOf(draft.signing, 'root', 'root') !== undefined && signsTimestamp(draft.root.signed, context.signers)) {
    throw new Refusal(
      'Another root waits for signatures. Sign it, or stop its signing first (POST /api/v1/metadata/sign/delete, or tuffet root cancel).',
    )
  }
  checkNextRoot(draft, submitted.signed, request.compromised, context)
  const root = withGoodSignatures(submitted, rootGroups(draft, submitted.signed))
  const warnings = checkForClients(draft, root)
  const adopted = adoptIfComplete(draft, root, request.compromised, context.signers)
  if (adopted !== undefined) {
    return {
      message: 'Metadata Update Processed',
      details: { role: 'root' },
      warnings: [...warnings, ...adopted.warnings],
    }
  }
  setSigning(draft, withPending(draft.signing, 'root', root, request.compromised))
  const update = `Root v${root.signed.version} is pending signatures`
  return { message: 'Metadata Update Processed', details: { role: 'root', update }, warnings }
}

/** Those who have to sign the next root: as the current one asks, and as it asks itself. */
export function rootGroups(draft: Draft, next: Root): SigningGroup[] {
  return [draft.root.signed, next].map((root) => groupOf(root, 'root'))
}

/** Throws a Refusal if a client that is served could not read this root. Returns warnings. */
export function checkForClients(draft: Draft, root: Signed<Root>): string[] {
  const served = servedClients(draft.settings.clients)
  return checkRootFor(served, root, rootGroups(draft, root.signed), draft.root.signed)
}

/** Makes the root the current one if its signatures are complete; nothing if they are not. */
export function adoptIfComplete(
  draft: Draft,
  root: Signed<Root>,
  compromised: boolean,
  signers: readonly Signer[],
): { readonly warnings: readonly string[] } | undefined {
  if (!isComplete(root, rootGroups(draft, root.signed))) return undefined
  const before = draft.root
  setRoot(draft, root)
  setSigning(draft, withoutPending(draft.signing, 'root'))
  // Who was to sign it does not count any more.
  if (keysChange(before.signed, root.signed, ['targets'])) setSigning(draft, withoutPending(draft.signing, 'targets'))
  if (!onlineKeysChange(before.signed, root.signed)) return { warnings: [] }
  const old = oldOnlineKeys(draft, before.signed, signers)
  const removed = removedKeys(draft, old)
  setRotation(draft, { schema: schemaVersion, previousRoot: parseJson(before.bytes), compromised, removed })
  giveOnlineKeys(draft, old, onlineGroup(root.signed, signers), signers)
  return { warnings: warningsOfRemoved(draft, removed) }
}

/**
 * Delegated roles that the old online keys sign are delegated to the new ones and signed by them, in the same commit:
 * the snapshot holds both together, so no client ever sees one without the other. What a role that is signed offline
 * delegates to keeps its keys, and so does what holders sign together with the service: only they can change that.
 */
function giveOnlineKeys(
  draft: Draft,
  old: ReadonlySet<string>,
  online: SigningGroup,
  signers: readonly Signer[],
): void {
  // Where the key of snapshot or timestamp changes alone, those that keep theirs need not be signed.
  const next = (role: RoleKeys) => withOnlineKeys(role, old, online, signers)
  signAgain(draft, 'snapshot')
  for (const delegator of delegatorsOf(draft.settings)) {
    const { delegations } = roleOf(draft, delegator)
    // From above to below: who signs this one has been decided.
    if (delegations === undefined || !canSign(signersOf(treeOfDraft(draft), delegator), signers)) continue
    signAgain(draft, delegator)
    giveKeys(draft, delegator, delegations, online, next)
  }
}

/** The keys that the service signed with until now, or until an earlier change, and does not sign with any more. */
function removedKeys({ rotation, root }: Draft, old: ReadonlySet<string>): string[] {
  const online = new Set(rolesBelowRoot.flatMap((role) => root.signed.roles[role].keyids))
  return [...old.union(new Set(rotation.removed)).difference(online)]
}

/** What to say of roles that trust such a key beyond this root. */
function warningsOfRemoved(draft: Draft, removed: readonly string[]): string[] {
  const names = stillTrusting(treeOfDraft(draft), draft.signing, removed).map(({ role }) => role)
  if (names.length === 0) return []
  return [
    `Trusted with a key that was taken from the service, still: ${names.join(', ')}. Below a role that is signed offline give ` +
      'them the new one with POST /api/v1/delegations/renew, or tuffet delegation renew; name other keys for a custom role with ' +
      'PUT /api/v1/delegations, or tuffet delegation update; and stop what waits for its signatures (POST /api/v1/metadata/sign/delete, ' +
      'or tuffet delegation cancel). GET /api/v1/status, or tuffet status, names them for as long as it is so.',
  ]
}

/**
 * What the service signed with, maybe without holding it any more: that of hash bins, too, which it always signs. The keys of targets
 * that is signed offline are not among them, even if the service takes their place: their holders may hold other roles.
 */
function oldOnlineKeys(draft: Draft, root: Root, signers: readonly Signer[]): Set<string> {
  const { roles } = root
  const wasOnline = signsTargets(root, signers)
  return new Set([
    ...roles.snapshot.keyids,
    ...roles.timestamp.keyids,
    ...(wasOnline ? roles.targets.keyids : []),
    ...keysOfBins(treeOfDraft(draft)),
  ])
}

const signsTimestamp = (root: Root, signers: readonly Signer[]) => canSign(groupOf(root, 'timestamp'), signers)
const signsTargets = (root: Root, signers: readonly Signer[]) => canSign(groupOf(root, 'targets'), signers)

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
    throw new Refusal(
      'A change of online keys is under way. Wait until it is over (GET /api/v1/status, or tuffet status, says when).',
    )
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
  if (!keysChange(draft.root.signed, next, ['targets'])) return
  const groups = [draft.root.signed, next].map((root) => groupOf(root, 'targets'))
  if (groups.every((group) => canSign(group, signers))) return
  if (isPending(draft.signing, 'targets')) {
    throw new Refusal(
      'This root changes who signs targets, and metadata of targets waits for signatures. Sign it, or stop its signing first.',
    )
  }
  const targets = draft.signed.get('targets') ?? draft.published.get('targets')
  if (targets !== undefined && isComplete(targets, groups)) return
  throw new Refusal(
    'This root asks for signatures of targets that the published targets does not have, and the service does not hold these keys. ' +
      'Leave the keys of targets as they are, or change them so that enough of the holders who have signed remain.',
  )
}

const onlineKeysChange = (before: Root, after: Root) => keysChange(before, after, rolesBelowRoot)

function keysChange(before: Root, after: Root, roles: readonly TopLevelRole[]): boolean {
  const signers = (root: Root) =>
    JSON.stringify(roles.map((role) => [[...root.roles[role].keyids].sort(), root.roles[role].threshold]))
  return signers(before) !== signers(after)
}
