import { binNames, delegateBins, hashBins } from '../../tuf/bins.ts'
import { expiresAt, expiresIn } from '../../tuf/expiry.ts'
import { parseJson } from '../../tuf/json.ts'
import type { Root, Targets } from '../../tuf/metadata.ts'
import { checkRoot } from '../../tuf/root.ts'
import { decodeSigned, type Signature, type Signed, signedFromJson, unsigned } from '../../tuf/signed.ts'
import { checkRootFor } from '../client-rules.ts'
import { slownessOfDraft, warningsOfDraft } from '../client-standing.ts'
import { servedClients } from '../clients.ts'
import { schemaVersion } from '../documents.ts'
import { type Draft, newDraft, roleOf, setDelegations, setRole, setSignedElsewhere } from '../draft.ts'
import { Refusal, refuseTufErrors } from '../errors.ts'
import { nothingParked } from '../parked.ts'
import { noRotation } from '../rotation.ts'
import { expirationOf, type Settings } from '../settings.ts'
import { isComplete, nothingPending, type SigningGroup, withGoodSignatures, withSignature } from '../signing.ts'
import { checkRoleSizes } from '../size-caps.ts'
import type { BootstrapRequest, CustomRolesRequest } from '../task.ts'
import { groupOf, onlineGroup } from '../tree.ts'
import { emptyTargets, withUsedKeys } from './delegate.ts'
import { customRoles } from './delegation-rules.ts'
import { changeDelegations } from './delegations.ts'
import type { OperationContext } from './operation.ts'
import { checkPredecessor, lastRoot, type ReadPredecessor, readPredecessor, versionsBefore } from './predecessor.ts'
import { checkExpiry, checkOnlineKeys } from './root-rules.ts'
import { changeOrWait, isOnline } from './waiting.ts'

/** What a bootstrap decides: the first root, and the settings. */
export interface Bootstrapped {
  readonly root: Signed<Root>
  /** Roles that their holders sign before there is a repository. */
  readonly offline: ReadonlyMap<string, Signed<Targets>>
  readonly settings: Settings
  readonly customRoles?: CustomRolesRequest
  readonly predecessor?: ReadPredecessor
}

type Context = Pick<OperationContext, 'signers' | 'now' | 'taskId' | 'principal'>

/**
 * Throws a Refusal unless this request can found a repository once its root is signed by enough holders. Returns it with
 * the signatures that are good, and with the metadata that the service cannot sign.
 */
export function checkBootstrap(request: BootstrapRequest, context: Context): BootstrapRequest {
  const { now, signers } = context
  const bootstrapped = refuseTufErrors(() => {
    const read = readBootstrap(request)
    checkRoot(read.root.signed)
    return read
  })
  const { root, predecessor } = bootstrapped
  if (predecessor !== undefined) checkPredecessor(predecessor, root.signed)
  else if (root.signed.version !== 1) {
    const { version } = root.signed
    throw new Refusal(
      `The first root has version 1, not ${version}. For the root of a repository that moves here send the earlier ones, too: "predecessor".`,
    )
  }
  checkExpiry('This root', root.signed, now)
  checkOnlineKeys(root.signed, signers)
  const groups = firstSigners(bootstrapped, 'root')
  checkRootFor(servedClients(bootstrapped.settings.clients), root, groups, lastRoot(predecessor))
  // What is sealed cannot be taken back, so it is tried now whether it can be read once it is written.
  const draft = foundingDraft(bootstrapped, context)
  checkRoleSizes(draft)
  const first = ['targets', ...customRoles(draft).map(({ name }) => name)].map((role) => {
    return [role, firstMetadata(draft, role, bootstrapped, now)] as const
  })
  const offline = first.filter(([role]) => !isOnline(draft, role, signers))
  const checked = withRoot(request, withGoodSignatures(root, groups))
  return offline.reduce((all, [role, metadata]) => withOffline(all, role, metadata), checked)
}

/** What the served clients will trip over in the repository that this request founds. */
export function bootstrapWarnings(request: BootstrapRequest, context: Context): string[] {
  const bootstrapped = readBootstrap(request)
  const { root, settings, predecessor } = bootstrapped
  const draft = foundingDraft(bootstrapped, context)
  const groups = firstSigners(bootstrapped, 'root')
  const ofRoot = checkRootFor(servedClients(settings.clients), root, groups, lastRoot(predecessor))
  // Whoever names no clients may well know of none that cannot; of one that is slow they learn here.
  const unread = settings.clients === undefined ? slownessOfDraft(draft) : warningsOfDraft(draft)
  return [...unread, ...ofRoot, ...checkRoleSizes(draft)]
}

/** As it waits, or as it is to be signed. Throws a Refusal if nobody could read it. */
function firstMetadata(draft: Draft, role: string, bootstrapped: Bootstrapped, now: Date): Signed<Targets> {
  const { offline, settings, predecessor } = bootstrapped
  const expires = expiresIn(now, expirationOf(settings, role))
  const version = versionsBefore(predecessor) + 1
  const metadata = offline.get(role) ?? unsigned({ ...roleOf(draft, role), expires, version })
  refuseTufErrors(() => decodeSigned('targets', metadata.bytes))
  if (expiresAt(metadata.signed) > now) return metadata
  throw new Refusal(
    `The ${role} that waits for signatures expired at ${metadata.signed.expires}. Stop the signing and begin again.`,
  )
}

/** The request with one signature more. Throws a Refusal if it is not good, or if this root has become unusable while it waited. */
export function signBootstrap(
  request: BootstrapRequest,
  role: string,
  signature: Signature,
  context: Context,
): BootstrapRequest {
  const bootstrapped = readBootstrap(request)
  const groups = firstSigners(bootstrapped, role)
  if (role === 'root')
    return checkBootstrap(withRoot(request, withSignature(bootstrapped.root, signature, groups)), context)
  const metadata = bootstrapped.offline.get(role)
  if (metadata === undefined) throw new Refusal(`No metadata of role ${role} waits for signatures.`)
  return checkBootstrap(withOffline(request, role, withSignature(metadata, signature, groups)), context)
}

/** A role whose signatures are missing yet, and its version; or nothing if all are there. */
export function unsignedRole(request: BootstrapRequest): Unsigned | undefined {
  const bootstrapped = readBootstrap(request)
  const { root, offline } = bootstrapped
  const first: readonly (readonly [string, Signed])[] = [['root', root], ...offline]
  const found = first.find(([role, metadata]) => !isComplete(metadata, firstSigners(bootstrapped, role)))
  return found && { role: found[0], version: found[1].signed.version }
}

export interface Unsigned {
  readonly role: string
  readonly version: number
}

/**
 * Who signs a role before there is a repository: root (as the last one of a predecessor asks, too), targets, or a custom role that
 * names keys of its own.
 */
export function firstSigners({ root, customRoles, predecessor }: Bootstrapped, role: string): SigningGroup[] {
  const before = lastRoot(predecessor)
  if (role === 'root' && before !== undefined) return [before, root.signed].map((one) => groupOf(one, 'root'))
  if (role === 'root' || role === 'targets') return [groupOf(root.signed, role)]
  const custom = customRoles?.roles.find(({ name }) => name === role)
  if (custom === undefined) return []
  const { keyids, threshold } = custom
  return [{ roleKeys: { keyids, threshold }, keys: new Map(Object.entries(customRoles?.keys ?? {})) }]
}

const withRoot = (request: BootstrapRequest, root: Signed<Root>) => ({ ...request, root: parseJson(root.bytes) })
const withOffline = (request: BootstrapRequest, role: string, metadata: Signed<Targets>) => {
  return { ...request, offline: { ...request.offline, [role]: parseJson(metadata.bytes) } }
}

/** What a request decides that has been checked. Throws TufError where it cannot be read. */
export function readBootstrap({ root, offline = {}, ...rest }: BootstrapRequest): Bootstrapped {
  const { expiration, delegations, clients, predecessor } = rest
  const decoded = {
    root: signedFromJson('root', root),
    offline: new Map(Object.entries(offline).map(([role, json]) => [role, signedFromJson('targets', json)])),
    ...(predecessor && { predecessor: readPredecessor(predecessor) }),
  }
  const settings = { schema: schemaVersion, expiration, past: [], ...(clients && { clients }) } as const
  if ('roles' in delegations) return { ...decoded, settings, customRoles: delegations }
  return { ...decoded, settings: { ...settings, bins: hashBins(delegations.delegation, delegations.number) } }
}

/**
 * The first draft: targets with its delegations, and each delegated role, empty. Custom roles that their holders sign wait
 * for that, and are not delegated to before; where targets is signed offline too, for it says so once and for all, they have
 * been signed by then. Throws a Refusal for custom roles that cannot be.
 */
export function foundingDraft(bootstrapped: Bootstrapped, context: Context): Draft {
  const { root, offline, settings, customRoles } = bootstrapped
  const nothing = { parked: nothingParked, signing: nothingPending, rotation: noRotation, inSnapshot: new Map() }
  const draft = newDraft({ root, settings, ...nothing })
  draft.decides.add('root').add('settings')
  draft.signSnapshot = true
  setRole(draft, 'targets', { ...emptyTargets(), delegations: { keys: new Map(), roles: [] } })
  if (settings.bins !== undefined) {
    const { roleKeys, keys } = onlineGroup(root.signed, context.signers)
    setDelegations(draft, 'targets', withUsedKeys({ keys, ...delegateBins(settings.bins, roleKeys) }))
    // One and the same object for each role, so that roles with equal bytes can be signed once.
    const empty = emptyTargets()
    for (const bin of binNames(settings.bins)) setRole(draft, bin, empty)
  }
  if (customRoles !== undefined) addCustomRoles(draft, customRoles, context)
  for (const [role, metadata] of offline) setSignedElsewhere(draft, role, metadata)
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
  }
}
