/**
 * A repository of another tool moves here, and its clients are told nothing: under the same address they go on with the root, and with
 * the timestamp and snapshot, that they have.
 */

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseJson } from '../../shared/tuf/json.ts'
import { makeKey, signRole } from '../support/keys.ts'
import { type OldShape, oldRepository, rootAfter } from '../support/predecessor.ts'
import { startAttacker } from './attacker.ts'
import { clientsFor, type RunningClient, startClient } from './clients.ts'
import { keyFlags } from './keepers.ts'
import type { Listening } from './listening.ts'
import { sha256 } from './scenario.ts'
import { type Flavour, type Service, serve, submit } from './service.ts'

const notPython = ['tuf-js', 'go-tuf-v2', 'go-tuf-v0', 'tough']

for (const flavour of ['succinct_roles', 'path_hash_prefixes'] as const) {
  describe(flavour, () => move(flavour))
  describe(`${flavour}, from fractions of a second`, () => move(flavour, { fractions: true }, notPython))
  // With a key of Sigstore among those of an old root.
  describe(`${flavour}, from an odd repository`, () => move(flavour, { odd: true }, ['tuf-js']))
}

/** Seen by all clients, or by those that can read the old roots. */
function move(flavour: Flavour, shape: OldShape = {}, able?: readonly string[]): void {
  const directory = mkdtempSync(join(tmpdir(), 'tuffet-move-'))
  const old = oldRepository(shape)
  const online = makeKey('ecdsa')
  const bytes = Buffer.from('new')
  const running = clientsFor(flavour)
    .filter(({ name }) => able?.includes(name) !== false)
    .map(startClient)
  let service: Service
  /** The address that clients know: it has the old files until they are taken away. */
  let address: Listening
  const files = new Map([...old.files].map(([name, content]) => [`/metadata/${name}`, Buffer.from(content)]))

  before(async () => {
    service = await serve(directory, keyFlags(directory, [online]))
    address = await startAttacker(service.url, (_, body) => body, files)
    for (const [at, text] of old.roots.entries()) writeFileSync(join(directory, `${at + 1}.root.json`), text)
  })
  after(async () => {
    for (const client of running) client.stop()
    await address?.[Symbol.asyncDispose]()
    await service?.stop()
    rmSync(directory, { recursive: true })
  })

  async function look(client: RunningClient, root: number, name: string) {
    const state = join(directory, `${client.name} ${name}`)
    mkdirSync(state, { recursive: true, mode: 0o700 })
    const [metadataUrl, targetsUrl] = ['metadata/', 'artifacts/'].map((path) => new URL(path, address.url).href)
    assert.ok(metadataUrl && targetsUrl)
    const file = join(directory, `${root}.root.json`)
    const answer = await client.ask({ metadataUrl, targetsUrl, root: file, state, targets: ['new.txt'] })
    if (!answer.ok) assert.fail(`the refresh failed: ${answer.error}`)
    return answer
  }

  for (const client of running)
    it(`${client.name} knows the old repository`, async () => {
      for (const root of [1, 3]) {
        const { versions, targets } = await look(client, root, `from root ${root}`)
        assert.deepEqual(versions, { root: 3, timestamp: 57, snapshot: 41 })
        assert.deepEqual(targets, [{ path: 'new.txt', outcome: 'absent' }])
      }
    })

  it('moves', async () => {
    const days = (expiration: number) => ({ expiration })
    const bins = { expiration: 30, number_of_delegated_bins: 4, delegation: flavour }
    const roles = { root: days(365), targets: days(90), snapshot: days(7), timestamp: days(1), bins }
    await submit(service, 'bootstrap', {
      settings: { roles },
      metadata: { root: parseJson(signRole(rootAfter(old, [online]), old.holders).bytes) },
      predecessor: { roots: old.roots, highest_version: old.highestVersion },
    })
    writeFileSync(join(service.artifacts, 'new.txt'), bytes)
    const info = { length: bytes.length, hashes: { sha256: sha256(bytes) } }
    await submit(service, 'artifacts', { artifacts: [{ path: 'new.txt', info }] })
    files.clear()
  })

  for (const client of running)
    it(`${client.name} goes on, with what it knows and from any root`, async () => {
      for (const [root, name] of [
        [1, 'from root 1'],
        [3, 'from root 3'],
        [1, 'afresh'],
        [2, 'afresh, from root 2'],
      ] as const) {
        const { versions, targets } = await look(client, root, name)
        assert.deepEqual(versions, { root: 4, timestamp: 59, snapshot: 59 }, name)
        assert.deepEqual(targets, [{ path: 'new.txt', outcome: 'verified', sha256: sha256(bytes) }], name)
      }
    })
}
