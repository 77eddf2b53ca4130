import assert from 'node:assert/strict'
import { sha256 } from '../../shared/repository/documents.ts'
import type { BootstrapDocument } from '../../shared/repository/found.ts'
import { type Entry, entryName } from '../../shared/repository/journal.ts'
import type { ObjectStore, Signer } from '../../shared/repository/ports.ts'
import type { AcceptedTask, DecidedTask, FinishedTask, TaskRequest } from '../../shared/repository/task.ts'
import type { Json } from '../../shared/tuf/json.ts'
import type { TargetFile } from '../../shared/tuf/metadata.ts'
import { type Client, tufClient } from '../support/client.ts'
import { collectionRules } from './collection-rules.ts'
import { changesAreExplained, everythingIsDone, filesExpireAsSettingsSay, followsSeal } from './commit-rules.ts'
import { countedSigners } from './counted-signers.ts'
import { type Drafts, draftsAfter, draftsBefore, noteSigned } from './drafts.ts'
import { isLong, laterThan } from './long-work.ts'
import { perform } from './model.ts'
import { emptyModel, type Model } from './model-state.ts'
import type { Peek } from './plans.ts'
import { isBlocked, namedBySnapshot, type Objects, read, signersOf, versionIn } from './stored.ts'
import { watched } from './watched.ts'
import { type HeldRole, hashOf, onlineKeys, rolesOfWorld, type VirtualTime } from './world.ts'

const changing = ['timestamp.json', 'bootstrap.json', 'lease.json', 'collected.json']

/** Two stores, and what was promised of them checked after every single write, by reading nothing but what they hold. */
export interface Auditor {
  readonly metadata: ObjectStore
  readonly state: ObjectStore
  readonly signers: readonly Signer[]
  /** The first promise that was broken. */
  violation: unknown
  /** False: for now clients of earlier states do not look, only a fresh one. */
  isThorough: boolean
  /** Clients of every state that there was and a fresh one look again. */
  look(): Promise<unknown>
  /** Nothing is left to do, and everything that was accepted is done. `accepted`: ids in the order in which each submitter got them. */
  finish(accepted: readonly (readonly string[])[]): void
  /** The number of the last commit. */
  commits(): number
  /** What its submitters may know of a repository. */
  peek(): Peek
  /** Roles that may be, or may have been, signed elsewhere, under versions of their own. */
  signedElsewhere(): readonly string[]
  /** How many tasks were left out because they crashed their publishers. */
  poisoned(): number
  /** When a client could last fail because an online key was replaced that had been compromised. */
  exposedUntil(): number
}

/** `everyClient`: after each commit clients of every earlier state look, not only of the last one. */
export function audit(time: VirtualTime, { everyClient }: { readonly everyClient: boolean }): Auditor {
  const objects: Objects = { metadata: new Map<string, Uint8Array>(), state: new Map<string, Uint8Array>() }
  const used = new Map<string, string>()
  const requests = new Map<string, TaskRequest>()
  const decided = new Map<string, FinishedTask>()
  const model = emptyModel()
  const rules = collectionRules(time)
  let head: Entry | undefined
  const commits: Entry[] = []
  let poisoned = 0
  let sealed: BootstrapDocument | undefined
  /** As they were after earlier commits; copies of them look. */
  let clients: readonly Client[] = []
  const rootSeen = new Map<number, number>()
  let exposed = 0
  /** The newest version of each role below targets. */
  const versions = new Map<string, number>()
  let draftsOfHead: Drafts = new Map()

  const fresh = () =>
    tufClient(
      async (file) => objects.metadata.get(file),
      () => new Date(time.now),
    )
  const document = <Kind>(name: string) => read<Kind>(objects.state, name)

  async function written(which: 'metadata' | 'state', name: string, bytes: Uint8Array): Promise<void> {
    if (!changing.includes(name)) neverUsedForOther(name, bytes)
    if (which === 'metadata') return writtenMetadata(name)
    if (name.startsWith('inbox/')) requests.set(idOf(name), document<AcceptedTask>(name).request)
    if (name.startsWith('tasks/'))
      assert.deepEqual(document(name), decided.get(idOf(name)), `${name} before it is visible`)
    if (name === 'bootstrap.json') writtenHead(document(name))
    if (name.startsWith('commits/')) rules.claimed(document(name))
    if (name.startsWith('state/')) isDecided(name)
  }

  function isDecided(name: string): void {
    const [, number, part] = /^state\/(\d+)\.(\w+)\.json$/.exec(name) ?? []
    const { state } = document<Entry>(entryName(Number(number)))
    assert.equal(state[part as keyof typeof state], Number(number), `${name} is not in its journal entry`)
  }

  function neverUsedForOther(name: string, bytes: Uint8Array): void {
    if (name.startsWith('preparations/')) return
    const hash = sha256(bytes)
    const known = used.get(name)
    // A task that came back has another time of acceptance; it counts by its id.
    assert.ok(known === undefined || known === hash || name.startsWith('inbox/'), `${name} was used for two contents`)
    used.set(name, hash)
  }

  async function writtenMetadata(name: string): Promise<void> {
    const version = Number.parseInt(name, 10)
    if (name === 'timestamp.json') {
      await committed()
    } else if (name === `${version}.root.json`) {
      // Those of a predecessor come before ours.
      const isEarlier = head === undefined && version < model.root.version
      assert.ok(isEarlier || version === model.root.version, `${name} without a commit`)
      rootSeen.set(version, time.now)
      if (model.rotating === 'compromised') exposed = time.now
      await look()
    } else if (!signedElsewhere().some((role) => name === `${version}.${role}.json`)) {
      assert.ok(document<Entry>(entryName(version)).creates.includes(name), `${name} is not in its journal entry`)
    }
  }

  const signedElsewhere = () => [...Object.keys(rolesOfWorld), ...(model.keyBelow.has('targets') ? ['targets'] : [])]

  function writtenHead(next: BootstrapDocument): void {
    assert.equal(sealed, undefined, 'bootstrap.json was sealed')
    assert.equal(head, undefined, 'bootstrap.json after the first commit')
    for (const id of decided.keys()) assert.ok(objects.state.has(`tasks/${id}.json`), `${id} was not finished in time`)
    for (const task of next.tasks) decide(task, 0, draftsBefore(next))
    if (next.sealed === undefined) return
    sealed = next
    // These end with the first commit, not before.
    for (const { id } of next.tasks) decided.delete(id)
  }

  /** The outcome of a task has to be what the model says, and a task has one. */
  function decide(task: DecidedTask, commit: number, drafted: Drafts): void {
    assert.ok(!decided.has(task.id), `task ${task.id} was decided twice`)
    const request = requests.get(task.id)
    assert.ok(request, `task ${task.id} was never submitted`)
    // What crashed its publishers three times is left out; whether it was that often, the simulation knows.
    if (task.state === 'FAILURE') poisoned++
    else if (!isBlocked(request, task, objects)) {
      const situation = {
        taskId: task.id,
        base: head?.number ?? 0,
        versionOf: (role: string) => versions.get(role) ?? 0,
        later: laterThan(task.id, commits, objects.state),
        draftOf: hashIn(drafted),
      }
      assert.equal(task.state, perform(model, request, situation), `${request.kind}: ${JSON.stringify(task.result)}`)
    }
    if (request.kind === 'upload_delegated_metadata' && task.state === 'SUCCESS')
      versions.set(request.role, versionIn(request.metadata))
    if (request.kind === 'sign_metadata') noteSigned(draftsOfHead, model, versions)
    decided.set(task.id, { schema: 1, ...task, commit })
  }

  async function committed(): Promise<void> {
    const { signed } = JSON.parse(Buffer.from(objects.metadata.get('timestamp.json') ?? '').toString())
    const entry = document<Entry>(entryName(signed.version))
    followsBase(entry)
    for (const file of entry.creates) assert.ok(objects.metadata.has(file), `${file} is missing at its commit`)
    const before = new Map(model.targets)
    endsRotation(entry)
    if (head === undefined) {
      assert.deepEqual(entry.tasks, sealed?.tasks, 'the first commit decides what was sealed')
      for (const task of entry.tasks) decided.set(task.id, { schema: 1, ...task, commit: entry.number })
    } else {
      const drafted = draftsAfter(entry, document)
      for (const task of entry.tasks) decide(task, entry.number, drafted)
      draftsOfHead = drafted
    }
    changesAreExplained(entry, before, model.targets, (name) => objects.state.get(name))
    head = entry
    commits.push(entry)
    rules.committed(entry)
    model.history.set(entry.number, new Map(model.targets))
    const seen = await look()
    // An aborted commit may have put the same metadata together with the signatures of others.
    for (const role of model.signedBy.keys())
      model.signedBy.set(role, signersOf(objects.metadata, `${seen.get(`${role}.json`)?.version}.${role}.json`))
    for (const [file, { version }] of seen) versions.set(file.replace('.json', ''), version)
    filesExpireAsSettingsSay(
      entry,
      model.expiration,
      objects.metadata,
      (number) => document<Entry>(entryName(number)).time,
    )
  }

  function followsBase({ number, base }: Entry): void {
    if (head === undefined) {
      followsSeal({ number, base }, sealed, objects)
      return
    }
    assert.ok(number > head.number, `the commits went back from ${head.number} to ${number}`)
    const bytes = objects.state.get(entryName(head.number)) ?? new Uint8Array()
    assert.deepEqual(
      base,
      { number: head.number, sha256: sha256(bytes) },
      `commit ${number} does not follow ${head.number}`,
    )
    // No commit before the one below it is finished.
    for (const { id } of head.tasks)
      assert.ok(used.has(`tasks/${id}.json`), `${id} was not finished before commit ${number}`)
    assert.ok(objects.metadata.has(`${model.root.version}.root.json`), `no root file before commit ${number}`)
  }

  /** Old online keys stop signing no sooner than clients had time to see the new root. */
  function endsRotation({ number, state }: Entry): void {
    if (model.rotating === undefined || state.rotation !== number) return
    const visible = rootSeen.get(model.root.version)
    const grace = model.rotating === 'compromised' ? 0 : 60_000
    assert.ok(visible !== undefined && time.now - visible >= grace, 'a rotation ended within its grace period')
    model.rotating = undefined
  }

  /**
   * A compromised key has signed nothing more, and the root that says so is about to come: whoever refreshes in between fails,
   * once. Every other way out would let that key sign on.
   */
  function isExposed(): boolean {
    return model.rotating === 'compromised' && !objects.metadata.has(`${model.root.version}.root.json`)
  }

  /** What the snapshot names. */
  async function look(): Promise<ReadonlyMap<string, { readonly version: number }>> {
    if (head === undefined) return new Map()
    if (isExposed()) return namedBySnapshot(objects.metadata)
    const client = fresh()
    await client.refresh()
    assert.equal(client.trusted.timestamp?.signed.version, head.number, 'the version that clients see')
    assert.deepEqual(sorted(await client.everything()), sorted(model.targets), 'the targets that clients see')
    if (auditor.isThorough) for (const earlier of clients) await earlier.copy().refresh()
    clients = everyClient ? [...clients, client] : [client]
    return client.trusted.snapshot?.signed.meta ?? new Map()
  }

  function drafts(): Drafts {
    if (head !== undefined) return draftsAfter(head, document)
    return objects.state.has('bootstrap.json') ? draftsBefore(document('bootstrap.json')) : new Map()
  }

  async function deleted(which: 'metadata' | 'state', name: string): Promise<void> {
    if (name.startsWith('inbox/')) {
      assert.ok(objects.state.has(`tasks/${idOf(name)}.json`), `${name} was deleted before its result was there`)
      return
    }
    if (name.startsWith('preparations/')) {
      assert.ok(decided.has(idOf(name)), `${name} was deleted before its task was decided`)
      return
    }
    rules.mayGo(name)
    if (which === 'metadata') await look()
  }

  function watchedStore(which: 'metadata' | 'state'): ObjectStore {
    const checked = async (check: Promise<void>) => {
      await check.catch((error) => {
        auditor.violation ??= error
      })
    }
    return watched(
      () => time.now,
      objects[which],
      (name, bytes) => checked(written(which, name, bytes)),
      (name) => checked(deleted(which, name)),
    )
  }

  const auditor: Auditor = {
    metadata: watchedStore('metadata'),
    state: watchedStore('state'),
    signers: countedSigners(objects.state, (broken) => {
      auditor.violation ??= broken
    }),
    violation: undefined,
    isThorough: true,
    look,
    finish: (accepted) =>
      everythingIsDone(accepted, [...decided.keys()], objects.state, (id) => isLong(requests.get(id))),
    commits: () => head?.number ?? 0,
    peek: () => ({
      commit: head?.number ?? 0,
      versionOf: (role) => versions.get(role) ?? 0,
      waiting: drafts(),
      roles: model.roles,
      root: rootOfWorld(model.root),
      pendingRoot: model.pending && rootOfWorld(model.pending),
    }),
    signedElsewhere,
    poisoned: () => poisoned,
    exposedUntil: () => (isExposed() ? time.now : exposed),
  }
  return auditor
}

const rootOfWorld = ({ version, online, targets }: Model['root']) =>
  ({ version, online: onlineKeys[1].keyid === online ? 1 : 0, targets }) as const
const hashIn = (drafted: Drafts) => (role: HeldRole) => {
  const draft = drafted.get(role)
  return draft && hashOf(draft.signedBytes)
}
const idOf = (name: string) => name.slice(name.indexOf('/') + 1, -'.json'.length)
const sorted = (map: ReadonlyMap<string, TargetFile>) =>
  [...map].sort(([one], [other]) => (one < other ? -1 : 1)).map(([path, info]) => [path, info as unknown as Json])
