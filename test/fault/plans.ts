import type { TaskKind, TaskRequest } from '../../shared/repository/task.ts'
import type { Targets } from '../../shared/tuf/metadata.ts'
import type { Signed } from '../../shared/tuf/signed.ts'
import { type HeldRole, make, type RoleOfWorld } from './world.ts'

/** A root, by its version and its online key. */
interface RootOfWorld {
  readonly version: number
  readonly online: 0 | 1
}

/** What a submitter sees of the repository when it sends a task. */
export interface Peek {
  readonly commit: number
  readonly versionOf: (role: string) => number
  /** What waits for the signature of its holder. */
  readonly waiting: ReadonlyMap<HeldRole, Signed<Targets>>
  readonly root: RootOfWorld
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

let lengths = 0

/** A task of each kind, as somebody may send it. A kind that is missing does not compile. */
export const makers: { readonly [Kind in TaskKind]: Maker } = {
  bootstrap: (random) => make.bootstrap(random() < 0.5 ? [0, 1] : [1]),
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
    return make.root({ version, online, signedBy }, random() < 0.3)
  },
  sign_metadata: (random, { waiting, root, pendingRoot }) => {
    const [held, ...others] = waiting
    if (held !== undefined && random() < 0.7) return make.heldSignature(...pick(random, [held, ...others]))
    return make.signature(pick<0 | 1>(random, [0, 1]), pendingRoot ?? { ...root, version: root.version + 1 })
  },
  delete_sign_metadata: (random) => make.cancel(pick(random, ['root', 'team', 'vault'])),
  metadata_delegation: (random) => {
    const role = pick<RoleOfWorld>(random, ['shared', 'team', 'vault'])
    const action = pick<'add' | 'update' | 'delete' | 'renew'>(random, ['add', 'add', 'update', 'delete', 'renew'])
    if (action === 'renew') return make.renew(pick<string[]>(random, [[], [], [role], ['targets']]))
    return action === 'delete' ? make.undelegate(role) : make.delegate(action, role, random() < 0.5)
  },
  upload_delegated_metadata: (random, { commit, versionOf }) => {
    const role = pick<'shared' | 'team'>(random, ['shared', 'team'])
    const version = versionOf(role) + 1 + Math.floor(random() * (commit - versionOf(role)))
    return make.upload(role, version, ++lengths)
  },
  // Of a commit that never was, too.
  revert: (random, { commit }) => make.revert(1 + Math.floor(random() * (commit + 1))),
}

type Kinds = readonly [TaskKind, ...TaskKind[]]
const ceremonyKinds: Kinds = [
  ...(['metadata_update', 'metadata_update', 'sign_metadata', 'sign_metadata'] as const),
  ...(['delete_sign_metadata', 'bootstrap'] as const),
]
const artifactKinds: Kinds = [
  ...(['add_artifacts', 'add_artifacts', 'remove_artifacts', 'publish_artifacts'] as const),
  ...(['import_artifacts', 'revert'] as const),
]
const settingsKinds: Kinds = ['update_settings', 'force_online_metadata_update', 'add_artifacts', 'change_bins']
const delegationKinds: Kinds = [
  ...(['metadata_delegation', 'upload_delegated_metadata', 'sign_metadata'] as const),
  ...(['metadata_delegation', 'upload_delegated_metadata', 'sign_metadata'] as const),
  ...(['add_artifacts', 'delete_sign_metadata'] as const),
]

/** A held role with bins inside it from its beginning to new keys below it; whoever else is there gets in its way. */
function vaultPlans(random: () => number): Plan[] {
  const sign: Plan = ({ waiting }) => {
    const metadata = waiting.get('vault')
    return metadata && make.heldSignature('vault', metadata)
  }
  let before = 0
  const changeKeys: Plan = ({ root, pendingRoot }) => {
    before = root.version
    const next = { version: root.version + 1, online: root.online === 0 ? 1 : 0, signedBy: [0, 1] } as const
    return pendingRoot === undefined ? make.root(next, random() < 0.5) : undefined
  }
  const renewKeys: Plan = ({ root }) => (root.version > before ? make.renew([]) : undefined)
  const add: Plan = () => make.add(['v/y', 'v/z'], ++lengths)
  return [
    () => make.delegate('add', 'vault'),
    sign,
    add,
    changeKeys,
    renewKeys,
    sign,
    () => make.renew(['vault']),
    sign,
  ]
}

/** What each submitter sends, in order: the first one the bootstrap and the roots, the others the rest. */
export function makePlans(random: () => number): Plan[][] {
  lengths = 0
  const some = (count: number, kinds: Kinds): Plan[] =>
    Array.from({ length: count }, () => (peek) => makers[pick(random, kinds)](random, peek))
  const completion: Plan[] =
    random() < 0.9
      ? [() => make.signature(0, { version: 1, online: 0 })]
      : [() => make.cancel(), () => make.bootstrap()]
  return [
    [(peek) => makers.bootstrap(random, peek), ...completion, ...some(6, ceremonyKinds)],
    some(5, artifactKinds),
    some(3, settingsKinds),
    random() < 0.4 ? vaultPlans(random) : some(random() < 0.7 ? 6 : 0, delegationKinds),
  ]
}
