/**
 * Foreign TUF clients through the life of custom roles beside hash bins and inside them, in both flavours: a client that has
 * kept its state since the bootstrap and one that starts anew, after every step. Run it by hand, after install.sh:
 * `node test/interop/delegations.ts`.
 */

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { targetPath } from '../../shared/tuf/names.ts'
import { customRole, delegation, keysOf, removal, sign, succeeds } from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { bootstrapped, type TestRepository } from '../support/repository.ts'
import { clientsFor, type RunningClient, startClient } from './clients.ts'
import { sha256 } from './scenario.ts'
import type { Flavour } from './service.ts'

const [ann, bob] = [makeKey(), makeKey('ecdsa')]
const content = (path: string) => Buffer.from(`content of ${path}`)

const paths = [
  'a',
  '.hidden',
  'x/y/z',
  'settings/.env',
  'project/a',
  'project/b/.c',
  'offline/a',
  'binned/a',
  'binned/b',
]

for (const flavour of ['succinct_roles', 'path_hash_prefixes'] as const) describe(flavour, () => life(flavour))

function life(flavour: Flavour): void {
  const directory = mkdtempSync(join(tmpdir(), 'tuffet-delegations-'))
  const root = join(directory, 'root.json')
  const running: RunningClient[] = []
  const published = new Set<string>()
  let repository: TestRepository
  const server = createServer(async (request, response) => {
    const [, kind, ...rest] = decodeURIComponent(request.url ?? '').split('/')
    const file = rest.join('/')
    const bytes = kind === 'metadata' ? (await repository.ports.metadata.read(file))?.bytes : target(file)
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
  })

  /** `dir/hash.name`, as consistent snapshots have it. */
  function target(file: string): Buffer | undefined {
    return paths.map(content).find((bytes) => file.includes(sha256(bytes)))
  }

  before(async () => {
    repository = await bootstrapped({ delegations: { delegation: flavour, number: 16 } })
    writeFileSync(root, (await repository.ports.metadata.read('1.root.json'))?.bytes ?? '')
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    running.push(...clientsFor(flavour).map(startClient))
  })

  after(() => {
    for (const client of running) client.stop()
    server.close()
    server.closeAllConnections()
    rmSync(directory, { recursive: true })
  })

  async function add(...added: string[]): Promise<void> {
    const artifacts = added.map((path) => ({
      path: targetPath(path),
      info: { length: content(path).length, hashes: { sha256: sha256(content(path)) } },
    }))
    await succeeds(repository, { kind: 'add_artifacts', artifacts, addTaskIdToCustom: false, publish: true })
    for (const path of added) published.add(path)
  }

  const step = (what: string, change: () => Promise<unknown>) =>
    it(what, async (test) => {
      await change()
      await Promise.all(running.map((client) => test.test(client.name, () => readsEverything(client))))
    })

  async function readsEverything(client: RunningClient): Promise<void> {
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    const kept = join(directory, client.name)
    mkdirSync(kept, { recursive: true, mode: 0o700 })
    for (const state of [kept, mkdtempSync(join(directory, 'fresh-'))]) {
      const request = { metadataUrl: `${url}/metadata/`, targetsUrl: `${url}/targets/`, root, state, targets: paths }
      const answer = await client.ask(request)
      assert.ok(answer.ok, answer.ok ? '' : answer.error)
      const found = answer.targets.filter(({ outcome }) => outcome === 'verified').map(({ path }) => path)
      assert.deepEqual(
        found,
        paths.filter((path) => published.has(path)),
        JSON.stringify(answer.targets),
      )
    }
  }

  step('bins alone', () => add('a', '.hidden', 'x/y/z', 'settings/.env', 'project/a'))
  step('the first custom role', () =>
    succeeds(repository, delegation('add', [customRole('project', { paths: ['project/*', 'project/*/.*'] })])),
  )
  step('artifacts in it', () => add('project/b/.c'))
  step('a role that waits', () =>
    succeeds(repository, delegation('add', [customRole('offline', { holders: [ann, bob], threshold: 2 })], [ann, bob])),
  )
  step('the same, signed', () => sign(repository, 'offline', ann, bob))
  step('an artifact in it', async () => {
    await add('offline/a')
    await sign(repository, 'offline', bob, ann)
  })
  step('other keys for it', async () => {
    const request = delegation('update', [customRole('offline', { holders: [bob], terminating: true })])
    assert.equal(
      (await succeeds(repository, { ...request, keys: keysOf([bob]) } as typeof request))['pending_roles'],
      undefined,
    )
  })
  step('a role with hash bins inside', async () => {
    const bins = { delegation: flavour, number: 4 }
    await succeeds(repository, delegation('add', [customRole('binned', { bins, before: ['project'] })]))
    await add('binned/a', 'binned/b')
  })
  step('a role taken away', async () => {
    await succeeds(repository, removal('project'))
    for (const path of ['project/a', 'project/b/.c']) published.delete(path)
  })
}
