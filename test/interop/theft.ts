/**
 * Recovery from theft (specification, section 6): somebody has the online keys, and clients trust what he forged, with versions
 * of 2^31. After the rotation that the specification prescribes the same clients refresh from the real repository again.
 */

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { binOf, hashBins } from '../../shared/tuf/bins.ts'
import type { Metadata } from '../../shared/tuf/metadata.ts'
import { decodeSigned, lengthAndHashes } from '../../shared/tuf/signed.ts'
import { makeKey, signRole, type TestKey } from '../support/keys.ts'
import { startAttacker } from './attacker.ts'
import { clientsFor, type RunningClient, startClient } from './clients.ts'
import { changeSigners, found, isRotating, keyFlags, type Signers } from './keepers.ts'
import type { Answer } from './protocol.ts'
import { sha256 } from './scenario.ts'
import { download, type Flavour, type Service, serve, submit } from './service.ts'

const raised = 2 ** 31
const good = { path: 'app', bytes: Buffer.from('what the project built') }
const evil = { path: 'app', bytes: Buffer.from('what the thief built') }

for (const flavour of ['succinct_roles', 'path_hash_prefixes'] as const) describe(flavour, () => recover(flavour))

function recover(flavour: Flavour): void {
  const directory = mkdtempSync(join(tmpdir(), 'tuffet-theft-'))
  const root = join(directory, 'root.json')
  const stolen = makeKey('ecdsa')
  const next = makeKey('ecdsa')
  const signedBy = (root: readonly TestKey[], key: TestKey): Signers => {
    return { root, online: { targets: key, snapshot: key, timestamp: key } }
  }
  const holders = [makeKey(), makeKey()]
  const running: RunningClient[] = []
  let service: Service

  before(async () => {
    service = await serve(directory, keyFlags(directory, [stolen, next]))
    await found(service, signedBy(holders, stolen), flavour)
    writeFileSync(join(service.artifacts, good.path), good.bytes)
    const info = { length: good.bytes.length, hashes: { sha256: sha256(good.bytes) } }
    await submit(service, 'artifacts', { artifacts: [{ path: good.path, info }] })
    writeFileSync(root, await download(new URL('metadata/1.root.json', service.url)))
    running.push(...clientsFor(flavour).map(startClient))
  })

  after(async () => {
    for (const client of running) client.stop()
    await service?.stop()
    rmSync(directory, { recursive: true })
  })

  async function refresh(client: RunningClient, url: URL): Promise<Answer & { ok: true }> {
    const answer = await ask(client, url)
    if (!answer.ok) assert.fail(`the refresh failed: ${answer.error}`)
    return answer
  }

  function ask(client: RunningClient, url: URL): Promise<Answer> {
    const state = join(directory, client.name)
    mkdirSync(state, { recursive: true, mode: 0o700 })
    const metadataUrl = new URL('metadata/', url).href
    return client.ask({ metadataUrl, targetsUrl: new URL('artifacts/', url).href, root, state, targets: [good.path] })
  }

  const verified = ({ bytes, path }: typeof good) => ({ path, outcome: 'verified', sha256: sha256(bytes) })

  it('clients trust what the thief forges', async (test) => {
    const forged = await forge(service, stolen, flavour)
    await using thief = await startAttacker(service.url, (_, body) => body, forged)
    for (const client of running) {
      await test.test(client.name, async () => {
        assert.deepEqual((await refresh(client, service.url)).targets, [verified(good)])
        const answer = await refresh(client, thief.url)
        assert.deepEqual(answer.targets, [verified(evil)])
        assert.deepEqual(answer.versions, { root: 1, timestamp: raised, snapshot: raised })
      })
    }
  })

  it('and refuse the real repository from then on', async (test) => {
    await submit(service, 'metadata/online', { roles: [] })
    for (const client of running)
      await test.test(client.name, async () => assert.equal((await ask(client, service.url)).ok, false))
  })

  it('until the root takes the stolen key away', async (test) => {
    await changeSigners(service, 1, signedBy(holders, stolen), signedBy(holders, next), { compromised: true })
    // No wait: the very next commit is signed by the new key alone.
    while (await isRotating(service)) await sleep(20)
    for (const client of running) {
      await test.test(client.name, async () => {
        const answer = await refresh(client, service.url)
        assert.deepEqual(answer.targets, [verified(good)])
        assert.equal(answer.versions.root, 2)
        assert.ok(answer.versions.timestamp < raised && answer.versions.snapshot < raised)
      })
    }
  })

  it('after which the thief is of no use to anybody', async (test) => {
    const forged = await forge(service, stolen, flavour)
    await using thief = await startAttacker(service.url, (_, body) => body, forged)
    for (const client of running)
      await test.test(client.name, async () => assert.equal((await ask(client, thief.url)).ok, false))
  })
}

/** A repository of the thief's own, by the path at which clients ask for each file: all roles signed with the stolen key, versions raised. */
async function forge(service: Service, key: TestKey, flavour: Flavour): Promise<Map<string, Buffer>> {
  const read = (file: string) => download(new URL(`metadata/${file}`, service.url))
  const timestamp = decodeSigned('timestamp', await read('timestamp.json')).signed
  const snapshot = decodeSigned(
    'snapshot',
    await read(`${timestamp.meta.get('snapshot.json')?.version}.snapshot.json`),
  ).signed
  const current = async (role: string) => {
    const version = snapshot.meta.get(`${role}.json`)?.version
    return decodeSigned('targets', await read(`${version}.${role}.json`)).signed
  }
  const binName = binOf(hashBins(flavour, 4), evil.path)
  const [targets, bin] = [await current('targets'), await current(binName)]
  const signed = <Role extends Metadata>(role: Role) => signRole({ ...role, version: raised }, [key])
  const info = { length: evil.bytes.length, hashes: { sha256: sha256(evil.bytes) } }
  const forgedSnapshot = signed({
    ...snapshot,
    meta: new Map([...snapshot.meta, ['targets.json', { version: raised }], [`${binName}.json`, { version: raised }]]),
  })
  const files = {
    'timestamp.json': signed({
      ...timestamp,
      meta: new Map([['snapshot.json', { version: raised, ...lengthAndHashes(forgedSnapshot.bytes) }]]),
    }),
    [`${raised}.snapshot.json`]: forgedSnapshot,
    [`${raised}.targets.json`]: signed(targets),
    [`${raised}.${binName}.json`]: signed({ ...bin, targets: new Map([[evil.path, info]]) }),
  }
  return new Map([
    ...Object.entries(files).map(([file, { bytes }]) => [`/metadata/${file}`, Buffer.from(bytes)] as const),
    [`/artifacts/${info.hashes.sha256}.${evil.path}`, evil.bytes],
  ])
}
