import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { readChanges } from '../../shared/repository/changes.ts'
import { collect } from '../../shared/repository/collect.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { originOf } from '../../shared/repository/history.ts'
import { StoreError } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readCommits } from '../../shared/repository/read.ts'
import { diagnose } from '../../shared/repository/repair/diagnose.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { RevertRequest } from '../../shared/repository/task.ts'
import { isClean, seen } from '../support/client.ts'
import { customRole, delegation, sign } from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { begin, ended, finish, importOf, lengths, lines, many } from '../support/long-work.ts'
import { addRequest, bootstrapped, restarted, run } from '../support/repository.ts'

const day = 24 * 60 * 60 * 1000
const revert = (commit: number): RevertRequest => ({ kind: 'revert', commit })

/** Commit 2 has twenty targets, and the one that follows imports these and a hundred others. `fails`: writes that fail for now. */
async function imported() {
  const faults = { fails: (_name: string) => false }
  const failing = <Write extends (name: string, ...rest: never[]) => Promise<unknown>>(write: Write) =>
    (async (name: string, ...rest: never[]) => {
      if (faults.fails(name)) throw new StoreError('full', 'No room.')
      return write(name, ...rest)
    }) as Write
  const repository = await bootstrapped({
    limits: { aheadFrom: 8 },
    delegations: { delegation: 'succinct_roles', number: 16 },
    around: (store) => ({ ...store, create: failing(store.create), replace: failing(store.replace) }),
  })
  await run(repository, addRequest(many(20), 7))
  const { state } = await finish(repository, await begin(repository, await importOf(repository, lines(many(120)))))
  assert.equal(state, 'SUCCESS')
  return Object.assign(repository, { faults })
}

async function newest(repository: Parameters<typeof readCurrent>[0]) {
  return (await readCurrent(repository))?.entry ?? assert.fail()
}

describe('a revert of many targets', () => {
  it('is signed ahead and taken over by one commit, and can itself be taken back', async () => {
    const repository = await imported()
    const before = (await newest(repository)).number
    const { state, message, details } = await finish(repository, await begin(repository, revert(2)))
    assert.deepEqual({ state, message }, { state: 'SUCCESS', message: 'Revert Processed' })
    assert.deepEqual(details, { commit: 2, restored: 20, removed: 100, updated_roles: 16 })
    assert.deepEqual(await seen(repository), lengths(many(20), 7))
    const [commit, below] = await Array.fromAsync(readCommits(repository, { limit: 2 }))
    assert.deepEqual([commit?.base.number, below?.number], [before, before])
    assert.deepEqual([commit?.changes, commit?.listed?.changes], [[], 120])
    assert.deepEqual((await finish(repository, await begin(repository, revert(before)))).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), lengths(many(120)))
    await isClean(repository)
  })

  it('tells its changes page by page', async () => {
    const repository = await imported()
    await finish(repository, await begin(repository, revert(2)))
    const { state } = repository.ports
    const entry = await newest(repository)
    const told = new Map<string, readonly [number | undefined, number | undefined]>()
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const page = await readChanges(state, entry, { offset, limit: 50 })
      for (const { path, before, after } of page.changes) told.set(path, [before?.length, after?.length])
      offset = page.next
    }
    const expected = many(120).map((path, at) => [path, at < 20 ? [1, 7] : [1, undefined]] as const)
    assert.deepEqual(Object.fromEntries(told), Object.fromEntries(expected))
    const current = (await readCurrent(repository)) ?? assert.fail()
    await state.delete(entry.listed?.file ?? '')
    await assert.rejects(readChanges(state, current.entry, { offset: 0, limit: 50 }), { code: 'corrupt' })
  })

  it('names, of a target that it brought back, the commits that may have', async () => {
    const repository = await imported()
    await finish(repository, await begin(repository, revert(2)))
    const current = (await readCurrent(repository)) ?? assert.fail()
    const [path = ''] = many(20)
    for (const [role, { version }] of current.snapshot.signed.meta) {
      const stored = await repository.ports.metadata.read(`${version}.${role}`)
      const target = JSON.parse(Buffer.from(stored?.bytes ?? '{}').toString()).signed?.targets?.[path]
      if (target === undefined) continue
      const held = { path, target, role: role.replace('.json', ''), version }
      const { imports } = await originOf(repository.ports.state, current, held)
      assert.deepEqual([imports?.at(0), imports?.at(-1)], [current.entry.number, 2])
      return
    }
    assert.fail('no role has it')
  })

  it('lets short commits pass, which came later and have the last word', async () => {
    const { faults, ...repository } = await imported()
    const id = await begin(repository, revert(2))
    await run(repository, addRequest(['p/0', 'p/30'], 9))
    let room = 5
    faults.fails = (name) => name.includes('.bins') && room-- <= 0
    await assert.rejects(prepare(repository, id), { code: 'full' })
    faults.fails = () => false
    // Seen after the work has begun, these are told by the entries above it.
    await run(repository, addRequest(['p/1', 'p/31', 'new'], 9))
    assert.equal((await finish(restarted(repository), id)).state, 'SUCCESS')
    const later = Object.fromEntries(['p/0', 'p/1', 'p/30', 'p/31', 'new'].map((path) => [path, 9]))
    assert.deepEqual(await seen(repository), { ...lengths(many(20), 7), ...later })
    const { listed } = await newest(repository)
    assert.deepEqual(listed?.except, ['p/1', 'p/31', 'new'])
    await finish(repository, await begin(repository, revert(1)))
    assert.deepEqual(await seen(repository), {})
    await isClean(repository)
  })

  it('undoes an import that was accepted before it and is not there yet, however few targets have changed', async () => {
    const repository = await imported()
    await run(repository, addRequest(['undone']))
    const before = await begin(repository, await importOf(repository, lines(many(4, 'late'))))
    const { base } = await newest(repository)
    const { id } = await submit(repository, { request: revert(base.number), principal: 'test' })
    assert.equal((await publish(repository)).unprepared, before)
    await run(repository, addRequest(['later', 'late/1'], 9))
    assert.equal((await finish(restarted(repository), before)).state, 'SUCCESS')
    assert.equal((await finish(restarted(repository), id)).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), { ...lengths(many(120)), later: 9, 'late/1': 9 })
    await isClean(repository)
  })

  it('undoes what an earlier task did that was late to become visible', async () => {
    const repository = await imported()
    const id = await begin(repository, revert(2))
    assert.equal(await prepare(repository, id), 'ready')
    const earlier = `00${id.slice(2)}`
    const request = addRequest(['p/0', 'another'], 9)
    const task = { schema: 1, id: earlier, principal: 'test', accepted: new Date().toISOString(), request }
    await repository.ports.state.create(`inbox/${earlier}.json`, Buffer.from(JSON.stringify(task)))
    assert.equal((await publish(repository)).unprepared, id)
    assert.equal((await finish(repository, id)).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), lengths(many(20), 7))
  })

  it('overtakes what was parked before for the same paths', async () => {
    const repository = await imported()
    await run(repository, { ...addRequest(['p/3', 'other'], 5), publish: false })
    const id = await begin(repository, revert(2))
    await run(repository, { ...addRequest(['p/4'], 5), publish: false })
    assert.equal((await finish(repository, id)).state, 'SUCCESS')
    await run(repository, { kind: 'publish_artifacts' })
    assert.deepEqual(await seen(repository), { ...lengths(many(20), 7), other: 5, 'p/4': 5 })
  })

  it('is refused where nobody could find or sign a target, with nothing changed', async () => {
    const repository = await imported()
    const holder = makeKey()
    const role = customRole('p', { holders: [holder], paths: ['p/3*'] })
    assert.equal((await run(repository, delegation('add', [role], [holder], true))).state, 'SUCCESS')
    await sign(repository, 'p', holder)
    const before = await seen(repository)
    const { state, error } = await finish(repository, await begin(repository, revert(2)))
    assert.equal(state, 'ERRORED', error)
    assert.match(error ?? '', /targets cannot be taken back, for the role of each of them is signed offline/)
    assert.deepEqual(await seen(repository), before)
    // Where nothing of that role differs, nobody has to sign it.
    assert.equal((await finish(repository, await begin(repository, revert(1)))).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), {})
    await isClean(repository)
  })

  it('goes on after a crash, and leaves nothing behind', async () => {
    const { faults, ...repository } = await imported()
    const { state } = repository.ports
    const lists = async () => (await state.list('bulk/')).filter((name) => name.endsWith('.changes'))
    const id = await begin(repository, revert(2))
    let isListed = false
    faults.fails = (name) => {
      isListed ||= name.endsWith('.changes')
      return isListed && name.startsWith('preparations/')
    }
    await assert.rejects(prepare(repository, id), { code: 'full' })
    faults.fails = () => false
    const [first] = await lists()
    assert.ok(first)
    repository.pass(repository.limits.lease)
    // What it rests on changes, so that it begins anew.
    assert.equal((await run(repository, delegation('add', [customRole('special')]))).state, 'SUCCESS')
    assert.equal((await finish(restarted(repository), id)).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), lengths(many(20), 7))
    const { listed } = await newest(repository)
    assert.deepEqual(new Set(await lists()), new Set([first, listed?.file]))
    for (const path of ['x', 'y', 'z']) {
      repository.pass(2 * day)
      await run(repository, addRequest([path]))
      await collect(repository)
    }
    assert.deepEqual(await lists(), [listed?.file])
    await isClean(repository)
  })

  it('stops nothing else where what a commit changed is lost', async () => {
    const repository = await imported()
    await finish(repository, await begin(repository, revert(2)))
    const { base, listed } = await newest(repository)
    await repository.ports.state.delete(listed?.file ?? '')
    const told =
      /^The journal is broken: bulk\/.+\.changes, which tells what a commit changed, is not there as it was\./
    const { state, error } = await finish(repository, await begin(repository, revert(base.number)))
    assert.equal(state, 'ERRORED')
    assert.match(error ?? '', told)
    // The same where it is done at once.
    const atOnce = { ...repository, limits: { ...repository.limits, aheadFrom: 1000 } }
    const { task } = await run(atOnce, revert(base.number))
    assert.ok('result' in task)
    assert.match(task.result.error ?? '', told)
    assert.equal((await run(repository, addRequest(['p/0'], 9))).state, 'SUCCESS')
  })

  it('does not take away for good what an import replaced, where that is told in part only', async () => {
    const repository = await imported()
    const entry = await newest(repository)
    const name = entry.imported?.before ?? ''
    const { bytes, tag } = (await repository.ports.state.read(name)) ?? assert.fail()
    const withoutLast = bytes.subarray(0, bytes.lastIndexOf(0x0a, bytes.length - 2) + 1)
    await repository.ports.state.replace(name, withoutLast, tag)
    const before = await seen(repository)
    const { state, error } = await finish(repository, await begin(repository, revert(2)))
    assert.equal(state, 'ERRORED')
    assert.match(error ?? '', /^The journal is broken: bulk\/.+\.before, which tells what a commit changed/)
    assert.deepEqual(await seen(repository), before)
    await assert.rejects(readChanges(repository.ports.state, entry, { offset: 0, limit: 200 }), {
      code: 'corrupt',
    })
  })

  it('is named by a repair that needs its list, and finds it lost', async () => {
    const repository = await imported()
    await finish(repository, await begin(repository, revert(2)))
    const { creates, listed } = await newest(repository)
    await repository.ports.metadata.delete(creates.find((name) => name.includes('.bins')) ?? '')
    await repository.ports.state.delete(listed?.file ?? '')
    const { plan, steps, blocked } = await diagnose(restarted(repository))
    assert.deepEqual([plan, steps], [undefined, []])
    assert.match(blocked.join(), /^The files of bins-\w+ cannot be read, nor signed anew .*: bulk\/.* Restore both/)
  })

  it('leaves no list behind where it ends without a commit of its own', async () => {
    const repository = await imported()
    const id = await begin(repository, revert(2))
    assert.equal(await prepare(repository, id), 'ready')
    const { state } = repository.ports
    const base = (await newest(repository)).number
    const died = { schema: 1, holder: 'dead', base, until: new Date(0).toISOString(), batch: [id], crashes: 2 }
    const stored = (await state.read('lease.json')) ?? assert.fail()
    await state.replace('lease.json', Buffer.from(JSON.stringify(died)), stored.tag)
    await publish(repository)
    assert.equal((await ended(repository, id)).state, 'FAILURE')
    for (const path of ['x', 'y', 'z']) {
      repository.pass(2 * day)
      await run(repository, addRequest([path]))
      await collect(repository)
    }
    assert.deepEqual(
      (await state.list('bulk/')).filter((name) => name.endsWith('.changes')),
      [],
    )
  })
})
