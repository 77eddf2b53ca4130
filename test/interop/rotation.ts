/**
 * Nobody fails while keys change: `npm run test:rotation`. Clients refresh without a pause, with state of every age, while the
 * root's keys, each online key and the keys of delegated roles are replaced; in both flavours of hash bins. At last the naive
 * rotation, whose failures show that the test would notice. `--short` is for every change, `--seed N` repeats the choices.
 */

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { makeKey, type TestKey } from '../support/keys.ts'
import { clientsFor } from './clients.ts'
import { type Crowd, gather } from './crowd.ts'
import {
  areBinsSignedAhead,
  changeSigners,
  delegate,
  found,
  isRotating,
  keyFlags,
  type OnlineRole,
  onlineRoles,
  type Signers,
  signersOf,
  signWaiting,
} from './keepers.ts'
import type { Listening } from './listening.ts'
import { randomFrom, sha256 } from './scenario.ts'
import { download, type Flavour, type Service, serve, submit } from './service.ts'
import { startSlowLine } from './slow-line.ts'

const { values: flags } = parseArgs({ options: { seed: { type: 'string' }, short: { type: 'boolean' } } })
const seed = Number(flags.seed ?? Math.floor(Math.random() * 2 ** 32))
const short = flags.short ?? false
/** Seconds: more than a client takes from its look for the next root to the timestamp. */
const grace = short ? 3 : 6
const times = short ? 1 : 3
const rounds = short ? 2 : 6
console.log(`rotation: --seed ${seed}${short ? ' --short' : ''}`)

/** One in a hash bin, one in a role that the service signs, one in a role that its holders sign. */
const targets = ['a', 'online/a', 'held/a']
const content = (path: string) => Buffer.from(`content of ${path}`)

for (const flavour of ['succinct_roles', 'path_hash_prefixes'] as const) describe(flavour, () => rotate(flavour))

function rotate(flavour: Flavour): void {
  const random = randomFrom(seed)
  /** So many that they are signed ahead of the commit, or few: not each client likes that many delegations in a file. */
  const bins = flavour === 'succinct_roles' ? 512 : 4
  const directory = mkdtempSync(join(tmpdir(), 'tuffet-rotation-'))
  const spare = Array.from({ length: 6 }, (_, n) => makeKey(n % 2 === 0 ? 'ecdsa' : 'ed25519'))
  let holders = [makeKey(), makeKey('ecdsa')]
  let signers: Signers = { root: [makeKey(), makeKey('ecdsa')], online: online(0, 1, 2) }
  let version = 1
  let service: Service
  let line: Listening
  let crowd: Crowd
  let busy: Promise<void>
  let ended = false
  let delay = (_status: number) => 5 + random() * 30

  function online(targets: number, snapshot: number, timestamp: number): Signers['online'] {
    const at = (index: number): TestKey => spare[index] ?? assert.fail()
    return { targets: at(targets), snapshot: at(snapshot), timestamp: at(timestamp) }
  }

  before(async () => {
    const keys = keyFlags(directory, spare)
    service = await serve(directory, keys, { TUFFET_ROTATION_GRACE: String(grace) })
    line = await startSlowLine(service.url, (status) => delay(status))
    await found(service, signers, flavour, bins)
    await delegate(service, { name: 'online', holders: [] }, 'POST')
    await delegate(service, { name: 'held', holders }, 'POST')
    await publish('a', 'online/a')
    await submitHeld()
    const root = join(directory, 'root.json')
    writeFileSync(root, await download(new URL('metadata/1.root.json', service.url)))
    const clients = clientsFor(flavour).filter(({ name }) => !short || ['python-tuf', 'tuf-js'].includes(name))
    crowd = gather({ directory, root, lines: [service.url, line.url], clients, targets, random })
    busy = publishOnAndOn()
    await crowd.rounds(rounds)
  })

  after(async () => {
    ended = true
    await crowd?.stop()
    await busy
    await line?.[Symbol.asyncDispose]()
    await service?.stop()
    const { refreshes, longest, states } = crowd.figures
    console.log(
      `rotation: ${flavour}: ${refreshes} refreshes, the longest ${Math.round(longest)} ms, from ${states} earlier states; ` +
        `root version ${version}`,
    )
    rmSync(directory, { recursive: true })
  })

  async function publish(...paths: string[]): Promise<void> {
    const artifacts = paths.map((path) => {
      const file = join(service.artifacts, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, content(path))
      return { path, info: { length: content(path).length, hashes: { sha256: sha256(content(path)) } } }
    })
    await submit(service, 'artifacts', { artifacts })
  }

  async function submitHeld(): Promise<void> {
    await publish('held/a')
    await signWaiting(service, 'held', holders)
  }

  /** A repository in use: other artifacts come all the time. */
  async function publishOnAndOn(): Promise<void> {
    for (let n = 0; !ended; n++) {
      await publish(`stream/${n % 20}`)
      await sleep(250)
    }
  }

  async function changeTo(next: Signers, options: { compromised?: boolean } = {}): Promise<void> {
    await changeSigners(service, version, signers, next, options)
    version++
    signers = next
  }

  function nobodyFailed(): void {
    assert.deepEqual(crowd.failures(), [])
  }

  for (let time = 1; time <= times; time++) {
    it(`root's keys, twice in a row (${time})`, async () => {
      crowd.step(`root's keys ${time}`)
      for (const kinds of [
        ['ecdsa', 'ed25519', 'rsa'],
        ['ed25519', 'ecdsa'],
      ] as const)
        await changeTo({ ...signers, root: kinds.map((kind) => makeKey(kind)) })
      await crowd.rounds(rounds)
      nobodyFailed()
    })

    for (const role of onlineRoles) {
      it(`the online key of ${role} (${time})`, async () => {
        const next = spare[onlineRoles.indexOf(role) + (time % 2 === 1 ? 3 : 0)] ?? assert.fail()
        await rotateOnline(role, next)
        nobodyFailed()
      })
    }

    it(`the keys of a delegated role (${time})`, async () => {
      for (const next of [[makeKey('rsa')], [makeKey(), makeKey('ecdsa')]]) {
        crowd.step(`delegation ${time}, ${next.length} keys`)
        holders = next
        await delegate(service, { name: 'held', holders }, 'PUT')
        await crowd.rounds(rounds)
      }
      nobodyFailed()
    })
  }

  async function rotateOnline(role: OnlineRole, next: TestKey): Promise<void> {
    const before = signers.online[role]
    crowd.step(`both keys of ${role}, root ${version + 1}`)
    await changeTo({ ...signers, online: { ...signers.online, [role]: next } })
    const timestampSigners = () => signersOf(service, 'timestamp.json')
    if (role === 'timestamp') assert.deepEqual(await timestampSigners(), [before.keyid, next.keyid].sort())
    if (role === 'targets') assert.equal(await areBinsSignedAhead(service), bins >= 512)
    for (const end = Date.now() + grace * 10_000; await isRotating(service); await sleep(100))
      assert.ok(Date.now() < end, 'the rotation does not end')
    crowd.step(`the new key of ${role} alone, root ${version}`)
    if (role === 'timestamp') assert.deepEqual(await timestampSigners(), [next.keyid])
    await crowd.rounds(rounds)
  }

  it('notices a rotation without the wait; whoever failed refreshes again', async () => {
    // A client hears late that there is no newer root: it asks for the timestamp when there is one.
    delay = (status) => (status === 404 ? 400 : 5)
    const tried = 8
    const caught = []
    for (let n = 0; n < tried && caught.length === 0; n++) {
      crowd.step(`naive ${n}`)
      await changeTo({ ...signers, online: n % 2 === 0 ? online(1, 2, 0) : online(4, 5, 3) }, { compromised: true })
      await crowd.rounds(1)
      await sleep(random() * 400)
      caught.push(...crowd.failures())
    }
    assert.ok(caught.length > 0, `nobody noticed ${tried} rotations without a wait`)
    console.log(`rotation: ${flavour}: naive: ${caught.length} failed, such as ${JSON.stringify(caught[0])}`)
    crowd.step('after the naive rotation')
    await crowd.rounds(rounds)
    nobodyFailed()
  })
}
