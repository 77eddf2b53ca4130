import { binNames, delegateBins, hashBins } from '../../tuf/bins.ts'
import { canonicalBytes } from '../../tuf/canonical.ts'
import { parseJson } from '../../tuf/json.ts'
import { expiresAt, formatExpires, type Root, type Targets } from '../../tuf/metadata.ts'
import { checkRoot } from '../../tuf/root.ts'
import { assemble, decodeSigned, type Signature, type Signed, signedFromJson } from '../../tuf/signed.ts'
import { checkRootFor } from '../client-rules.ts'
import { warningsOfDraft } from '../client-standing.ts'
import { servedClients } from '../clients.ts'
import { schemaVersion } from '../documents.ts'
import { type Draft, roleOf, setDelegations, setRole } from '../draft.ts'
import { Refusal } from '../errors.ts'
import { checkRoleSizes } from '../fit.ts'
import { nothingParked } from '../parked.ts'
import { noSizes } from '../role-sizes.ts'
import { noRotation } from '../rotation.ts'
import { expirationOf, type Settings } from '../settings.ts'
import { isComplete, nothingPending, type SigningGroup, withGoodSignatures, withSignature } from '../signing.ts'
import type { BootstrapRequest, CustomRolesRequest } from '../task.ts'
import { onlineGroup } from '../tree.ts'
import { emptyTargets, withUsedKeys } from './delegate.ts'
import { changeDelegations } from './delegations.ts'
import type { OperationContext } from './operation.ts'
import { checkExpiry, checkOnlineKeys } from './root-rules.ts'
import { refuseTufErrors } from './root-update.ts'
import { changeOrWait, isOnline } from './waiting.ts'

/** What a bootstrap decides: the first root, and the settings. */
export interface Bootstrapped {
  readonly root: Signed<Root>
  /** Where the holders of its keys sign it. */
  readonly targets?: Signed<Targets>
  readonly settings: Settings
  readonly customRoles?: CustomRolesRequest
}

type Context = Pick<OperationContext, 'signers' | 'now' | 'taskId' | 'principal'>

/**
 * Throws a Refusal unless this request can found a repository once its root is signed by enough holders. Returns it with
 * the signatures that are good, and with the targets that is to be signed if the service cannot.
 */
export function checkBootstrap(request: BootstrapRequest, context: Context): BootstrapRequest {
  const { now, signers } = context
  const bootstrapped = refuseTufErrors(() => {
    const read = readBootstrap(request)
    checkRoot(read.root.signed)
    return read
  })
  const { root } = bootstrapped
  if (root.signed.version !== 1) throw new Refusal(`The first root has version 1, not ${root.signed.version}.`)
  checkExpiry('This root', root.signed, now)
  checkOnlineKeys(root.signed, signers)
  checkRootFor(servedClients(bootstrapped.settings.clients), root, firstGroups(root.signed).root)
  // What is sealed cannot be taken back, so it is tried now whether it can be read once it is written.
  const draft = foundingDraft(bootstrapped, context)
  checkRoleSizes(draft)
  const targets = targetsToSign(draft, bootstrapped, now)
  refuseTufErrors(() => decodeSigned('targets', targets.bytes))
  if (expiresAt(targets.signed) <= now) {
    throw new Refusal(
      `The targets that waits for signatures expired at ${targets.signed.expires}. Stop the signing and begin again.`,
    )
  }
  const checked = withRoot(request, withGoodSignatures(root, firstGroups(root.signed).root))
  return isOnline(draft, 'targets', signers) ? checked : withTargets(checked, targets)
}

/** What the served clients will trip over in the repository that this request founds. */
export function bootstrapWarnings(request: BootstrapRequest, context: Context): string[] {
  const bootstrapped = readBootstrap(request)
  const { root, settings } = bootstrapped
  const draft = foundingDraft(bootstrapped, context)
  const ofRoot = checkRootFor(servedClients(settings.clients), root, firstGroups(root.signed).root)
  // Whoever names no clients may well know of none that cannot.
  const unread = settings.clients === undefined ? [] : warningsOfDraft(draft)
  return [...unread, ...ofRoot, ...checkRoleSizes(draft)]
}

function targetsToSign(draft: Draft, { targets, settings }: Bootstrapped, now: Date): Signed<Targets> {
  if (targets !== undefined) return targets
  const days = expirationOf(settings, 'targets')
  const expires = formatExpires(new Date(now.getTime() + days * 24 * 60 * 60 * 1000))
  const content = { ...roleOf(draft, 'targets'), expires }
  return assemble(content, canonicalBytes(content), [])
}

/** The request with one signature more. Throws a Refusal if it is not good, or if this root has become unusable while it waited. */
export function signBootstrap(
  request: BootstrapRequest,
  role: string,
  signature: Signature,
  context: Context,
): BootstrapRequest {
  const { root, targets } = readBootstrap(request)
  const groups = firstGroups(root.signed)
  if (role === 'root') return checkBootstrap(withRoot(request, withSignature(root, signature, groups.root)), context)
  if (role !== 'targets' || targets === undefined)
    throw new Refusal(`No metadata of role ${role} waits for signatures.`)
  return checkBootstrap(withTargets(request, withSignature(targets, signature, groups.targets)), context)
}

/** The role whose signatures are missing yet, or nothing if all are there. */
export function unsignedRole(request: BootstrapRequest): 'root' | 'targets' | undefined {
  const { root, targets } = readBootstrap(request)
  const groups = firstGroups(root.signed)
  if (!isComplete(root, groups.root)) return 'root'
  return targets === undefined || isComplete(targets, groups.targets) ? undefined : 'targets'
}

function firstGroups({ roles, keys }: Root): { root: SigningGroup[]; targets: SigningGroup[] } {
  return { root: [{ roleKeys: roles.root, keys }], targets: [{ roleKeys: roles.targets, keys }] }
}

const withRoot = (request: BootstrapRequest, root: Signed<Root>) => ({ ...request, root: parseJson(root.bytes) })
const withTargets = (request: BootstrapRequest, targets: Signed<Targets>) => {
  return { ...request, targets: parseJson(targets.bytes) }
}

/** What a request decides that has been checked. Throws TufError where it cannot be read. */
export function readBootstrap({ root, targets, expiration, delegations, clients }: BootstrapRequest): Bootstrapped {
  const decoded = {
    root: signedFromJson('root', root),
    ...(targets !== undefined && { targets: signedFromJson('targets', targets) }),
  }
  const settings = { schema: schemaVersion, expiration, past: [], ...(clients && { clients }) } as const
  if ('roles' in delegations) return { ...decoded, settings, customRoles: delegations }
  return { ...decoded, settings: { ...settings, bins: hashBins(delegations.delegation, delegations.number) } }
}

/**
 * The first draft: targets with its delegations, and each delegated role, empty. Custom roles that their holders sign wait
 * for that, and are not delegated to before. Throws a Refusal for custom roles that cannot be.
 */
export function foundingDraft(bootstrapped: Bootstrapped, context: Context): Draft {
  const { root, targets, settings, customRoles } = bootstrapped
  const draft: Draft = {
    root,
    settings,
    parked: nothingParked,
    signing: nothingPending,
    rotation: noRotation,
    published: new Map(),
    roles: new Map([['targets', { ...emptyTargets(), delegations: { keys: new Map(), roles: [] } }]]),
    toSign: new Set(['targets']),
    signed: new Map(),
    waiting: new Set(),
    signSnapshot: true,
    decides: new Set(['root', 'settings']),
    changes: new Map(),
    copies: new Map(),
    sizes: noSizes(),
  }
  if (settings.bins !== undefined) {
    const { roleKeys, keys } = onlineGroup(root.signed, context.signers)
    setDelegations(draft, 'targets', withUsedKeys({ keys, ...delegateBins(settings.bins, roleKeys) }))
    // One and the same object for each role, so that roles with equal bytes can be signed once.
    const empty = emptyTargets()
    for (const bin of binNames(settings.bins)) setRole(draft, bin, empty)
  }
  if (customRoles !== undefined) addCustomRoles(draft, customRoles, context)
  if (targets !== undefined) {
    draft.toSign.delete('targets')
    draft.signed.set('targets', targets)
    draft.roles.set('targets', targets.signed)
  }
  return draft
}

function addCustomRoles(draft: Draft, { keys, roles }: CustomRolesRequest, context: Context): void {
  const onlineTargets = isOnline(draft, 'targets', context.signers)
  for (const [at, role] of roles.entries()) {
    if (roles.findIndex(({ name }) => name === role.name) < at)
      throw new Refusal(`Role ${role.name} is delegated to twice. Role names are unique.`)
    const before = roles.slice(at + 1).map(({ name }) => name)
    const placed = [{ ...role, before: [...(role.before ?? []), ...before] }]
    const request = { kind: 'metadata_delegation', action: 'add', keys, roles: placed, removeArtifacts: false } as const
    const whole = { ...context, baseNumber: 0 }
    if (onlineTargets) changeOrWait(draft, request, whole, (trial) => changeDelegations(trial, request, whole))
    else changeDelegations(draft, request, whole)
    if (onlineTargets || isOnline(draft, role.name, context.signers)) continue
    throw new Refusal(
      `Role ${role.name} and targets are both signed offline. Add the role once the repository is founded, or have it signed online.`,
    )
  }
}
