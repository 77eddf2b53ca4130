import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collect } from '../../shared/repository/collect.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { encodeEntry, entryName, stateObjectName } from '../../shared/repository/journal.ts'
import { publish } from '../../shared/repository/publish.ts'
import { diagnose } from '../../shared/repository/repair/diagnose.ts'
import { findHead } from '../../shared/repository/repair/head.ts'
import { type Inventory, substituteEntry, takeInventory } from '../../shared/repository/repair/inventory.ts'
import { repair } from '../../shared/repository/repair/repair.ts'
import { inboxName, taskName } from '../../shared/repository/task.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { roleName } from '../../shared/tuf/names.ts'
import { clientNow } from '../support/client.ts'
import { signRoot } from '../support/keys.ts'
import { paths, published } from '../support/published.ts'
import { contents, damages, repaired, restore } from '../support/repairing.ts'
import { addRequest, restarted, run, type TestRepository } from '../support/repository.ts'

/** The next root, with the same keys. */
async function nextRoot(repository: TestRepository, version: number): Promise<void> {
  const root = signRoot({ root: repository.rootKeys, threshold: 2, online: repository.online, version })
  const request = { kind: 'metadata_update', root: parseJson(root.bytes), compromised: false } as const
  assert.equal((await run(repository, request)).state, 'SUCCESS')
}

describe('repair', () => {
  it('finds nothing to do where nothing is wrong, or nothing was founded', async () => {
    const repository = await published()
    const { plan, ...notes } = await diagnose(restarted(repository))
    assert.deepEqual(notes, { steps: [], lost: [], blocked: [] })
    assert.equal(plan?.commit, undefined)
    await repository.ports.state.list('')
    for (const store of ['metadata', 'state'] as const) await restore(repository.ports[store], new Map())
    assert.deepEqual(await diagnose(restarted(repository)), { steps: [], lost: [], blocked: [] })
  })

  for (const [how, damage] of Object.entries(damages)) {
    it(`signs a timestamp anew that ${how}, from the newest commit`, async () => {
      const repository = await published()
      const client = await clientNow(repository)
      await damage(repository.ports.metadata, 'timestamp.json')
      // For so long it looks as if somebody were publishing.
      repository.pass(repository.limits.lease)
      const error = await publish(restarted(repository)).catch((error: Error) => error)
      assert.match(error instanceof Error ? error.message : '', /tuffet repair/)
      const { steps, lost, commit } = await repaired(repository, client)
      assert.match(steps.join(), /Sign timestamp.json anew, for commit 5/)
      assert.deepEqual([lost, commit], [[], 6])
    })

    it(`rebuilds settings of which the object ${how}`, async () => {
      const repository = await published()
      const client = await clientNow(repository)
      const before = await readCurrent(repository)
      await damage(repository.ports.state, 'state/3.settings.json')
      const { current } = await repaired(repository, client)
      assert.deepEqual(current?.settings.bins, before?.settings.bins)
      // The timestamp was given two days since; of the bins some live shorter than others.
      assert.deepEqual(current?.settings.expiration, { ...before?.settings.expiration })
    })

    it(`goes on without what was parked if its object ${how}, and says so`, async () => {
      const repository = await published()
      const client = await clientNow(repository)
      await damage(repository.ports.state, 'state/4.parked.json')
      const { lost, current } = await repaired(repository, client)
      assert.match(lost.join(), /parked/)
      assert.deepEqual(current?.parked.changes, [])
    })

    it(`goes on with the root that is published if the decided one ${how}`, async () => {
      const repository = await published()
      const client = await clientNow(repository)
      await damage(repository.ports.state, 'state/1.root.json')
      const { commit, lost } = await repaired(repository, client)
      assert.deepEqual([commit, lost], [6, []])
    })

    it(`signs bins anew whose file ${how}, from the journal`, async () => {
      const repository = await published()
      const client = await clientNow(repository)
      await client.everything()
      const everything = await client.everything()
      const { snapshot } = client.trusted
      const bins = [...(snapshot?.signed.meta ?? [])].filter(([file]) => file.startsWith('bins'))
      for (const [file, { version }] of bins) await damage(repository.ports.metadata, `${version}.${file}`)
      const process = restarted(repository)
      const { plan, steps } = await diagnose(process)
      assert.match(steps.join(), /Sign 4 roles anew/)
      assert.ok(plan)
      await repair(process, plan)
      await client.refresh()
      assert.deepEqual(new Map([...(await client.everything())].sort()), new Map([...everything].sort()))
    })

    it(`puts a snapshot together anew that ${how}`, async () => {
      const repository = await published()
      const client = await clientNow(repository)
      await damage(repository.ports.metadata, '5.snapshot.json')
      const { steps } = await repaired(repository, client)
      assert.match(steps.join(), /Put the snapshot together/)
    })

    it(`writes an entry for a commit whose own ${how}`, async () => {
      const repository = await published()
      const client = await clientNow(repository)
      await damage(repository.ports.state, 'commits/000000000005.json')
      const { steps, lost } = await repaired(repository, client)
      assert.match(steps.join(), /Write an entry for commit 5/)
      assert.match(lost.join(), /What commit 5 changed/)
    })

    it(`puts the first root back that ${how}, from what decided it`, async () => {
      for (const alsoLost of ['bootstrap.json', 'state/1.root.json']) {
        const repository = await published()
        const client = await clientNow(repository)
        const root = (await repository.ports.metadata.read('1.root.json'))?.bytes
        await damage(repository.ports.metadata, '1.root.json')
        await damage(repository.ports.state, alsoLost)
        const { steps } = await repaired(repository, client)
        assert.match(steps.join(), /Put 1\.root\.json back/)
        assert.deepEqual((await repository.ports.metadata.read('1.root.json'))?.bytes, root)
      }
    })

    it(`puts later roots back, of which each ${how}, or says which has to come from a backup`, async () => {
      const repository = await published()
      for (const version of [2, 3]) await nextRoot(repository, version)
      await run(repository, addRequest(['a'], 3))
      const client = await clientNow(repository)
      const { metadata, state } = repository.ports
      const roots = [1, 2, 3].map((version) => `${version}.root.json`)
      const before = await contents(metadata)
      for (const name of roots) await damage(metadata, name)
      const { commit } = await repaired(repository, client)
      assert.equal(commit, undefined)
      for (const name of roots) assert.deepEqual((await metadata.read(name))?.bytes, before.get(name), name)

      await damage(metadata, '2.root.json')
      for (const name of await state.list('state/6.root')) await damage(state, name)
      const { plan, blocked } = await diagnose(restarted(repository))
      assert.equal(plan, undefined)
      assert.match(blocked.join(), /^2\.root\.json cannot be read.* root 3\. Restore it/)
    })

    it(`does nothing where targets ${how}, and says what to do`, async () => {
      const repository = await published()
      await damage(repository.ports.metadata, '1.targets.json')
      const { plan, blocked } = await diagnose(restarted(repository))
      assert.equal(plan, undefined)
      assert.match(blocked.join(), /targets.* Restore it/)
    })
  }

  it('leaves what a later version has written to that version', async () => {
    for (const name of [entryName(5), 'state/3.settings.json', 'state/4.parked.json']) {
      const repository = await published()
      const { state } = repository.ports
      const written = Buffer.from((await state.read(name))?.bytes ?? []).toString()
      const stored = await contents(state)
      await restore(state, new Map([...stored, [name, Buffer.from(written.replace('"schema":1', '"schema":2'))]]))
      await assert.rejects(diagnose(restarted(repository)), {
        code: 'newer',
        message: `${name} has schema 2; this version understands 1. Upgrade.`,
      })
    }
  })

  it('takes an entry under the number of another for none', async () => {
    const repository = await published()
    const client = await clientNow(repository)
    const { entry } = (await readCurrent(repository)) ?? assert.fail()
    await repository.ports.state.delete(entryName(5))
    await repository.ports.state.create(entryName(5), encodeEntry({ ...entry, number: 4 }))
    const { steps } = await repaired(repository, client)
    assert.match(steps.join(), /Write an entry for commit 5/)
  })

  it('goes on where the newest entry and the record of its task contradict each other, and says so', async () => {
    const repository = await published()
    const { state } = repository.ports
    const { entry } = (await readCurrent(repository)) ?? assert.fail()
    const [{ id } = assert.fail()] = entry.tasks
    const record = (await state.read(taskName(id)))?.bytes
    const spoilt = encodeEntry({ ...entry, tasks: entry.tasks.map((task) => ({ ...task, principal: 'eve' })) })
    await state.delete(entryName(5))
    await state.create(entryName(5), spoilt)
    await state.create(inboxName(id), Buffer.from('a crash came before it was taken away'))
    const process = restarted(repository)
    const { plan, lost, blocked } = await diagnose(process)
    assert.deepEqual(blocked, [])
    assert.match(lost.join(), new RegExp(`${entryName(5)} and ${taskName(id)} contradict each other`))
    assert.ok(plan)
    assert.equal(await repair(process, plan), undefined)
    assert.deepEqual((await state.read(taskName(id)))?.bytes, record)
    assert.equal(Buffer.compare((await state.read(entryName(5)))?.bytes ?? Buffer.of(), spoilt), 0)
    assert.equal((await run(restarted(repository), addRequest(['after'], 9))).state, 'SUCCESS')
  })

  it('rebuilds settings of a repository with roles that delegate themselves', async () => {
    const repository = await published()
    const client = await clientNow(repository)
    const role = (name: string, inner: boolean) => ({
      name: roleName(name),
      terminating: false,
      keyids: [],
      threshold: 1,
      paths: [`${name}/*`],
      ...(inner && { bins: { delegation: 'path_hash_prefixes', number: 4 } as const }),
    })
    const request = { kind: 'metadata_delegation', action: 'add', keys: {}, removeArtifacts: false } as const
    const added = await run(repository, { ...request, roles: [role('one', true), role('two', false)] })
    assert.equal(added.state, 'SUCCESS', JSON.stringify(added.task))
    await run(repository, addRequest(['one/x', 'two/y'], 3))
    await client.refresh()
    const before = await readCurrent(repository)
    assert.ok(before)
    await repository.ports.state.delete(`state/${before.entry.state.settings}.settings.json`)
    const { current } = await repaired(repository, client)
    assert.deepEqual(current?.settings.delegators, before.settings.delegators)
    assert.deepEqual(current?.settings.bins, before.settings.bins)
  })

  it('carries on after a restored backup above every number that a client has seen', async () => {
    const repository = await published()
    const { metadata, state } = repository.ports
    const backup = { metadata: await contents(metadata), state: await contents(state) }
    for (let at = 0; at < 5; at++) await run(repository, addRequest(paths, 3 + at))
    const client = await clientNow(repository)
    await client.everything()
    const seen = client.trusted.timestamp?.signed.version ?? 0
    await restore(metadata, backup.metadata)
    await restore(state, backup.state)
    await assert.rejects(client.copy().refresh(), /went back/)
    const { commit, steps } = await repaired(repository, client, { above: seen })
    assert.ok(commit !== undefined && commit > seen, `commit ${commit} after ${seen}`)
    assert.match(steps.join(), /Sign everything/)
    assert.equal((await client.find('a'))?.length, 2)
    assert.equal((await client.find('c'))?.length, 1)
    await assert.doesNotReject(clientNow(repository), 'a newcomer can begin')
    // The numbers go on from there, and so does all else.
    repository.pass(2 * 24 * 60 * 60 * 1000)
    await publish(repository)
    await collect(repository)
    await client.refresh()
  })

  it('goes on from the journal where the metadata alone was restored from an older backup', async () => {
    const repository = await published()
    const { metadata } = repository.ports
    const backup = await contents(metadata)
    for (let at = 0; at < 3; at++) await run(repository, addRequest(paths, 3 + at))
    const client = await clientNow(repository)
    const everything = await client.everything()
    await restore(metadata, backup)
    const process = restarted(repository)
    const { plan, steps, blocked } = await diagnose(process)
    assert.deepEqual(blocked, [])
    assert.match(steps.join(), /Go on from the journal/)
    assert.ok(plan)
    await repair(process, plan)
    await client.refresh()
    const now = await client.everything()
    // The newest commit is not known to have been made: another one may begin from it, or not.
    for (const [path, { length }] of now) assert.ok(length >= 4 || !everything.has(path), path)
  })

  it('finds its head among more commits than a call may have parameters', async () => {
    const repository = await published()
    const inventory = await takeInventory(repository)
    const [first = assert.fail()] = inventory.entries.values()
    const [newest, many] = [Math.max(...inventory.entries.keys()), 200_000]
    const more = Array.from({ length: many }, (_, at) => newest + 1 + at)
    const long: Inventory = {
      metadata: inventory.metadata,
      state: inventory.state.union(new Set(more.map((number) => stateObjectName(number, 'parked')))),
      entries: new Map([...more.map((number) => [number, first] as const), ...inventory.entries]),
    }
    const root = (await readCurrent(repository))?.root ?? assert.fail()
    const head = await findHead(repository, root, long, { steps: [], lost: [], blocked: [] })
    assert.equal(head?.stored.entry.number, newest)
    const substitute = substituteEntry(newest + many, 'nonce', repository.ports.clock.now(), long)
    assert.equal(substitute.entry.state.parked, newest + many)
  })

  it('goes on where the state alone was restored from an older backup', async () => {
    const repository = await published()
    const { state } = repository.ports
    const backup = await contents(state)
    for (let at = 0; at < 3; at++) await run(repository, addRequest(paths, 3 + at))
    const client = await clientNow(repository)
    await restore(state, backup)
    const { lost } = await repaired(repository, client)
    assert.match(lost.join(), /What commit 8 changed/)
  })
})
