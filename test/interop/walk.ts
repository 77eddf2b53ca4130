/**
 * Foreign clients after each of many random changes of whatever can be changed: artifacts (parked, imported and taken back, too), roots
 * and online keys of every kind with their thresholds, hash bins, custom roles, what their holders sign here or elsewhere.
 * `cli/bin/node test/interop/walk.ts --seed N` repeats a walk, `--steps N` makes it longer, `--client NAME` asks one client alone.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseArgs } from 'node:util'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { publish } from '../../shared/repository/publish.ts'
import { openRepository } from '../../shared/repository/repository.ts'
import { canonicalText } from '../../shared/tuf/canonical.ts'
import { type JsonObject, parseJson } from '../../shared/tuf/json.ts'
import { apiOver } from '../support/api.ts'
import { signerOf, type TestRepository, testRepository } from '../support/repository.ts'
import { clientsFor, type RunningClient, startClient } from './clients.ts'
import { expected } from './expected.ts'
import { onlineKeys } from './random-roots.ts'
import { randomFrom, sha256 } from './scenario.ts'
import type { Flavour } from './service.ts'
import { paths, wanderer } from './wanderer.ts'

const { values: flags } = parseArgs({
  options: { seed: { type: 'string' }, steps: { type: 'string', default: '25' }, client: { type: 'string' } },
})
const seed = Number(flags.seed ?? Math.floor(Math.random() * 2 ** 32))
const steps = Number(flags.steps)
console.log(`walk: --seed ${seed} --steps ${steps}`)

for (const flavour of ['succinct_roles', 'path_hash_prefixes'] as const) describe(flavour, () => walk(flavour))

function walk(flavour: Flavour): void {
  const directory = mkdtempSync(join(tmpdir(), 'tuffet-walk-'))
  const root = join(directory, 'root.json')
  const running: RunningClient[] = []
  const history: string[] = []
  /** Metadata that a client has read, by name. */
  const read = new Map<string, string>()
  const targets = new Map<string, Buffer>()
  const base = testRepository()
  const ring = async () => {
    for (let cycle = 0; cycle < 3; cycle++) {
      const { unprepared } = await publish(repository)
      if (unprepared !== undefined) await prepare(repository, unprepared)
    }
  }
  const ports = { ...base.ports, signers: onlineKeys.map(signerOf), queue: { ring } }
  const repository: TestRepository = { ...base, ...openRepository(ports) }
  const found = expected()
  const wandering = wanderer(repository, apiOver(repository, { ring }), found, randomFrom(seed), flavour)

  const server = createServer(async (request, response) => {
    const [, kind, ...rest] = decodeURIComponent(request.url ?? '').split('/')
    const file = rest.join('/')
    const bytes = kind === 'metadata' ? (await ports.metadata.read(file))?.bytes : targets.get(file)
    if (kind === 'metadata' && bytes !== undefined) read.set(file, Buffer.from(bytes).toString())
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
  })

  before(async () => {
    await wandering.found()
    writeFileSync(root, (await ports.metadata.read('1.root.json'))?.bytes ?? '')
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const clients = clientsFor(flavour).filter(({ name }) => name === (flags.client ?? name))
    running.push(...clients.map(startClient))
  })

  after(() => {
    for (const client of running) client.stop()
    server.close()
    server.closeAllConnections()
    rmSync(directory, { recursive: true })
  })

  it('every client finds what it is to find, with the state that it has kept and with none', async () => {
    for (let step = 0; step < steps; step++) {
      history.push(await wandering.wander())
      for (const [path, bytes] of found.content()) offer(path, bytes)
      await Promise.all(running.map(readsEverything))
    }
  })

  it('python-tuf writes each file as it has read it', () => {
    const python = join(import.meta.dirname, '../../.cache/interop/venv/bin/python')
    const oracle = join(import.meta.dirname, '../tuf/python-tuf-oracle.py')
    const input = JSON.stringify({ read: [...read.values()] })
    const answers = JSON.parse(execFileSync(python, [oracle], { input, maxBuffer: 2 ** 30 }).toString())
    for (const [at, file] of [...read.values()].entries()) {
      const ours = parseJson(Buffer.from(file)) as JsonObject
      assert.equal(answers.read[at].canonical, canonicalText(ours['signed']))
      assert.deepEqual(JSON.parse(answers.read[at].file), JSON.parse(file))
    }
  })

  /** `dir/hash.name`, by whichever hash a client likes best, and `hash.dir/name` for tough. */
  function offer(path: string, bytes: Buffer): void {
    for (const digest of [sha256(bytes), createHash('sha512').update(bytes).digest('hex')]) {
      const inDirectory = path.replace(/[^/]*$/, (name) => `${digest}.${name}`)
      for (const file of [inDirectory, `${digest}.${path}`]) targets.set(file, bytes)
    }
  }

  async function readsEverything(client: RunningClient): Promise<void> {
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    const urls = { metadataUrl: `${url}/metadata/`, targetsUrl: `${url}/targets/` }
    const kept = join(directory, client.name)
    mkdirSync(kept, { recursive: true, mode: 0o700 })
    const content = found.content()
    const wanted = paths.map((path) => {
      const bytes = content.get(path)
      return bytes === undefined ? { path, outcome: 'absent' } : { path, outcome: 'verified', sha256: sha256(bytes) }
    })
    for (const state of [kept, mkdtempSync(join(directory, 'fresh-'))]) {
      const answer = await client.ask({ ...urls, root, state, targets: paths })
      const which = `${client.name}, ${state === kept ? 'with its state' : 'new'}`
      assert.deepEqual(answer.ok ? answer.targets : answer.error, wanted, `${which}:\n${history.join('\n')}\n`)
    }
  }
}
