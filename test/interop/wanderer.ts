/** Random changes of a repository, sent to its API by all who hold its keys. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { collect } from '../../shared/repository/collect.ts'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { specVersion, type Targets } from '../../shared/tuf/metadata.ts'
import type { TestApi } from '../support/api.ts'
import { pending, signatureOf } from '../support/holders.ts'
import { inAYear, signRole } from '../support/keys.ts'
import type { TestRepository } from '../support/repository.ts'
import { askerOf } from './asker.ts'
import type { Changes, Expected } from './expected.ts'
import { chooser, onlineKeys, people, type Signers } from './random-roots.ts'
import { type Random, sha256 } from './scenario.ts'
import type { Flavour } from './service.ts'

export const paths = [
  ...['a', 'b/c', 'd/e/f', '.hidden', 'alpha', 'alpha/1', 'alpha/2', 'alpha/.env', 'alpha/x/1', 'alpha/x/2'],
  ...['beta/1', 'beta/2', 'gamma/1', 'gamma/2', 'gamma/x/y', 'shared/1', 'shared/2'],
]

const patterns: Readonly<Record<string, readonly string[]>> = {
  alpha: ['alpha/*', 'alpha/x/?'],
  beta: ['beta/*', 'shared/*'],
  gamma: ['gamma/*', 'gamma/*/*', 'shared/1'],
}
const customRoles = Object.keys(patterns)
const everybody = new Map([...people, ...onlineKeys].map((key) => [key.keyid, key]))

export interface Wanderer {
  found(): Promise<void>
  /** Sends one change, whatever comes of it; tells what that was. */
  wander(): Promise<string>
}

/** `queue` of the repository has to do all that there is to do. */
export function wanderer(
  repository: TestRepository,
  api: TestApi,
  expected: Expected,
  random: Random,
  flavour: Flavour,
): Wanderer {
  const { send, tell, waitingRoles, standingRoles, newestCommit, roleOf } = askerOf(api)
  const { below, chance, oneOf, some, groupOf, anySigners, rootOf } = chooser(random)
  const isOffline = chance(0.3)
  const hasBins = chance(0.8)
  let signers: Signers = { ...anySigners(), ...(isOffline && { targets: { keys: people.slice(0, 3), threshold: 2 } }) }
  let version = 1
  /** Of the root that waits. */
  let proposed: Signers | undefined
  let made = 0
  const byHash = new Map<string, Buffer>()

  async function publish(changes: Changes, what: string, request: string, body: unknown): Promise<string> {
    const { text, details } = await tell(what, request, body)
    if (details !== undefined) expected.changed(changes, details)
    return text
  }

  function newContent(paths: readonly string[]): Map<string, Buffer> {
    const contents = paths.map((path) => [path, Buffer.from(`${path}, made as number ${++made}`)] as const)
    for (const [, bytes] of contents) byHash.set(sha256(bytes), bytes)
    return new Map(contents)
  }

  function infoOf(bytes: Buffer) {
    const sha512 = createHash('sha512').update(bytes).digest('hex')
    return { length: bytes.length, hashes: { sha256: sha256(bytes), ...(chance(0.3) && { sha512 }) } }
  }

  async function add(): Promise<string> {
    const added = newContent(some(paths, 4))
    const custom = { note: 'ä "quoted" \\ \n', nested: { list: [1, {}, []], no: null } }
    const info = (bytes: Buffer) => ({ ...infoOf(bytes), ...(chance(0.3) && { custom }) })
    const artifacts = [...added].map(([path, bytes]) => ({ path, info: info(bytes) }))
    if (chance(0.75)) return publish(added, `add ${[...added.keys()]}`, 'POST /artifacts', { artifacts })
    const parked = { artifacts, publish_artifacts: false }
    return (await tell(`park ${[...added.keys()]}`, 'POST /artifacts', parked)).text
  }

  async function remove(): Promise<string> {
    const artifacts = some(paths, 3)
    const removed = new Map(artifacts.map((path) => [path, undefined]))
    if (chance(0.75)) return publish(removed, `remove ${artifacts}`, 'POST /artifacts/delete', { artifacts })
    const parked = { artifacts, publish_artifacts: false }
    return (await tell(`park the removal of ${artifacts}`, 'POST /artifacts/delete', parked)).text
  }

  async function publishParked(): Promise<string> {
    const { body } = await api.call('GET /artifacts/parked')
    const listed = (body.data?.['artifacts'] ?? []) as { path: string; info?: { hashes: { sha256: string } } }[]
    const parked = new Map(listed.map(({ path, info }) => [path, info && byHash.get(info.hashes.sha256)]))
    return publish(parked, `publish ${[...parked.keys()]}`, 'POST /artifacts/publish', undefined)
  }

  async function importFile(): Promise<string> {
    const added = newContent(some(paths, 5))
    const lines = [...added].map(([path, bytes]) => `${path};${bytes.length};sha256;${sha256(bytes)}\n`)
    const { body } = await api.call('POST /imports', { body: { format: 'csv' } })
    const id = String(body.data['import_id'])
    await repository.ports.state.create(`bulk/${id}`, Buffer.from(lines.join('')))
    return publish(added, `import ${[...added.keys()]}`, `POST /imports/${id}`, {})
  }

  async function configure(): Promise<string> {
    const expiration = { [oneOf(['timestamp', 'bins', 'targets', 'alpha'])]: 5 + below(50) }
    const settings = chance(0.6) ? { bins: { number_of_delegated_bins: 2 ** (1 + below(5)) } } : { expiration }
    return (await tell(`configure ${JSON.stringify(settings)}`, 'PUT /config', { settings })).text
  }

  async function refresh(): Promise<string> {
    const roles = chance(0.5) ? [] : [oneOf(['bins', 'targets', 'timestamp', 'snapshot', ...customRoles])]
    return (await tell(`refresh ${roles}`, 'POST /metadata/online', { roles })).text
  }

  async function changeRoot(): Promise<string> {
    const { root, ...online } = anySigners()
    const { targets, ...others } = online
    const takesTargets = chance(isOffline ? 0.1 : 0.7)
    const after = {
      ...signers,
      ...(chance(0.7) && { root }),
      ...(chance(0.6) && { ...others, ...(takesTargets && { targets }) }),
    }
    const both = [...new Set([...signers.root.keys, ...after.root.keys])]
    const signed = signRole(rootOf(after, version + 1), chance(0.6) ? both : [oneOf(both)])
    const compromised = chance(0.2)
    const body = { metadata: { root: parseJson(signed.bytes) }, compromised }
    const { text, details } = await tell(`root${compromised ? ', compromised' : ''}`, 'POST /metadata', body)
    if (details === undefined) return text
    if (details['update'] === undefined) adopted(after)
    else proposed = after
    return text
  }

  function adopted(next: Signers): void {
    signers = next
    version++
    proposed = undefined
  }

  function anyRole(name: string) {
    const holders = chance(0.4) ? [] : some(people, 3)
    const { keys, threshold } = holders.length === 0 ? { keys: [], threshold: 1 } : groupOf(holders)
    const role = {
      name,
      terminating: chance(0.5),
      keyids: keys.map(({ keyid }) => keyid),
      threshold,
      paths: some(patterns[name] ?? [], 3),
      ...(chance(0.4) && { 'x-rstuf-expire-policy': 20 + below(300) }),
    }
    return { role, keys: Object.fromEntries(keys.map(({ keyid, key }) => [keyid, key])) }
  }

  async function delegate(): Promise<string> {
    const name = oneOf(customRoles)
    const { role, keys } = anyRole(name)
    const isNew = chance((await standingRoles()).some((standing) => standing.name === name) ? 0.1 : 0.9)
    const more = {
      ...(chance(0.3) && { before: [oneOf(customRoles)] }),
      ...(isNew && chance(0.4) && { bins: { number_of_delegated_bins: 2 ** (1 + below(3)), delegation: flavour } }),
    }
    const request = `${isNew ? 'POST' : 'PUT'} /delegations`
    const body = { delegations: { keys, roles: [{ ...role, ...more }] }, remove_artifacts: chance(0.3) }
    return changeDelegations(`${request} ${JSON.stringify(body.delegations.roles)}`, request, body)
  }

  async function undelegate(): Promise<string> {
    const name = oneOf(customRoles)
    return changeDelegations(`take ${name} away`, 'POST /delegations/delete', { delegations: { roles: [{ name }] } })
  }

  async function changeDelegations(what: string, request: string, body: object): Promise<string> {
    const { text, details } = await tell(what, request, body)
    if (details !== undefined) expected.delegated(details)
    return text
  }

  async function renew(): Promise<string> {
    const roles = chance(0.5) ? [] : [oneOf(['targets', ...customRoles])]
    return (await tell(`renew ${roles}`, 'POST /delegations/renew', { roles })).text
  }

  /** Everybody signs what waits of a role, until it does not any more. */
  async function sign(role: string): Promise<string> {
    const texts: string[] = []
    for (const key of everybody.values()) {
      if (!(await pending(api))[role]) break
      const { state, details } = await send('POST /metadata/sign', await signatureOf(api, role, key))
      if (state !== 'SUCCESS') continue
      texts.push(JSON.stringify(details))
      if (role === 'root' && details['update'] === 'Metadata update finished' && proposed) adopted(proposed)
      expected.signed(role, details)
    }
    return `sign ${role}: ${texts}`
  }

  async function signWaiting(): Promise<string> {
    const roles = await waitingRoles()
    return roles.length === 0 ? 'nothing to sign' : sign(oneOf(roles))
  }

  async function giveUp(): Promise<string> {
    const role = oneOf(['root', 'targets', ...customRoles])
    const { text, details } = await tell(`give ${role} up`, 'POST /metadata/sign/delete', { role })
    if (details !== undefined && role === 'root') proposed = undefined
    return text
  }

  async function revert(): Promise<string> {
    const commit = oneOf(expected.commits())
    const { text, details } = await tell(`revert to ${commit}`, 'POST /revert', { commit })
    if (details !== undefined) expected.returnTo(commit)
    return text
  }

  /** Metadata of a role as its holders make it by themselves, in the place of all that it held. */
  async function upload(): Promise<string> {
    const { name, keyids, version } = oneOf(await standingRoles())
    const own = paths.filter((path) => path.startsWith(`${name}/`))
    const targets = newContent(some(own.length === 0 ? paths : own, 2))
    const metadata: Targets = {
      _type: 'targets',
      spec_version: specVersion,
      version: Math.max(version + 1, (await newestCommit()) - below(2)),
      expires: formatExpires(inAYear()),
      targets: new Map([...targets].map(([path, bytes]) => [path, { ...infoOf(bytes), 'x-of-a-target': [1] }])),
      'x-of-a-role': { kept: true },
    }
    const holders = keyids.flatMap((keyid) => everybody.get(keyid) ?? [])
    const changes = new Map<string, Buffer | undefined>(targets)
    for (const path of expected.content().keys())
      if (!targets.has(path) && (await roleOf(path)) === name) changes.set(path, undefined)
    const sent = { metadata: parseJson(signRole(metadata, holders).bytes) }
    return publish(changes, `upload ${name} with ${[...targets.keys()]}`, `POST /delegations/${name}/metadata`, sent)
  }

  async function passTime(): Promise<string> {
    const minutes = oneOf([1, 11, 600, 1500])
    repository.pass(minutes * 60_000)
    await repository.ports.queue.ring('')
    await collect(repository)
    return `${minutes} minutes pass`
  }

  const ways: readonly (readonly [number, () => Promise<string>])[] = [
    ...([
      [8, add],
      [3, remove],
      [2, publishParked],
      [2, importFile],
      [3, configure],
      [2, refresh],
    ] as const),
    ...([
      [5, changeRoot],
      [5, delegate],
      [2, undelegate],
      [1, renew],
      [6, signWaiting],
      [1, giveUp],
    ] as const),
    ...([
      [2, revert],
      [2, upload],
      [4, passTime],
    ] as const),
  ]
  const weighted = ways.flatMap(([weight, way]) => Array.from({ length: weight }, () => way))

  async function settle(): Promise<void> {
    expected.waitingFor(await waitingRoles())
    expected.remember(await newestCommit())
  }

  return {
    async found() {
      const root = parseJson(signRole(rootOf(signers, 1), signers.root.keys).bytes)
      const days = (expiration: number) => ({ expiration })
      const below = hasBins
        ? { bins: { expiration: 30, number_of_delegated_bins: 4, delegation: flavour } }
        : { delegations: { keys: {}, roles: [{ ...anyRole('alpha').role, keyids: [], threshold: 1 }] } }
      const roles = { root: days(365), targets: days(90), snapshot: days(7), timestamp: days(2), ...below }
      const { state, error } = await send('POST /bootstrap', { settings: { roles }, metadata: { root } })
      assert.equal(state, 'SUCCESS', error)
      if (isOffline) await sign('targets')
      await settle()
    },
    async wander() {
      const text = await oneOf(weighted)()
      await settle()
      return text
    },
  }
}
