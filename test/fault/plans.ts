import type { SignMetadataRequest, TaskKind, TaskRequest } from '../../shared/repository/task.ts'
import type { Targets } from '../../shared/tuf/metadata.ts'
import type { Signed } from '../../shared/tuf/signed.ts'
import { type HeldRole, holderKeys, make, type RoleOfWorld, stranger, type TargetsKeys } from './world.ts'

interface RootOfWorld {
  readonly version: number
  readonly online: 0 | 1
  readonly targets: TargetsKeys
}

/** What a submitter sees of the repository when it sends a task. */
export interface Peek {
  readonly commit: number
  readonly versionOf: (role: string) => number
  /** What waits for the signatures of holders. */
  readonly waiting: ReadonlyMap<HeldRole, Signed<Targets>>
  readonly root: RootOfWorld
  /** The custom roles that are delegated to. */
  readonly roles: ReadonlySet<RoleOfWorld>
  /** Waits for signatures. */
  readonly pendingRoot: RootOfWorld | undefined
}

/** A task that is made when it is sent; nothing as long as what it needs is not there. */
export type Plan = (peek: Peek) => TaskRequest | undefined

type Maker = (random: () => number, peek: Peek) => TaskRequest

const pick = <Item>(random: () => number, items: readonly [Item, ...Item[]]): Item =>
  items[Math.floor(random() * items.length)] ?? items[0]

/** Few, so that tasks get into each other's way. */
const somePaths = (random: () => number) =>
  random() < 0.2 ? ['t/x'] : ['a', 'b', 'c/d', 'e', 't/x', 'v/y', 'v/z'].filter(() => random() < 0.4).concat('f')

/** By a holder who has not signed, or for whatever reason by another one, or by a stranger. */
function signatureOf(
  random: () => number,
  [role, metadata]: readonly [HeldRole, Signed<Targets>],
): SignMetadataRequest {
  const [first, ...others] = holderKeys.filter(({ keyid }) => metadata.signatures.every((made) => made.keyid !== keyid))
  const hasReason = first === undefined || random() < 0.1
  return make.heldSignature(
    role,
    hasReason ? pick(random, [stranger, ...holderKeys]) : pick(random, [first, ...others]),
    metadata,
  )
}

let lengths = 0

const allTargetsKeys = ['of two holders', 'of three holders', 'online'] as const

/** A task of each kind, as somebody may send it. A kind that is missing does not compile. */
export const makers: { readonly [Kind in TaskKind]: Maker } = {
  bootstrap: (random) => make.bootstrap(random() < 0.5 ? [0, 1] : [1], pick(random, ['online', 'of three holders'])),
  add_artifacts: (random) => make.add(somePaths(random), ++lengths, random() < 0.7),
  remove_artifacts: (random) => make.remove(somePaths(random), random() < 0.7),
  publish_artifacts: () => make.publishParked(),
  import_artifacts: (random) => make.import(somePaths(random), ++lengths),
  change_bins: (random) => make.changeBins(pick(random, [2, 4, 8])),
  update_settings: (random) =>
    make.settings(pick<Record<string, number>>(random, [{ timestamp: 2 }, { timestamp: 1, snapshot: 3 }, { bins: 5 }])),
  force_online_metadata_update: (random) => make.force(pick(random, [[], ['bins'], ['snapshot'], ['timestamp']])),
  metadata_update: (random, { root }) => {
    const version = root.version + (random() < 0.9 ? 1 : 2)
    const online = pick<0 | 1>(random, [0, 1])
    const signedBy = pick<readonly (0 | 1)[]>(random, [[0, 1], [0, 1], [0], [1]])
    const targets = random() < 0.7 ? root.targets : pick(random, allTargetsKeys)
    return make.root({ version, online, signedBy, targets }, random() < 0.3)
  },
  sign_metadata: (random, { waiting, root, pendingRoot }) => {
    const [held, ...others] = waiting
    if (held !== undefined && random() < 0.7) return signatureOf(random, pick(random, [held, ...others]))
    return make.signature(pick<0 | 1>(random, [0, 1]), pendingRoot ?? { ...root, version: root.version + 1 })
  },
  delete_sign_metadata: (random) => make.cancel(pick(random, ['root', 'targets', 'team', 'vault'])),
  metadata_delegation: (random, { roles }) => {
    const role = pick<RoleOfWorld>(random, ['shared', 'team', 'vault'])
    const fitting = ['update', 'update', 'delete', 'renew'] as const
    const action = roles.has(role) !== random() < 0.1 ? pick(random, fitting) : 'add'
    if (action === 'renew') return make.renew(pick<string[]>(random, [[], [], [role], ['targets']]))
    if (action === 'update' && role === 'team' && random() < 0.7)
      return make.teamKeys(pick(random, ['of two holders', 'of three holders']))
    return action === 'delete' ? make.undelegate(role) : make.delegate(action, role, random() < 0.5)
  },
  upload_delegated_metadata: (random, { commit, versionOf }) => {
    const role = pick<'shared' | 'team'>(random, ['shared', 'team'])
    const version = versionOf(role) + 1 + Math.floor(random() * (commit - versionOf(role)))
    const signedBy = random() < 0.8 ? [0, 2] : [1]
    return make.upload(
      role,
      version,
      ++lengths,
      holderKeys.filter((_, index) => signedBy.includes(index)),
    )
  },
  // Of a commit that never was, too, and mostly of one since which much has changed.
  revert: (random, { commit }) => make.revert(1 + Math.floor(random() ** 2 * (commit + 1))),
}

type Kinds = readonly [TaskKind, ...TaskKind[]]
const ceremonyKinds: Kinds = [
  ...(['metadata_update', 'metadata_update', 'sign_metadata', 'sign_metadata'] as const),
  ...(['delete_sign_metadata', 'bootstrap'] as const),
]
const artifactKinds: Kinds = [
  ...(['add_artifacts', 'add_artifacts', 'remove_artifacts', 'publish_artifacts'] as const),
  ...(['import_artifacts', 'revert', 'revert'] as const),
]
const settingsKinds: Kinds = ['update_settings', 'force_online_metadata_update', 'add_artifacts', 'change_bins']
const delegationKinds: Kinds = [
  ...(['metadata_delegation', 'upload_delegated_metadata', 'sign_metadata'] as const),
  ...(['metadata_delegation', 'upload_delegated_metadata', 'sign_metadata'] as const),
  ...(['add_artifacts', 'delete_sign_metadata'] as const),
]

/** Some things make no sense before there is a repository. */
const onceFounded =
  (make: (peek: Peek) => TaskRequest | undefined): Plan =>
  (peek) =>
    peek.commit === 0 ? undefined : make(peek)

const unlessWaiting =
  (role: HeldRole, make: Plan): Plan =>
  (peek) =>
    peek.waiting.has(role) ? undefined : make(peek)

/** A held role with bins inside it from its beginning to new keys below it; whoever else is there gets in its way. */
function vaultPlans(random: () => number): Plan[] {
  let before = 0
  const changeKeys: Plan = ({ root, pendingRoot, roles }) => {
    if (!roles.has('vault') || pendingRoot !== undefined) return undefined
    before = root.version
    const next = { ...root, version: root.version + 1, online: root.online === 0 ? 1 : 0, signedBy: [0, 1] } as const
    return make.root(next, random() < 0.5)
  }
  return [
    onceFounded(() => make.delegate('add', 'vault')),
    unlessWaiting('vault', () => make.add(['v/y', 'v/z'], ++lengths)),
    changeKeys,
    ({ root }) => (root.version > before ? make.renew([]) : undefined),
    unlessWaiting('vault', () => make.renew(['vault'])),
    unlessWaiting('vault', () => make.undelegate('vault')),
  ]
}

/** A role that two of its holders sign, from its beginning to its end. */
function teamPlans(): Plan[] {
  const withTeam = (make: (peek: Peek) => TaskRequest): Plan =>
    unlessWaiting('team', (peek) => (peek.roles.has('team') ? make(peek) : undefined))
  return [
    onceFounded(() => make.delegate('add', 'team', true)),
    withTeam(() => make.add(['t/x', 't/y'], ++lengths)),
    withTeam(({ commit }) => make.upload('team', commit, ++lengths)),
    withTeam(() => make.remove(['t/x'])),
    withTeam(() => make.teamKeys('of two holders')),
    withTeam(() => make.add(['t/y'], ++lengths)),
    withTeam(() => make.teamKeys('of three holders')),
    withTeam(() => make.renew(['team'])),
    withTeam(() => make.undelegate('team')),
  ]
}

/** What each submitter sends, in order: the first one the bootstrap and the roots, the others the rest. */
export function makePlans(random: () => number): { readonly submitters: Plan[][]; readonly holders: Plan[] } {
  lengths = 0
  const some = (count: number, kinds: Kinds): Plan[] =>
    Array.from({ length: count }, () => (peek) => makers[pick(random, kinds)](random, peek))
  const targets = random() < 0.35 ? 'of three holders' : 'online'
  const flavour = random() < 0.7 ? 'succinct_roles' : 'path_hash_prefixes'
  // A repository that moves here, in some worlds: its roots come with the bootstrap.
  const moves = targets === 'online' && flavour === 'path_hash_prefixes'
  const found = (signedBy: Parameters<typeof make.bootstrap>[0]) =>
    moves ? make.move(signedBy, flavour) : make.bootstrap(signedBy, targets, flavour)
  const first = { version: moves ? 3 : 1, online: 0, targets } as const
  const completion: Plan[] =
    random() < 0.9 ? [() => make.signature(0, first)] : [() => make.cancel(), () => found([0, 1])]
  const delegations = pick(random, [
    () => vaultPlans(random),
    () => vaultPlans(random),
    () => teamPlans(),
    () => some(6, delegationKinds).map(onceFounded),
    () => [],
  ])
  return {
    submitters: [
      [() => found([1]), ...completion, ...some(6, ceremonyKinds)],
      some(5, artifactKinds),
      some(3, settingsKinds),
      delegations(),
    ],
    holders: [holderPlan(random), holderPlan(random)],
  }
}

/** Signs whatever waits, and rarely what it has signed before. */
function holderPlan(random: () => number): Plan {
  const before = new Set<string>()
  return ({ waiting }) => {
    const [held, ...others] = waiting
    if (held === undefined) return undefined
    const request = signatureOf(random, pick(random, [held, ...others]))
    if (before.has(request.signature.sig) && random() < 0.95) return undefined
    before.add(request.signature.sig)
    return request
  }
}
