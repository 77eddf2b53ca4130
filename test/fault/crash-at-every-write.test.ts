import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readTask } from '../../shared/repository/read.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { FinalState, TaskKind, TaskRequest } from '../../shared/repository/task.ts'
import { audit } from './auditor.ts'
import { publishAll, upload } from './long-work.ts'
import { type Death, type Mortal, mortal } from './mortal.ts'
import type { Plan } from './plans.ts'
import { type HeldRole, make, startProcess, type VirtualTime } from './world.ts'

/** A task, or one that is made from what has been published before it. */
type Step = TaskRequest | Plan

/** What is there before, and the tasks over which the publisher dies. */
interface Scenario {
  readonly before: readonly Step[]
  readonly tasks: readonly Step[]
  readonly ends?: FinalState
}

const founded = [make.bootstrap()]
const nextRoot = { version: 2, online: 0 } as const
const signsFor =
  (role: HeldRole): Plan =>
  ({ waiting }) =>
    make.heldSignature(role, waiting.get(role) ?? assert.fail('nothing waits for a signature'))
const signs = signsFor('team')
const newKeys = { version: 2, online: 1 } as const

/** Each kind of task; one that is missing does not compile. */
const scenarios: { readonly [Kind in TaskKind]: Readonly<Record<string, Scenario>> } = {
  bootstrap: {
    signed: { before: [], tasks: [make.bootstrap()] },
    'after a task that came too early': { before: [make.add(['early'], 1)], tasks: [make.bootstrap()] },
    'to be signed': { before: [], tasks: [make.bootstrap([0])] },
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
      before: [...founded, make.delegate('add', 'team'), signs],
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
    'with new online keys, for the old ones are in the wrong hands': {
      before: founded,
      tasks: [make.root({ ...newKeys, signedBy: [0, 1] }, true), make.add(['a'], 1)],
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
    'a role of its holder': { before: [...founded, make.delegate('add', 'team')], tasks: [signs] },
    'artifacts in a role of its holder': {
      before: [...founded, make.delegate('add', 'team'), signs, make.add(['t/x'], 1)],
      tasks: [signs, make.add(['a'], 2)],
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
      tasks: [signsFor('vault'), make.add(['v/z'], 2)],
    },
    'whose bins get the new online key': {
      before: [
        ...[...founded, make.delegate('add', 'vault'), signsFor('vault')],
        ...[() => make.root({ ...newKeys, signedBy: [0, 1] }), () => make.add(['v/y'], 1)],
      ],
      tasks: [make.renew([])],
    },
    'that its holder signs anew': {
      before: [...founded, make.delegate('add', 'team'), signs, () => make.renew(['team'])],
      tasks: [signs],
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
    'of the next root': { before: [...founded, make.root({ ...nextRoot, signedBy: [1] })], tasks: [make.cancel()] },
  },
}

/** An update of all roles is done ahead, too. */
const start = (stores: Parameters<typeof startProcess>[0], time: VirtualTime) =>
  startProcess(stores, time, { limits: { aheadFrom: 3 } })

function world() {
  const time: VirtualTime = { now: Date.parse('2030-01-01T00:00:00Z') }
  const auditor = audit(time, { everyClient: true })
  const accepted: string[] = []
  const api = startProcess(auditor, time)
  return {
    time,
    auditor,
    async submit(steps: readonly Step[]) {
      for (const step of steps) {
        if (typeof step === 'function') await publishAll(start(auditor, time))
        const request = typeof step === 'function' ? step(auditor.peek()) : step
        assert.ok(request)
        await upload(request, auditor.state)
        accepted.push((await submit(api, { request, principal: 'test' })).id)
      }
    },
    /** By a process that knows nothing yet, after the lease of one that died is over. */
    async publishAfresh() {
      time.now += 61_000
      await publishAll(start(auditor, time))
      await auditor.look()
    },
    async ended(): Promise<(FinalState | 'PENDING' | undefined)[]> {
      return Promise.all(accepted.map(async (id) => (await readTask(api, id))?.state))
    },
    finish: () => auditor.finish([accepted]),
  }
}

/** Publishes the tasks, dies meanwhile, and is followed by another process; what the first one came to do. */
async function die(
  { before, tasks, ends = 'SUCCESS' }: Scenario,
  death: Death | undefined,
): Promise<Mortal['operations']> {
  const { auditor, time, ...tried } = world()
  await tried.submit(before)
  await publishAll(start(auditor, time))
  await tried.submit(tasks)
  const process = mortal(auditor, death)
  await Promise.race([publishAll(start(process, time)), process.died])
  await auditor.look()
  await tried.publishAfresh()
  if (auditor.violation !== undefined) throw auditor.violation
  tried.finish()
  const states = (await tried.ended()).slice(before.length)
  assert.deepEqual(
    states,
    tasks.map(() => ends),
  )
  return process.operations
}

for (const [kind, cases] of Object.entries(scenarios)) {
  describe(`The publisher dies over ${kind}`, () => {
    for (const [name, scenario] of Object.entries(cases)) {
      it(name, async () => {
        const operations = await die(scenario, undefined)
        for (const [index, operation] of operations.entries()) {
          // A read that was answered has changed nothing: that is the death before the next one.
          for (const after of operation === 'read' ? [false] : [false, true]) {
            try {
              await die(scenario, { at: index + 1, after })
            } catch (cause) {
              const when = `${after ? 'after' : 'before'} operation ${index + 1} of ${operations.length}`
              throw new Error(`It died ${when}.`, { cause })
            }
          }
        }
      })
    }
  })
}
