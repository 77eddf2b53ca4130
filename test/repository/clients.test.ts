import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { warningsOfCurrent } from '../../shared/repository/client-standing.ts'
import { type ClientId, clientIds, defaultClients, servedClients } from '../../shared/repository/clients.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { AddArtifactsRequest, TaskRequest } from '../../shared/repository/task.ts'
import type { Hashes } from '../../shared/tuf/metadata.ts'
import { targetPath } from '../../shared/tuf/names.ts'
import { clientNow } from '../support/client.ts'
import { counting } from '../support/counting.ts'
import { customRole, delegation, refusal, succeeds } from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { begin, ended, finish, importOf } from '../support/long-work.ts'
import {
  addRequest,
  bootstrapped,
  bootstrapRequest,
  removeRequest,
  restarted,
  run,
  testRepository,
} from '../support/repository.ts'

const serve = (...clients: ClientId[]): TaskRequest => ({ kind: 'update_settings', expiration: {}, clients })

/** An artifact of about so many bytes in the metadata of its role. */
function big(path: string, bytes: number): AddArtifactsRequest {
  const info = { length: 1, hashes: { sha256: 'ab'.repeat(32) }, custom: { note: 'x'.repeat(bytes - 150) } }
  return { ...addRequest([]), artifacts: [{ path: targetPath(path), info }] }
}

/** One role that takes everything below `a/`, and serves php-tuf, whose cap is 100,000 bytes. */
async function small() {
  const repository = await bootstrapped({ delegations: { keys: {}, roles: [customRole('a')] } })
  await succeeds(repository, serve('python-tuf', 'php-tuf'))
  return repository
}

const sha512 = 'cd'.repeat(64)

/** An artifact with other hashes than the usual one. */
function withHashes(path: string, hashes: Hashes): AddArtifactsRequest {
  return { ...addRequest([]), artifacts: [{ path: targetPath(path), info: { length: 1, hashes } }] }
}

const warnings = (details: Readonly<Record<string, unknown>>) => String(details['warnings'] ?? '')

describe('The clients that a deployment serves', () => {
  it('are all but two unless it says otherwise', async () => {
    assert.deepEqual(new Set(clientIds).difference(new Set(defaultClients)), new Set(['rust-tuf', 'php-tuf']))
    assert.deepEqual(
      servedClients().map(({ id }) => id),
      defaultClients,
    )
    const current = await readCurrent(await bootstrapped())
    assert.equal(current?.settings.clients, undefined)
  })

  it('can be said in the bootstrap, and changed', async () => {
    const repository = testRepository()
    const clients = ['python-tuf', 'tough'] as const
    const details = await succeeds(repository, { ...bootstrapRequest(repository), clients })
    assert.match(
      warnings(details),
      /^tough 0\.24 cannot read this repository: it does not follow succinct_roles\. Hash bins by path_hash_prefixes would be found, in a new repository \(.*\)\. If nobody uses it, take tough out/,
    )
    assert.deepEqual((await readCurrent(repository))?.settings.clients, clients)
    assert.deepEqual(await succeeds(repository, serve('python-tuf')), {
      ...{ updated_roles: [], invalid_roles: [], clients: ['python-tuf'] },
    })
    const later = await readCurrent(restarted(repository))
    assert.deepEqual(later?.settings.clients, ['python-tuf'])
    await succeeds(repository, { kind: 'update_settings', expiration: { timestamp: 2 } })
    assert.deepEqual((await readCurrent(repository))?.settings.clients, ['python-tuf'])
  })

  it('are warned about when they are named, if they cannot read what is there', async () => {
    const repository = await bootstrapped()
    const details = await succeeds(repository, serve('tuf-js', 'rust-tuf', 'php-tuf'))
    assert.match(
      warnings(details),
      /rust-tuf 0\.3 cannot read .*succinct_roles; does not verify ecdsa-sha2-nistp256; refuses spec_version 1\.0\.31/,
    )
    assert.doesNotMatch(warnings(details), /Hash bins by/, 'php-tuf follows one kind, and verifies no ECDSA')
    const current = await readCurrent(repository)
    assert.ok(current)
    assert.match(String(warningsOfCurrent(current)), /rust-tuf 0\.3 cannot read/)
  })
})

describe("A role that would pass a served client's cap", () => {
  it('is refused, with its size, the cap, the client and a way out, and the others of the cycle go on', async () => {
    const repository = await small()
    const requests = [
      big('a/1', 40_000),
      big('a/2', 70_000),
      addRequest(['a/3']),
      big('a/4', 80_000),
      big('a/5', 20_000),
    ]
    const ids: string[] = []
    for (const request of requests) ids.push((await submit(repository, { request, principal: 'test' })).id)
    const before = (await readCurrent(repository))?.entry.number ?? 0
    await publish(repository)
    assert.equal((await readCurrent(repository))?.entry.number, before + 1)
    const standings = await Promise.all(ids.map((id) => readTask(repository, id)))
    assert.deepEqual(
      standings.map((standing) => standing?.state),
      ['SUCCESS', 'ERRORED', 'SUCCESS', 'ERRORED', 'SUCCESS'],
    )
    const task = standings[1]?.task
    assert.ok(task !== undefined && 'result' in task)
    assert.equal(task.result.message, 'Artifact(s) not added')
    assert.match(
      task.result.error ?? '',
      /^The file of role a would have 110\d{3} bytes, and php-tuf takes 100000 at most\. Remove artifacts from it, .* take php-tuf out of the clients served/,
    )
    const client = await clientNow(repository)
    assert.deepEqual(new Set((await client.everything()).keys()), new Set(['a/1', 'a/3', 'a/5']))
  })

  it('is warned about from 80 % on, in the task and in what is said of the repository, until it is smaller', async () => {
    const repository = await small()
    assert.equal(warnings(await succeeds(repository, big('a/1', 70_000))), '')
    const near = await succeeds(repository, big('a/2', 15_000))
    assert.match(
      warnings(near),
      /^Of the 100000 bytes that php-tuf can read, role a has 85\d{3} bytes \(85 %\)\. In good time: Remove/,
    )
    await succeeds(repository, serve('php-tuf', 'tuf-js'))
    const current = await readCurrent(restarted(repository))
    assert.match(String(current && warningsOfCurrent(current)), /role a has 85/)
    await succeeds(repository, removeRequest('a/2'))
    const after = await readCurrent(repository)
    assert.doesNotMatch(String(after && warningsOfCurrent(after)), /role a/)
  })

  it('is estimated to the byte, or nearly', async () => {
    const repository = await small()
    for (const request of [big('a/1', 90_000), removeRequest('a/1'), big('a/\u{7e}2', 85_000)])
      await run(repository, request)
    const current = await readCurrent(repository)
    const role = await repository.ports.metadata.read(`${current?.entry.number}.a.json`)
    assert.ok(Math.abs((role?.bytes.length ?? 0) - (current?.entry.nearCaps?.['a'] ?? 0)) <= 8)
  })

  it('may get smaller, and grow again only below it', async () => {
    const repository = await bootstrapped({ delegations: { keys: {}, roles: [customRole('a')] } })
    for (const path of ['a/1', 'a/2', 'a/3']) await succeeds(repository, big(path, 60_000))
    await succeeds(repository, serve('php-tuf'))
    assert.match(await refusal(repository, addRequest(['a/4'])), /role a would have 18\d{4} bytes/)
    await succeeds(repository, removeRequest('a/1'))
    await succeeds(repository, removeRequest('a/2'))
    await succeeds(repository, addRequest(['a/4']))
  })

  it('is refused before its holders are asked to sign it', async () => {
    const repository = await small()
    const holder = makeKey()
    const roles = [customRole('team', { holders: [holder] })]
    await succeeds(repository, delegation('add', roles, [holder]))
    const waiting = await readCurrent(repository)
    assert.ok(waiting?.signing.roles['team'])
    await succeeds(repository, { kind: 'delete_sign_metadata', role: 'team' })
    const { name, paths, ...rest } = customRole('wide', { holders: [holder] })
    const many = Array.from({ length: 1000 }, (_, at) => `wide/${'y'.repeat(100)}${at}/*`)
    const request = delegation('add', [{ name, paths: [...paths, ...many], ...rest }], [holder])
    assert.match(await refusal(repository, request), /The file of role targets would have 1\d{5} bytes/)
    assert.deepEqual((await readCurrent(repository))?.signing.roles, {})
  })

  it('costs nothing to be looked out for', async () => {
    const counter = counting()
    const repository = await bootstrapped(counter)
    await run(repository, addRequest(['warm']))
    await submit(repository, { request: addRequest(['one']), principal: 'test' })
    const { reads, writes, signatures } = await counter.during(() => publish(repository))
    assert.deepEqual({ reads, writes, signatures }, { reads: 4, writes: 6, signatures: 3 })
  })
})

describe('What only some clients cannot read', () => {
  it('comes with a warning if they are served', async () => {
    const repository = await bootstrapped()
    const odd = withHashes('odd', { sha256: 'ab'.repeat(32), 'blake2b-256': 'cd'.repeat(32) })
    assert.match(
      warnings(await succeeds(repository, odd)),
      /^tuf-js 6, go-tuf 2\.4, go-tuf 0\.7 will not find odd: .*not even beside sha256\. Send sha256 alone/,
    )
    const named = addRequest(['constructor', '__proto__', 'dir/toString', 'fine'])
    assert.match(
      warnings(await succeeds(repository, named)),
      /^tuf-js 6 will not find constructor, __proto__: every JavaScript object .*Choose another name/,
    )
    await succeeds(repository, serve('python-tuf', 'tough'))
    assert.equal(warnings(await succeeds(repository, odd)), '')
    assert.equal(warnings(await succeeds(repository, addRequest(['toString']))), '')
  })

  it('is silent about a SHA-512 alone, which those read that can read the repository', async () => {
    const repository = await bootstrapped()
    assert.equal(warnings(await succeeds(repository, withHashes('long', { sha512 }))), '')
  })

  it('does so too where more roles are trusted with a path than a client visits', async () => {
    const repository = await bootstrapped({ delegations: { keys: {}, roles: [customRole('first')] } })
    const roles = Array.from({ length: 40 }, (_, at) =>
      customRole(`role-${at}`, { paths: ['shared/*', `own-${at}/*`] }),
    )
    assert.equal(warnings(await succeeds(repository, delegation('add', roles.slice(0, 31)))), '')
    const more = warnings(await succeeds(repository, delegation('add', roles.slice(31))))
    assert.match(
      more,
      /40 roles are trusted with paths such as shared\/x, and python-tuf 7, tuf-js 6, .* visit 32 roles at most/,
    )
    await succeeds(repository, serve('tough'))
    assert.equal(
      warnings(await succeeds(repository, delegation('add', [customRole('last', { paths: ['shared/*'] })]))),
      '',
    )
  })

  it('does so of a terminating role, below whose patterns tough looks in no other', async () => {
    const repository = await bootstrapped({ delegations: { delegation: 'path_hash_prefixes', number: 4 } })
    const add = (name: string, terminating: boolean, paths: string[]) =>
      succeeds(repository, delegation('add', [customRole(name, { terminating, paths })]))
    assert.match(
      warnings(await add('deep', true, ['deep/*'])),
      /^tough 0\.24 takes \* and \? in a pattern for "\/", too, .* the patterns of deep it will not find/,
    )
    assert.equal(warnings(await add('open', false, ['open/*'])), '')
    assert.equal(warnings(await add('plain', true, ['plain/a'])), '')
    await succeeds(repository, serve('python-tuf', 'tuf-js'))
    assert.equal(warnings(await add('other', true, ['other/*'])), '')
  })

  it('is refused where it is a key that a served client does not verify', async () => {
    const repository = await bootstrapped({ delegations: { keys: {}, roles: [customRole('first')] } })
    await succeeds(repository, serve('php-tuf'))
    const holder = makeKey('rsa')
    const reason = await refusal(repository, delegation('add', [customRole('team', { holders: [holder] })], [holder]))
    assert.match(
      reason,
      /Role team names key .*\(rsassa-pss-sha256\) php-tuf does not verify\. Use a key of scheme ed25519/,
    )
    const founding = testRepository()
    const bootstrap: TaskRequest = { ...bootstrapRequest(founding), clients: ['rust-tuf'] }
    const { state, task } = await run(founding, bootstrap)
    assert.ok('result' in task)
    assert.deepEqual([state, await founding.ports.metadata.list('')], ['ERRORED', []])
    assert.match(task.result.error ?? '', /Root version 1 names key .*rust-tuf 0\.3 does not verify/)
  })
})

describe('An artifact without SHA-256, where tough would lose the whole repository', () => {
  const bins = { delegation: 'path_hash_prefixes', number: 4 } as const
  const why =
    /^tough 0\.24 reads nothing of a repository in which one target has no SHA-256, and none is given for long\. Send sha256, .* take tough out/

  it('is refused, parked or not, with what to do about it', async () => {
    const repository = await bootstrapped({ delegations: bins })
    const long = withHashes('long', { sha512 })
    assert.match(await refusal(repository, long), why)
    assert.match(await refusal(repository, { ...long, publish: false }), why)
    assert.match(await refusal(repository, withHashes('long', { 'blake2b-256': 'cd'.repeat(32) })), why)
    await succeeds(repository, withHashes('long', { sha256: 'ab'.repeat(32), sha512 }))
  })

  it('is refused in an import, with the first of them by name', async () => {
    const repository = await bootstrapped({ delegations: bins })
    const lines = Array.from({ length: 12 }, (_, at) => `long/${at};1;sha512;${sha512}`)
    const id = await begin(repository, await importOf(repository, [`fine;1;sha256;${'ab'.repeat(32)}`, ...lines]))
    await prepare(repository, id)
    await publish(repository)
    const { state, error } = await ended(repository, id)
    assert.equal(state, 'ERRORED')
    assert.match(error ?? '', /no SHA-256, and none is given for long\/0, .*long\/9, … \(12 in all\)\. Send sha256/)
  })

  it('is taken where tough is not served', async () => {
    const repository = await bootstrapped({ delegations: bins })
    await succeeds(repository, serve('python-tuf', 'tuf-js', 'go-tuf-v0'))
    assert.equal(warnings(await succeeds(repository, withHashes('long', { sha512 }))), '')
    const imported = await importOf(repository, [`longer;1;sha512;${sha512}`])
    assert.equal((await finish(repository, await begin(repository, imported))).state, 'SUCCESS')
  })

  it('is taken where tough refuses the root for its keyids, as with those of rstuf', async () => {
    const founding = testRepository()
    const rootKeys = founding.rootKeys.map((key) => ({ ...key, key: { ...key.key, 'x-rstuf-key-name': 'somebody' } }))
    const request = bootstrapRequest({ ...founding, rootKeys }, { keys: {}, roles: [customRole('a')] })
    await succeeds(founding, request)
    const hashes = { 'blake2b-256': 'cd'.repeat(32) }
    assert.match(warnings(await succeeds(founding, withHashes('a/odd', hashes))), /will not find a\/odd/)
  })
})
