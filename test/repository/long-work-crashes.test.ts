import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { type Document, encodeDocument } from '../../shared/repository/documents.ts'
import { StoreError } from '../../shared/repository/ports.ts'
import { askToPrepare, preparationName, readPreparation } from '../../shared/repository/preparation.ts'
import { publish } from '../../shared/repository/publish.ts'
import { diagnose } from '../../shared/repository/repair/diagnose.ts'
import { repair } from '../../shared/repository/repair/repair.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { inboxName } from '../../shared/repository/task.ts'
import { clientNow, isClean, seen } from '../support/client.ts'
import { begin, ended, finish, importOf, lengths, lines, many } from '../support/long-work.ts'
import { damages, repaired } from '../support/repairing.ts'
import { addRequest, bootstrapped, restarted, run } from '../support/repository.ts'

const bins = { delegations: { delegation: 'succinct_roles', number: 16 } } as const

describe('work ahead, after a crash', () => {
  it('goes on although later tasks have changed the same paths meanwhile, and these have the last word', async () => {
    let room = Number.POSITIVE_INFINITY
    const repository = await bootstrapped({
      ...bins,
      around: (store, which) => ({
        ...store,
        create: async (name, bytes) => {
          if (which === 'metadata' && room-- <= 0) throw new StoreError('full', 'No room.')
          return store.create(name, bytes)
        },
      }),
    })
    const id = await begin(repository, await importOf(repository, lines(many(200))))
    room = 10
    await assert.rejects(prepare(repository, id), { code: 'full' })
    room = Number.POSITIVE_INFINITY
    const changed = many(40)
    await run(repository, addRequest(changed, 9))
    const { state } = await finish(restarted(repository), id)
    assert.equal(state, 'SUCCESS')
    const expected = { ...lengths(many(200)), ...Object.fromEntries(changed.map((path) => [path, 9])) }
    assert.deepEqual(await seen(repository), expected)
  })

  it('is left to the collector if its task was poisoned since', async () => {
    const repository = await bootstrapped(bins)
    const id = await begin(repository, await importOf(repository, lines(many(20))))
    assert.equal(await prepare(repository, id), 'ready')
    // Publishers have died over it, alone.
    const { state } = repository.ports
    const died = { schema: 1, holder: 'dead', base: 1, until: new Date(0).toISOString(), batch: [id], crashes: 2 }
    const stored = await state.read('lease.json')
    assert.ok(stored)
    await state.replace('lease.json', Buffer.from(JSON.stringify(died)), stored.tag)
    await publish(repository)
    assert.equal((await ended(repository, id)).state, 'FAILURE')
    assert.deepEqual(await state.list('preparations/'), [])
    const entry = (await readCurrent(repository))?.entry
    assert.deepEqual([entry?.prepared?.task, entry?.prepared?.claimed.length], [id, 1])
  })

  it('is not begun anew for somebody who had not seen that its task was decided', async () => {
    for (const hasRecord of [false, true]) {
      let stops = false
      const repository = await bootstrapped({
        ...bins,
        around: (store, which) => ({
          ...store,
          create: (name, bytes) => {
            if (stops && name.startsWith('tasks/')) throw new StoreError('full', 'No room.')
            return store.create(name, bytes)
          },
          delete: (name) => {
            if (stops && which === 'state' && name.startsWith('inbox/')) throw new StoreError('full', 'No room.')
            return store.delete(name)
          },
        }),
      })
      const { state } = repository.ports
      const id = await begin(repository, await importOf(repository, lines(many(20))))
      assert.equal(await prepare(repository, id), 'ready')
      // Its publisher is between its commit and the end.
      stops = true
      await assert.rejects(publish(repository))
      stops = false
      const task = (await state.read(inboxName(id))) ?? assert.fail()
      if (hasRecord) {
        await run(restarted(repository), addRequest(['later']))
        await state.create(inboxName(id), task.bytes)
      }
      const current = await readCurrent(restarted(repository))
      await askToPrepare(state, id, current?.entry.number ?? 0)
      const before = await state.list('commits/')
      assert.equal(await prepare(restarted(repository), id), 'gone')
      assert.deepEqual(await state.list('commits/'), before)
    }
  })

  it('is left to another preparer that has taken over, whatever this one had to say', async () => {
    // A refusal, work that is done, one that has killed too many: each is noted down last.
    const cases = [
      { lines: lines(['a']).map((line) => `${line};`), begun: 0 },
      { lines: lines(['a']), begun: 0 },
      { lines: lines(['a']), begun: 5 },
    ]
    for (const { lines, begun } of cases) {
      let takesOver = false
      const repository = await bootstrapped({
        ...bins,
        around: (store) => ({
          ...store,
          async replace(name, bytes, tag) {
            if (takesOver && Buffer.from(bytes).includes('"phase":"ready"')) {
              takesOver = false
              const before = await store.read(name)
              const other = { ...JSON.parse(Buffer.from(before?.bytes ?? '').toString()), holder: 'another' }
              await store.replace(name, Buffer.from(JSON.stringify(other)), tag)
            }
            return store.replace(name, bytes, tag)
          },
        }),
      })
      const id = await begin(repository, await importOf(repository, lines))
      await noteBegun(repository, id, begun)
      takesOver = true
      assert.equal(await prepare(repository, id), 'busy')
      assert.equal((await readPreparation(repository.ports.state, id))?.document.holder, 'another')
    }
  })

  it('begins anew once a repair has rolled it back, also under a number that it had before', async () => {
    for (const kind of ['revert', 'import_artifacts']) {
      let fails = (_name: string) => false
      const failing = <Write extends (name: string, ...rest: never[]) => Promise<unknown>>(write: Write) =>
        (async (name: string, ...rest: never[]) => {
          if (fails(name)) throw new StoreError('full', 'No room.')
          return write(name, ...rest)
        }) as Write
      const repository = await bootstrapped({
        ...bins,
        limits: { aheadFrom: 8 },
        around: (store) => ({ ...store, create: failing(store.create), replace: failing(store.replace) }),
      })
      await run(repository, addRequest(many(20), 7))
      const imports = (length: number) => importOf(repository, lines(many(60), length))
      await finish(repository, await begin(repository, await imports(1)))
      const id = await begin(repository, kind === 'revert' ? { kind, commit: 2 } : await imports(3))
      // The number below that of the work ahead is free again after the repair.
      fails = (name) => name.endsWith('.snapshot.json')
      await assert.rejects(run(repository, addRequest(['p/0'], 9)), { code: 'full' })
      let isNoted = false
      fails = (name) => {
        isNoted ||= /\.(changes|before)$/.test(name)
        return isNoted && name.startsWith('preparations/')
      }
      await assert.rejects(prepare(repository, id), { code: 'full' })
      fails = () => false
      const { plan } = await diagnose(restarted(repository))
      await repair(repository, plan ?? assert.fail())
      assert.equal((await publish(restarted(repository))).unprepared, id)
      assert.equal((await finish(restarted(repository), id)).state, 'SUCCESS', kind)
      const expected = kind === 'revert' ? lengths(many(20), 7) : lengths(many(60), 3)
      assert.deepEqual(await seen(repository), { ...expected, 'p/0': 9 })
    }
  })

  it('says what went wrong first, also if it cannot be noted down', async () => {
    let isFull = false
    let unnoted = 0
    const repository = await bootstrapped({
      ...bins,
      around: (store, which) => ({
        ...store,
        async create(name, bytes) {
          isFull ||= which === 'metadata' && name.endsWith('.bins-0.json') && !name.startsWith('1.')
          if (isFull) throw new StoreError('full', 'No room.')
          return store.create(name, bytes)
        },
        async replace(name, bytes, tag) {
          if (isFull) unnoted++
          if (isFull) throw new StoreError('unavailable', 'The store is down.')
          return store.replace(name, bytes, tag)
        },
      }),
    })
    const id = await begin(repository, await importOf(repository, lines(many(200))))
    await assert.rejects(prepare(repository, id), { code: 'full' })
    assert.notEqual(unnoted, 0)
  })

  for (const point of ['asked for', 'ready'] as const) {
    it(`begins anew by a repair where its notes are spoilt, ${point}`, async () => {
      const repository = await bootstrapped(bins)
      const client = await clientNow(repository)
      const id = await begin(repository, await importOf(repository, lines(many(20))))
      if (point === 'ready') assert.equal(await prepare(repository, id), 'ready')
      const name = preparationName(id)
      await damages['is spoilt']?.(repository.ports.state, name)
      await assert.rejects(publish(restarted(repository)), new RegExp(`${name} cannot be read.*tuffet repair`))
      const { steps } = await repaired(repository, client)
      assert.match(steps.join('\n'), new RegExp(`Take away ${name}`))
      const process = restarted(repository)
      assert.equal((await publish(process)).unprepared, id)
      assert.equal((await finish(process, id)).state, 'SUCCESS')
    })
  }

  it('begins anew where somebody has deleted its notes, and no client meets what was made before', async () => {
    const repository = await bootstrapped(bins)
    const id = await begin(repository, await importOf(repository, lines(many(20))))
    assert.equal(await prepare(repository, id), 'ready')
    await repository.ports.state.delete(preparationName(id))
    assert.equal((await publish(repository)).unprepared, id)
    assert.equal((await finish(repository, id)).state, 'SUCCESS')
    await isClean(repository)
    assert.deepEqual(await seen(repository), lengths(many(20)))
  })
})

async function noteBegun({ ports: { state } }: Repository, id: string, begun: number): Promise<void> {
  const { document, stored } = (await readPreparation(state, id)) ?? assert.fail('nothing is to be prepared')
  await state.replace(preparationName(id), encodeDocument({ ...document, begun } as Document), stored.tag)
}
