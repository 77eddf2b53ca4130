import assert from 'node:assert/strict'
import type { FinalState, TaskKind, TaskRequest } from '../../shared/repository/task.ts'
import type { Peek } from './plans.ts'
import { type HeldRole, holderKeys, make } from './world.ts'

/** A task, or some that are made from what has been published before them. */
export type Step = TaskRequest | ((peek: Peek) => TaskRequest | readonly TaskRequest[])

/** What is there before, and the tasks over which the publisher dies. */
export interface Scenario {
  readonly before: readonly Step[]
  /** How many milliseconds go by then. */
  readonly passes?: number
  readonly tasks: readonly Step[]
  readonly ends?: FinalState
}

const founded = [make.bootstrap()]
const nextRoot = { version: 2, online: 0 } as const
const signsFor =
  (role: HeldRole, by: 0 | 1 | 2) =>
  ({ waiting }: Peek): TaskRequest =>
    make.heldSignature(role, holderKeys[by], waiting.get(role) ?? assert.fail('nothing waits for a signature'))
const signsFirst = signsFor('team', 2)
const signs = signsFor('team', 0)
const newKeys = { version: 2, online: 1 } as const
const team = [make.delegate('add', 'team'), signsFirst, signs]

const offline = { version: 1, online: 0, targets: 'of three holders' } as const
const unsigned = make.bootstrap([0, 1], offline.targets)
/** Targets, too, is signed by holders alone. */
const foundedOffline = [unsigned, signsFor('targets', 0), signsFor('targets', 1)]
const signTargets = [signsFor('targets', 2), signsFor('targets', 0)]
const signTargetsAtOnce = (peek: Peek) => signTargets.map((sign) => sign(peek))

/** Each kind of task; one that is missing does not compile. */
const scenarios: { readonly [Kind in TaskKind]: Readonly<Record<string, Scenario>> } = {
  bootstrap: {
    signed: { before: [], tasks: [make.bootstrap()] },
    'after a task that came too early': { before: [make.add(['early'], 1)], tasks: [make.bootstrap()] },
    'to be signed': { before: [], tasks: [make.bootstrap([0])] },
    'of a repository that moves here': { before: [], tasks: [make.move()] },
    'of a repository that moves here, by its last signature': {
      before: [make.move([1])],
      tasks: [make.signature(0, { version: 3, online: 0 }), make.add(['a'], 1)],
    },
    'of a repository that moves here, and its next root': {
      before: [make.move()],
      tasks: [make.root({ version: 4, online: 0, signedBy: [0, 1] }), make.add(['a'], 1)],
    },
    'too late': { before: founded, tasks: [make.bootstrap()], ends: 'ERRORED' },
  },
  add_artifacts: {
    'in both bins': { before: founded, tasks: [make.add(['a', 'b', 'c', 'd'], 1)] },
    'that wait to be published': { before: founded, tasks: [make.add(['a'], 2, false)] },
    'in several tasks': { before: founded, tasks: [make.add(['a'], 1), make.add(['a', 'b'], 2), make.remove(['b'])] },
  },
  remove_artifacts: {
    published: { before: [...founded, make.add(['a', 'b'], 1)], tasks: [make.remove(['a'])] },
    parked: { before: [...founded, make.add(['a'], 1)], tasks: [make.remove(['a'], false)] },
  },
  publish_artifacts: {
    all: { before: [...founded, make.add(['a', 'b'], 1, false)], tasks: [make.publishParked()] },
  },
  import_artifacts: {
    'beside what is there, and what comes after': {
      before: [...founded, make.add(['a', 'b'], 1)],
      tasks: [make.import(['a', 'c', 'd'], 2), make.add(['c'], 3), make.add(['d'], 4, false)],
    },
    'into a role that its holder signs': {
      before: [...founded, ...team],
      tasks: [make.import(['t/x'], 1)],
      ends: 'ERRORED',
    },
  },
  change_bins: {
    'to more': { before: [...founded, make.add(['a', 'b'], 1)], tasks: [make.changeBins(8), make.add(['a'], 2)] },
    'to as many': { before: founded, tasks: [make.changeBins(2)], ends: 'ERRORED' },
  },
  update_settings: {
    days: { before: founded, tasks: [make.settings({ timestamp: 2, bins: 3 })] },
  },
  force_online_metadata_update: {
    all: { before: founded, tasks: [make.force([])] },
  },
  metadata_update: {
    signed: { before: founded, tasks: [make.root({ ...nextRoot, signedBy: [0, 1] })] },
    'to be signed': { before: founded, tasks: [make.root({ ...nextRoot, signedBy: [1] })] },
    'with new online keys': { before: founded, tasks: [make.root({ ...newKeys, signedBy: [0, 1] })] },
    'with new online keys, which many roles get ahead of it': {
      before: [...founded, make.add(['a', 'b'], 1), make.changeBins(4)],
      tasks: [make.root({ ...newKeys, signedBy: [0, 1] }), make.add(['a'], 2)],
    },
    'with new online keys, for the old ones are in the wrong hands': {
      before: founded,
      tasks: [make.root({ ...newKeys, signedBy: [0, 1] }, true), make.add(['a'], 1)],
    },
    'with new online keys, below targets signed offline': {
      before: [...foundedOffline, make.add(['a'], 1)],
      tasks: [make.root({ ...offline, ...newKeys, signedBy: [0, 1] }), make.add(['b'], 1)],
    },
    'with other holders of targets': {
      before: foundedOffline,
      tasks: [make.root({ ...nextRoot, targets: 'of two holders', signedBy: [0, 1] }), make.add(['a'], 1)],
    },
    'two in a row': {
      before: founded,
      tasks: [
        make.root({ ...nextRoot, signedBy: [0, 1] }),
        make.add(['a'], 1),
        make.root({ version: 3, online: 0, signedBy: [0, 1] }),
        make.add(['b'], 1),
      ],
    },
  },
  sign_metadata: {
    'the first root': { before: [make.bootstrap([0])], tasks: [make.signature(1, { version: 1, online: 0 })] },
    'the next root': {
      before: [...founded, make.root({ ...nextRoot, signedBy: [1] })],
      tasks: [make.signature(0, nextRoot)],
    },
    'the next root, whose online keys many roles get ahead of it': {
      before: [...founded, make.changeBins(4), () => make.root({ ...newKeys, signedBy: [1] })],
      tasks: [make.signature(0, newKeys), make.add(['a'], 1)],
    },
    'a role of its holders': { before: [...founded, make.delegate('add', 'team')], tasks: [signsFirst, signs] },
    'artifacts in a role of its holders': {
      before: [...founded, ...team, make.add(['t/x'], 1), signs],
      tasks: [signsFirst, make.add(['a'], 2)],
    },
    'the first targets': { before: [unsigned], tasks: [signTargetsAtOnce] },
    'the first root, after the first targets': {
      before: [make.bootstrap([0], offline.targets), ...signTargets],
      tasks: [make.signature(1, offline)],
    },
    'targets with a role more, by two holders at once': {
      before: [...foundedOffline, make.add(['c/d', 'a'], 1), make.delegate('add', 'shared')],
      tasks: [signTargetsAtOnce, make.add(['c/e'], 2)],
    },
    'targets with a role less': {
      before: [
        ...[...foundedOffline, make.delegate('add', 'shared'), ...signTargets],
        ...[make.add(['c/d'], 1), make.undelegate('shared'), signsFor('targets', 1)],
      ],
      tasks: [signsFor('targets', 0)],
    },
    'targets, and a role below it by its holders': {
      before: [...foundedOffline, make.delegate('add', 'team'), signsFor('targets', 1), signs, signsFirst],
      tasks: [signsFor('targets', 0)],
    },
    'targets, for the new online key below it': {
      before: [
        ...[...foundedOffline, make.root({ ...offline, ...newKeys, signedBy: [0, 1] })],
        ...[() => make.add(['a'], 1), make.renew([]), signsFor('targets', 1)],
      ],
      tasks: [signsFor('targets', 0), make.add(['b'], 1)],
    },
  },
  metadata_delegation: {
    'a role that the service signs': {
      before: [...founded, make.add(['a', 'c/d'], 1)],
      tasks: [make.delegate('add', 'shared')],
    },
    'a role that its holder signs': { before: founded, tasks: [make.delegate('add', 'team')] },
    changed: { before: [...founded, make.delegate('add', 'shared')], tasks: [make.delegate('update', 'shared')] },
    'taken away': {
      before: [...founded, make.delegate('add', 'shared'), make.add(['c/d'], 1)],
      tasks: [make.undelegate('shared')],
    },
    'with hash bins inside it, signed and filled': {
      before: [...founded, make.add(['v/y', 'a'], 1), make.delegate('add', 'vault')],
      tasks: [signsFor('vault', 0), make.add(['v/z'], 2)],
    },
    'whose bins get the new online key': {
      before: [
        ...[...founded, make.delegate('add', 'vault'), signsFor('vault', 0)],
        ...[() => make.root({ ...newKeys, signedBy: [0, 1] }), () => make.add(['v/y'], 1)],
      ],
      tasks: [make.renew([])],
    },
    'that its holders sign anew': {
      before: [...founded, ...team, () => make.renew(['team']), signsFirst],
      tasks: [signs],
    },
    'to other holders, some of whom have not signed': {
      before: [...founded, ...team, make.teamKeys('of two holders'), signsFor('team', 1)],
      tasks: [signs],
    },
    'to targets that its holders sign': {
      before: foundedOffline,
      tasks: [make.delegate('add', 'team'), make.add(['a'], 1)],
    },
  },
  upload_delegated_metadata: {
    'alone and with a change': {
      before: [...founded, make.delegate('add', 'shared'), () => make.add(['a'], 1), () => make.add(['b'], 1)],
      tasks: [make.upload('shared', 3, 7), make.add(['c/e'], 1)],
    },
  },
  revert: {
    'what was added, changed and removed': {
      before: [...founded, make.add(['a', 'b'], 1), () => make.add(['b', 'c'], 2), () => make.remove(['a'])],
      tasks: [make.revert(2)],
    },
    'with what the tasks before it did': {
      before: [...founded, make.add(['a'], 1)],
      tasks: [make.add(['a', 'b'], 2), make.revert(1), make.add(['c'], 1)],
    },
    'of a commit that never was': { before: founded, tasks: [make.revert(7)], ends: 'ERRORED' },
  },
  delete_sign_metadata: {
    'of the first root': { before: [make.bootstrap([0])], tasks: [make.cancel(), make.bootstrap()] },
    'of the first root, with targets that waits': {
      before: [make.bootstrap([0, 1], offline.targets), signsFor('targets', 0)],
      tasks: [make.cancel(), make.bootstrap()],
    },
    'of targets': {
      before: [...foundedOffline, make.renew(['targets']), signsFor('targets', 0)],
      tasks: [make.cancel('targets'), make.renew(['targets'])],
    },
    'of the next root': { before: [...founded, make.root({ ...nextRoot, signedBy: [1] })], tasks: [make.cancel()] },
  },
}

const shortLived = [make.settings({ timestamp: 1, snapshot: 1, bins: 1 }), make.force([]), make.add(['a', 'b'], 1)]
const halfSpent = 13 * 60 * 60_000

/** What nobody asks for. */
const upkeep: Readonly<Record<string, Scenario>> = {
  'the end of old online keys': {
    before: [...founded, make.root({ ...newKeys, signedBy: [0, 1] })],
    passes: 61_000,
    tasks: [],
  },
  'roles that are half spent': { before: [...founded, ...shortLived], passes: halfSpent, tasks: [] },
  'roles that are half spent, and a task': {
    before: [...foundedOffline, ...shortLived],
    passes: halfSpent,
    tasks: [make.add(['c'], 2)],
  },
}

/** Each with a name of its own. */
export const allScenarios: readonly (readonly [name: string, scenario: Scenario])[] = [
  ...Object.entries(scenarios).flatMap(([kind, cases]) =>
    Object.entries(cases).map(([name, scenario]) => [`${kind}: ${name}`, scenario] as const),
  ),
  ...Object.entries(upkeep),
]
