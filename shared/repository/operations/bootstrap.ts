import { binNames, delegateBins, hashBins } from '../../tuf/bins.ts'
import { parseJson } from '../../tuf/json.ts'
import type { Key } from '../../tuf/keys.ts'
import {
  type DelegatedRole,
  type Delegations,
  expiresAt,
  formatExpires,
  type Root,
  specVersion,
  type Targets,
} from '../../tuf/metadata.ts'
import { checkRoot } from '../../tuf/root.ts'
import { type Signature, type Signed, signedFromJson } from '../../tuf/signed.ts'
import { schemaVersion } from '../documents.ts'
import type { Draft } from '../draft.ts'
import { Refusal } from '../errors.ts'
import { nothingParked } from '../parked.ts'
import type { Signer } from '../ports.ts'
import { noRotation } from '../rotation.ts'
import type { Settings } from '../settings.ts'
import { isComplete, nothingPending, withGoodSignatures, withSignature } from '../signing.ts'
import type { BootstrapRequest, CustomRolesRequest } from '../task.ts'
import type { OperationContext } from './operation.ts'
import { checkOnlineKeys, refuseTufErrors } from './root-update.ts'

/** What a bootstrap decides: the first root, and the settings. */
export interface Bootstrapped {
  readonly root: Signed<Root>
  readonly settings: Settings
  readonly customRoles?: CustomRolesRequest
}

/**
 * Throws a Refusal unless this request can found a repository once its root is signed by enough holders. Returns it with
 * the signatures that are good.
 */
export function checkBootstrap(
  request: BootstrapRequest,
  { signers, now }: Pick<OperationContext, 'signers' | 'now'>,
): BootstrapRequest {
  const { root, customRoles } = refuseTufErrors(() => {
    const bootstrapped = readBootstrap(request)
    checkRoot(bootstrapped.root.signed)
    return bootstrapped
  })
  if (root.signed.version !== 1) throw new Refusal(`The first root has version 1, not ${root.signed.version}.`)
  if (expiresAt(root.signed) <= now) {
    throw new Refusal(`This root expired at ${root.signed.expires}. Sign one that expires later.`)
  }
  checkOnlineKeys(root.signed, signers)
  if (customRoles !== undefined) checkCustomRoles(customRoles, signers)
  return withRoot(request, withGoodSignatures(root, firstRootGroups(root.signed)))
}

/** The request with one signature more. Throws a Refusal if it is not good. */
export function signBootstrap(request: BootstrapRequest, signature: Signature): BootstrapRequest {
  const { root } = readBootstrap(request)
  return withRoot(request, withSignature(root, signature, firstRootGroups(root.signed)))
}

export function isSigned(request: BootstrapRequest): boolean {
  const { root } = readBootstrap(request)
  return isComplete(root, firstRootGroups(root.signed))
}

const firstRootGroups = ({ roles, keys }: Root) => [{ roleKeys: roles.root, keys }]
const withRoot = (request: BootstrapRequest, root: Signed<Root>) => ({ ...request, root: parseJson(root.bytes) })

/** What a request decides that has been checked. Throws TufError where it cannot be read. */
export function readBootstrap({ root, expiration, delegations }: BootstrapRequest): Bootstrapped {
  const settings = { schema: schemaVersion, expiration, past: [] } as const
  const decoded = signedFromJson('root', root)
  if ('roles' in delegations) return { root: decoded, settings, customRoles: delegations }
  return { root: decoded, settings: { ...settings, bins: hashBins(delegations.delegation, delegations.number) } }
}

/** The first draft: targets with its delegations, and each delegated role, empty. */
export function foundingDraft({ root, settings, customRoles }: Bootstrapped): Draft {
  const { keyids, threshold } = root.signed.roles.targets
  const onlineKeys = new Map([...root.signed.keys].filter(([keyid]) => keyids.includes(keyid)))
  const delegations =
    customRoles === undefined ? binDelegations() : customDelegations(customRoles, onlineKeys, { keyids, threshold })
  const names =
    settings.bins === undefined ? (delegations.roles ?? []).map(({ name }) => name) : binNames(settings.bins)
  // One and the same object for each role, so that roles with equal bytes can be signed once.
  const empty = emptyTargets()
  const roles = new Map<string, Targets>([
    ['targets', { ...empty, delegations }],
    ...names.map((name) => [name, empty] as const),
  ])
  return {
    root,
    settings,
    parked: nothingParked,
    signing: nothingPending,
    rotation: noRotation,
    roles,
    toSign: new Set(roles.keys()),
    signSnapshot: true,
    decides: new Set(['root', 'settings']),
    changes: new Map(),
    copies: new Map(),
  }

  function binDelegations(): Delegations {
    if (settings.bins === undefined) throw new Error('A bootstrap has either bins or custom roles.')
    return { keys: onlineKeys, ...delegateBins(settings.bins, { keyids, threshold }) }
  }
}

function emptyTargets(): Targets {
  const expires = formatExpires(new Date(0))
  return { _type: 'targets', spec_version: specVersion, version: 1, expires, targets: new Map() }
}

function customDelegations(
  request: CustomRolesRequest,
  onlineKeys: ReadonlyMap<string, Key>,
  online: { keyids: readonly string[]; threshold: number },
): Delegations {
  const keys = new Map([...onlineKeys, ...Object.entries(request.keys)])
  const roles: DelegatedRole[] = request.roles.map(({ name, terminating, keyids, threshold, paths }) => ({
    name,
    terminating,
    paths,
    ...(keyids.length === 0 ? online : { keyids, threshold }),
  }))
  const used = new Set(roles.flatMap(({ keyids }) => keyids))
  return { keys: new Map([...keys].filter(([keyid]) => used.has(keyid))), roles }
}

function checkCustomRoles({ keys, roles }: CustomRolesRequest, signers: readonly Signer[]): void {
  const held = new Set(signers.map(({ keyid }) => keyid))
  const names = new Set<string>()
  for (const { name, keyids, threshold } of roles) {
    if (names.has(name)) throw new Refusal(`Role ${name} is delegated to twice. Role names are unique.`)
    names.add(name)
    for (const keyid of keyids) {
      if (!Object.hasOwn(keys, keyid))
        throw new Refusal(`Role ${name} names key ${keyid}, which is not among the delegations' keys.`)
      if (!held.has(keyid)) {
        throw new Refusal(
          `Role ${name} names key ${keyid}, which this service does not hold. Leave the keyids out to have it signed online.`,
        )
      }
    }
    if (keyids.length > 0 && threshold > keyids.length) {
      throw new Refusal(`Role ${name} asks for ${threshold} signatures and has ${keyids.length} keys.`)
    }
  }
}
