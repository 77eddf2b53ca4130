import assert from 'node:assert/strict'
import { directoryObjectStore, openDirectoryObjectStore } from '../../shared/adapters/local/directory-object-store.ts'
import type { FileSystem } from '../../shared/adapters/local/file-system.ts'
import { loggedFiles } from '../../shared/adapters/local/logged-files.ts'
import { unsyncedFiles } from '../../shared/adapters/local/unsynced-files.ts'
import { openWriteAheadLog, type WriteAheadLog } from '../../shared/adapters/local/write-ahead-log.ts'
import { checkRepository } from '../../shared/repository/check/check.ts'
import { unusedFiles } from '../../shared/repository/check/unused-files.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { type Entry, readEntry } from '../../shared/repository/journal.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { type Client, tufClient } from '../support/client.ts'
import { type Disk, emptyDisk } from './fragile-disk.ts'
import { perform } from './model.ts'
import { emptyModel } from './model-state.ts'
import { type Power, power } from './power.ts'
import { make, seededRandom, startProcess, type VirtualTime } from './world.ts'

/** What is sent, by the name of who sends it; the same again until it is answered. */
const plans: Readonly<Record<string, readonly TaskRequest[]>> = {
  founder: [
    make.bootstrap(),
    make.add(['a', 'b'], 1),
    make.root({ version: 2, online: 0, signedBy: [0, 1] }),
    make.remove(['a']),
    make.add(['a'], 2),
  ],
  builder: [
    make.add(['c', 'd/e'], 3),
    make.settings({ timestamp: 2, bins: 20 }),
    make.add(['c'], 4),
    make.add(['f'], 5, false),
    make.root({ version: 3, online: 1, signedBy: [0, 1] }),
    make.publishParked(),
    make.add(['b', 'c'], 6),
  ],
}

const lives = 4

/**
 * The service over directories of a disk that loses its power at a random operation, again and again, or whose process is
 * killed. At the end everything that was accepted has been done once, and what lies there is what the journal says. Throws
 * when it is not.
 */
export async function losePower(seed: number, mutant = (fs: FileSystem) => fs): Promise<void> {
  const random = seededRandom(seed)
  const choose = (count: number) => Math.floor(random() * count)
  const time: VirtualTime = { now: Date.parse('2030-01-01T00:00:00Z') }
  /** Ids of accepted tasks, with what they ask. */
  const accepted = new Map<string, TaskRequest>()
  const next = new Map(Object.keys(plans).map((name) => [name, 0]))
  const logs = new Map<ObjectStore, WriteAheadLog>()
  let client: Client | undefined
  let disk = emptyDisk()

  for (let life = 1; life <= lives; life++) {
    const supply = power(choose, life === lives ? Number.POSITIVE_INFINITY : 1 + choose(500))
    const repository = open(disk, supply)
    const living = Promise.all([
      ...Object.entries(plans).map(async ([name, requests]) => submitAll(await repository, name, requests)),
      repository.then(serve),
    ])
    // Of a process that is cut off nothing moves any more.
    await Promise.race([living, supply.cut]).finally(supply.end)
    time.now += 61_000
    if (random() < 0.8) disk = disk.afterPowerCut(choose)
  }
  const repository = await open(disk, power(choose, Number.POSITIVE_INFINITY))
  await publish(repository)
  await isWhole(repository)

  async function open(disk: Disk, { turn }: Power): Promise<Repository> {
    const fs = mutant(disk.fileSystem(turn))
    // With every other seed it is soon so long that writers wait for it.
    const log = await openWriteAheadLog(
      '/data',
      fs,
      seed % 2 === 0 ? { segment: 2000, unhurried: 4000, most: 8000 } : {},
    )
    const metadata = await openDirectoryObjectStore('/data/metadata', fs, loggedFiles(fs, log))
    const state = await openDirectoryObjectStore(
      '/data/state',
      fs,
      loggedFiles(fs, log, ['/data/state/inbox', '/data/state/tasks']),
    )
    logs.set(state, log)
    const hints = directoryObjectStore('/data/state', fs, unsyncedFiles(fs))
    return startProcess({ metadata, state, hints }, time)
  }

  async function submitAll(repository: Repository, name: string, requests: readonly TaskRequest[]): Promise<void> {
    for (let at = next.get(name) ?? 0; at < requests.length; at++) {
      const request = requests[at] as TaskRequest
      const { id } = await submit(repository, { request, principal: name, idempotencyKey: String(at) })
      accepted.set(id, request)
      next.set(name, at + 1)
      assert.ok(await readTask(repository, id), `task ${id} is not known`)
    }
  }

  /** Publishes until nobody sends any more; a client that remembers looks each time. */
  async function serve(repository: Repository): Promise<void> {
    for (;;) {
      await publish(repository)
      if (random() < 0.3) await logs.get(repository.ports.state)?.settle(random() < 0.5 ? 'all' : 'older')
      if ((await readCurrent(repository)) !== undefined) await look(repository)
      if (Object.entries(plans).every(([name, { length }]) => next.get(name) === length)) break
    }
    await publish(repository)
    await look(repository)
  }

  async function look({ ports: { metadata } }: Repository): Promise<void> {
    const before = client?.trusted ?? {}
    const read = async (file: string) => (await metadata.read(file))?.bytes
    const now = tufClient(read, () => new Date(time.now), before)
    await now.refresh()
    client = now
  }

  async function isWhole(repository: Repository): Promise<void> {
    const { metadata, state } = repository.ports
    await look(repository)
    const read = async (file: string) => (await metadata.read(file))?.bytes
    const report = await checkRepository({ read, now: new Date(time.now) })
    assert.deepEqual(report.findings, [])
    assert.deepEqual(unusedFiles(report, await metadata.list('')).strange, [])
    assert.deepEqual(await state.list('inbox/'), [], 'tasks still wait')

    const model = emptyModel()
    const done = new Set<string>()
    for (const entry of await journal(repository)) {
      for (const { id, state: ended } of entry.tasks) {
        const request = accepted.get(id)
        assert.ok(request, `nobody was told that task ${id} was accepted`)
        assert.ok(!done.has(id), `task ${id} was done twice`)
        done.add(id)
        const situation = {
          taskId: id,
          base: entry.base.number,
          versionOf: () => 0,
          later: new Set<string>(),
          draftOf: () => undefined,
        }
        assert.equal(ended, perform(model, request, situation), request.kind)
        assert.equal((await readTask(repository, id))?.state, ended)
      }
    }
    for (const [id, { kind }] of accepted) await isDone(repository, id, kind, done)
    assert.deepEqual([...((await client?.everything()) ?? [])].sort(), [...model.targets].sort())
  }

  /** What came before the bootstrap was refused without a commit. */
  async function isDone(repository: Repository, id: string, kind: string, done: ReadonlySet<string>): Promise<void> {
    const standing = await readTask(repository, id)
    const early = standing?.state === 'ERRORED' && 'commit' in standing.task && standing.task.commit === 0
    assert.ok(done.has(id) || early, `task ${id} (${kind}) was lost`)
  }
}

/** The entries that were committed, the oldest first; each is what the next one says of it. */
async function journal(repository: Repository): Promise<Entry[]> {
  const current = await readCurrent(repository)
  assert.ok(current, 'nothing was published')
  const entries: Entry[] = []
  for (let { entry } = current; ; ) {
    entries.unshift(entry)
    if (entry.base.number === 0) return entries
    const below = await readEntry(repository.ports.state, entry.base.number)
    assert.equal(below.sha256, entry.base.sha256, `the hash of entry ${entry.base.number}`)
    entry = below.entry
  }
}
