import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ClientId } from '../../shared/repository/clients.ts'
import { collect } from '../../shared/repository/collect.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { entryName, readEntry } from '../../shared/repository/journal.ts'
import { publish } from '../../shared/repository/publish.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { RevertRequest } from '../../shared/repository/task.ts'
import { roleName, targetPath } from '../../shared/tuf/names.ts'
import { seen } from '../support/client.ts'
import { makeKey } from '../support/keys.ts'
import { addRequest, bootstrapped, removeRequest, restarted, run, type TestRepository } from '../support/repository.ts'

const day = 24 * 60 * 60 * 1000
const revert = (commit: number): RevertRequest => ({ kind: 'revert', commit })

async function ended(repository: TestRepository, request: Parameters<typeof run>[1]) {
  const { task } = await run(repository, request)
  assert.ok('result' in task)
  return { state: task.state, ...task.result }
}

/** Commit 2 has a and b, 3 changes b and adds c, 4 removes a. */
async function changed(): Promise<TestRepository> {
  const repository = await bootstrapped()
  await run(repository, addRequest(['a', 'b'], 1))
  await run(repository, addRequest(['b', 'c'], 2))
  await run(repository, removeRequest('a'))
  return repository
}

describe('revert', () => {
  it('publishes what targets were, as a new commit that says so', async () => {
    const repository = await changed()
    const { state, message, details } = await ended(repository, revert(2))
    assert.deepEqual({ state, message }, { state: 'SUCCESS', message: 'Revert Processed' })
    assert.deepEqual(new Set(details['restored_artifacts'] as string[]), new Set(['a', 'b']))
    assert.deepEqual(details['removed_artifacts'], ['c'])
    assert.deepEqual(await seen(repository), { a: 1, b: 1 })
    const { changes } = (await readEntry(repository.ports.state, 5)).entry
    const values = changes.map(({ path, before, after }) => [path, before?.length, after?.length])
    assert.deepEqual(values.sort(), [
      ['a', undefined, 1],
      ['b', 2, 1],
      ['c', 2, undefined],
    ])
  })

  it('can itself be taken back, and goes back to the beginning', async () => {
    const repository = await changed()
    await run(repository, revert(2))
    await run(repository, revert(1))
    assert.deepEqual(await seen(repository), {})
    await run(repository, revert(4))
    assert.deepEqual(await seen(repository), { b: 2, c: 2 })
  })

  it('needs no file that was collected since, and no process that remembers', async () => {
    const repository = await changed()
    repository.pass(8 * day)
    await publish(repository)
    repository.pass(2 * day)
    await publish(repository)
    await collect(repository)
    assert.equal(await repository.ports.metadata.read('2.snapshot.json'), undefined)
    await run(restarted(repository), revert(2))
    assert.deepEqual(await seen(repository), { a: 1, b: 1 })
  })

  it('takes back what the tasks before it in the same commit did, and what was parked for the same paths', async () => {
    const repository = await changed()
    await run(repository, { ...addRequest(['c', 'e'], 7), publish: false })
    for (const request of [addRequest(['b', 'd'], 3), revert(2), addRequest(['f'], 4)])
      await submit(repository, { request, principal: 'test' })
    await publish(repository)
    assert.deepEqual(await seen(repository), { a: 1, b: 1, f: 4 })
    await run(repository, { kind: 'publish_artifacts' })
    assert.deepEqual(await seen(repository), { a: 1, b: 1, e: 7, f: 4 })
  })

  it('of the current commit changes nothing', async () => {
    const repository = await changed()
    const { state, details } = await ended(repository, revert(4))
    assert.deepEqual([state, details['restored_artifacts'], details['removed_artifacts']], ['SUCCESS', [], []])
    assert.deepEqual((await readEntry(repository.ports.state, 5)).entry.creates, [])
  })

  it('is refused for a commit that there never was', async () => {
    const repository = await changed()
    for (const commit of [5, 1e9]) {
      const { state, error } = await ended(repository, revert(commit))
      assert.equal(state, 'ERRORED')
      assert.match(error ?? '', /There is no commit/)
    }
  })

  it('does not stop what else there is to do where the journal is broken', async () => {
    const repository = await changed()
    await repository.ports.state.delete(entryName(3))
    const { state, error } = await ended(restarted(repository), revert(2))
    assert.equal(state, 'ERRORED')
    assert.match(error ?? '', /journal is broken: commits\/0+3\.json is missing/)
    assert.equal((await run(repository, addRequest(['z'], 1))).state, 'SUCCESS')
  })

  it('brings back nothing that an edited journal tells', async () => {
    const repository = await changed()
    const { state: store } = repository.ports
    const { bytes, tag } = (await store.read(entryName(3))) ?? assert.fail()
    const edited = Buffer.from(bytes).toString().replace('"before":{"length":1,', '"before":{"length":8,')
    await store.replace(entryName(3), Buffer.from(edited), tag)
    const { state, error } = await ended(restarted(repository), revert(2))
    assert.equal(state, 'ERRORED')
    assert.match(error ?? '', /journal is broken: commits\/0+3\.json is not the one that commit 4 builds on/)
    assert.deepEqual(await seen(repository), { b: 2, c: 2 })
  })

  it('reads no more of the journal than it takes to see that it is too much for one cycle', async () => {
    const entries: string[] = []
    const noting = <Rest extends readonly unknown[], Result>(work: (name: string, ...rest: Rest) => Result) => {
      return (name: string, ...rest: Rest) => {
        if (name.startsWith('commits/')) entries.push(name)
        return work(name, ...rest)
      }
    }
    const repository = await bootstrapped({
      limits: { aheadFrom: 8, parallel: 4 },
      around: (store) => ({ ...store, read: noting(store.read), list: noting(store.list) }),
    })
    for (let length = 1; length <= 40; length++) await run(repository, addRequest(['a'], length))
    for (const [commit, most] of [
      [38, 4],
      [2, 14],
    ] as const) {
      await submit(repository, { request: revert(commit), principal: 'test' })
      entries.length = 0
      await publish(repository)
      assert.ok(entries.length <= most, `${entries.length} reads for commit ${commit}`)
    }
  })

  it('is refused where it would bring back what clients cannot read', async () => {
    const repository = await bootstrapped({ delegations: { delegation: 'path_hash_prefixes', number: 2 } })
    const serve = (clients: readonly ClientId[]) =>
      run(repository, { kind: 'update_settings', expiration: {}, clients })
    await serve(['python-tuf'])
    const info = { length: 1, hashes: { sha512: 'cd'.repeat(64) } }
    await run(repository, { ...addRequest([]), artifacts: [{ path: targetPath('long'), info }] })
    const number = (await readCurrent(repository))?.entry.number ?? 0
    await run(repository, removeRequest('long'))
    await serve(['python-tuf', 'tough'])
    const lost = await ended(repository, revert(number))
    assert.equal(lost.state, 'ERRORED')
    assert.match(lost.error ?? '', /^tough 0\.24 reads nothing of .* none is given for long\./)
    assert.deepEqual(await seen(repository), {})
    await serve(['python-tuf'])
    assert.equal((await ended(repository, revert(number))).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), { long: 1 })
  })

  it('puts targets where they belong now, and is refused where nobody could find or sign them', async () => {
    const holder = makeKey()
    const role = (name: string, keyids: readonly string[]) => {
      return { name: roleName(name), terminating: false, keyids, threshold: 1, paths: [`${name}/*`] }
    }
    const repository = await bootstrapped({ delegations: { keys: {}, roles: [role('one', []), role('two', [])] } })
    await run(repository, addRequest(['one/a', 'two/a'], 1))
    await run(repository, { kind: 'metadata_delegation', action: 'delete', names: [roleName('two')] })
    await run(repository, removeRequest('one/a'))
    const lost = await ended(repository, revert(2))
    assert.equal(lost.state, 'ERRORED')
    assert.match(lost.error ?? '', /1 targets .* no delegated role is trusted .*two\/a/)
    assert.deepEqual(await seen(repository), {})
    const keys = { [holder.keyid]: holder.key }
    const add = { kind: 'metadata_delegation', action: 'add', removeArtifacts: false } as const
    await run(repository, { ...add, keys: {}, roles: [role('two', [])] })
    assert.equal((await run(repository, revert(2))).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), { 'one/a': 1, 'two/a': 1 })
    await run(repository, { ...add, keys, roles: [role('three', [holder.keyid])] })
    assert.equal((await run(repository, revert(1))).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), {})
  })
})
