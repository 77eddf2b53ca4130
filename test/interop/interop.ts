/**
 * Foreign TUF clients read what the service publishes, for both flavours of hash bins, after every step of a random
 * history: `npm run test:interop`. `--seed N` repeats a history.
 */

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, afterEach, before, describe, it, type TestContext } from 'node:test'
import { parseArgs } from 'node:util'
import { type Attack, startAttacker } from './attacker.ts'
import { clientsFor, type RunningClient, startClient } from './clients.ts'
import type { Answer, TargetAnswer, Versions } from './protocol.ts'
import { apply, type Batch, type Content, paths, randomBatch, randomFrom, sha256 } from './scenario.ts'
import { download, type Flavour, type Service, startService, submit } from './service.ts'

const BATCHES = 20
/** The clients run side by side. */
const STEP = { timeout: 60_000, concurrency: true }

const { values: flags } = parseArgs({ options: { seed: { type: 'string' } } })
const seed = Number(flags.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`interop: --seed ${seed}`)

for (const flavour of ['succinct_roles', 'path_hash_prefixes'] as const) describe(flavour, () => interoperate(flavour))

function interoperate(flavour: Flavour): void {
  const clients = clientsFor(flavour)
  const random = randomFrom(seed)
  const directory = mkdtempSync(join(tmpdir(), 'tuffet-interop-'))
  const root = join(directory, 'root.json')
  const running: RunningClient[] = []
  const lastSeen = new Map<RunningClient, Versions>()
  let service: Service
  let content: Content = new Map()
  let allPassed = true

  before(async () => {
    service = await startService(flavour, directory)
    writeFileSync(root, await download(new URL('metadata/1.root.json', service.url)))
    running.push(...clients.map(startClient))
  })

  afterEach((test) => {
    allPassed &&= 'passed' in test && test.passed
  })

  after(async () => {
    for (const client of running) client.stop()
    await service?.stop()
    if (allPassed) rmSync(directory, { recursive: true })
    else console.log(`interop: the service's log and data and the clients' states are kept in ${directory}`)
  })

  it('after bootstrap', STEP, (test) => everyClient(test, readsEverything))

  for (let n = 1; n <= BATCHES; n++) {
    it(`after batch ${n}`, STEP, async (test) => {
      const batch = randomBatch(random, content)
      await publish(batch)
      content = apply(batch, content)
      await everyClient(test, readsEverything)
    })
  }

  it('after a forced refresh', STEP, async (test) => {
    await submit(service, 'metadata/online', { roles: [] })
    await everyClient(test, readsEverything)
  })

  it('refuses a changed target', STEP, async (test) => {
    const flipFirstBit: Attack = (path, body) => {
      if (path.startsWith('/artifacts/')) body.writeUInt8(body.readUInt8(0) ^ 1, 0)
      return body
    }
    await using attacker = await startAttacker(service.url, flipFirstBit)
    await everyClient(test, async (client) => {
      const answer = succeeded(await ask(client, freshState(), attacker.url))
      assert.deepEqual(
        answer.targets.map(({ path, outcome }) => ({ path, outcome })),
        paths.map((path) => ({ path, outcome: findable(client, path) ? 'refused' : 'absent' })),
      )
    })
  })

  it('refuses a forged timestamp', STEP, async (test) => {
    const forge: Attack = (path, body) => {
      if (path !== '/metadata/timestamp.json') return body
      const timestamp = JSON.parse(body.toString())
      timestamp.signed.version += 1
      return Buffer.from(JSON.stringify(timestamp))
    }
    await everyClient(test, (client) => refusesToRefresh(client, forge))
  })

  it('refuses a timestamp that goes back', STEP, async (test) => {
    const old = await download(new URL('metadata/timestamp.json', service.url))
    await submit(service, 'metadata/online', { roles: [] })
    const replay: Attack = (path, body) => (path === '/metadata/timestamp.json' ? old : body)
    await everyClient(test, (client) => refusesToRefresh(client, replay))
  })

  /** The files first, as a publisher does: who reads the new metadata finds them. Removed files stay, so only metadata can refuse them. */
  async function publish({ added, removed }: Batch): Promise<void> {
    for (const [path, bytes] of added) {
      const file = join(service.artifacts, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, bytes)
    }
    const artifacts = [...added].map(([path, bytes]) => ({
      path,
      info: { length: bytes.length, hashes: { sha256: sha256(bytes) } },
    }))
    await Promise.all([
      submit(service, 'artifacts', { artifacts }),
      submit(service, 'artifacts/delete', { artifacts: removed }),
    ])
  }

  async function everyClient(test: TestContext, check: (client: RunningClient) => Promise<void>): Promise<void> {
    await Promise.all(running.map((client) => test.test(client.name, () => check(client))))
  }

  /** With the state kept from the step before, then as a client that starts today. */
  async function readsEverything(client: RunningClient): Promise<void> {
    const previous = lastSeen.get(client) ?? { root: 0, timestamp: 0, snapshot: 0 }
    const kept = succeeded(await ask(client, keptState(client), service.url))
    const fresh = succeeded(await ask(client, freshState(), service.url))
    assert.deepEqual(kept.targets, expectedTargets(client), 'with kept state')
    assert.deepEqual(fresh.targets, expectedTargets(client), 'with fresh state')
    assert.ok(kept.versions.timestamp > previous.timestamp, 'every step publishes a new timestamp')
    assertNotBack(previous, kept.versions)
    assertNotBack(kept.versions, fresh.versions)
    lastSeen.set(client, fresh.versions)
  }

  async function refusesToRefresh(client: RunningClient, attack: Attack): Promise<void> {
    await using attacker = await startAttacker(service.url, attack)
    const state = freshState()
    succeeded(await ask(client, state, service.url))
    const answer = await ask(client, state, attacker.url)
    assert.equal(answer.ok, false, 'the refresh should have failed')
  }

  function ask(client: RunningClient, state: string, url: URL): Promise<Answer> {
    const metadataUrl = new URL('metadata/', url).href
    const targetsUrl = new URL('artifacts/', url).href
    return client.ask({ metadataUrl, targetsUrl, root, state, targets: paths })
  }

  function expectedTargets(client: RunningClient): TargetAnswer[] {
    return paths.map((path) => {
      const bytes = findable(client, path)
      return bytes ? { path, outcome: 'verified', sha256: sha256(bytes) } : { path, outcome: 'absent' }
    })
  }

  function findable(client: RunningClient, path: string): Buffer | undefined {
    return client.cannotFind.includes(path) ? undefined : content.get(path)
  }

  function keptState(client: RunningClient): string {
    const state = join(directory, client.name)
    mkdirSync(state, { recursive: true, mode: 0o700 })
    return state
  }

  function freshState(): string {
    return mkdtempSync(join(directory, 'fresh-'))
  }
}

function succeeded(answer: Answer): Answer & { ok: true } {
  if (!answer.ok) assert.fail(`the refresh failed: ${answer.error}`)
  return answer
}

function assertNotBack(before: Versions, now: Versions): void {
  for (const role of ['root', 'timestamp', 'snapshot'] as const)
    assert.ok(now[role] >= before[role], `${role} went back from version ${before[role]} to ${now[role]}`)
}
