import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkJournal } from '../../shared/repository/check/journal.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { entryName, stateNames, stateObjectName } from '../../shared/repository/journal.ts'
import { taskName } from '../../shared/repository/task.ts'
import { begin, finish, importOf, lines, many } from '../support/long-work.ts'
import { published } from '../support/published.ts'
import { addRequest, bootstrapped, run, type TestRepository } from '../support/repository.ts'

/** The state store of a repository of five commits, the third of which never came to be. */
async function journal() {
  const repository = await bootstrapped()
  await run(repository, addRequest(['a']))
  await repository.ports.state.create(entryName(3), Buffer.from('{"schema":1,"number":3}'))
  for (const length of [2, 3]) await run(repository, addRequest(['a'], length))
  return checked(repository)
}

async function checked(repository: TestRepository) {
  const { state } = repository.ports
  const objects = new Map<string, Uint8Array>()
  for (const name of await state.list('')) objects.set(name, (await state.read(name))?.bytes ?? new Uint8Array())
  const { entry } = (await readCurrent(repository)) ?? assert.fail()
  return { objects, entry, check: () => checkJournal(async (name) => objects.get(name), entry.number) }
}

describe('checkJournal', () => {
  it('follows the chain of hashes from the current commit to the bootstrap', async () => {
    const { check } = await journal()
    assert.deepEqual(await check(), { entries: 4, findings: [] })
  })

  const damages = {
    changed: (bytes: Uint8Array) =>
      Buffer.from(Buffer.from(bytes).toString().replace('"principal":"test"', '"principal":"eve"')),
    missing: () => undefined,
    unreadable: () => Buffer.from('{'),
  } as const
  for (const [problem, damage] of Object.entries(damages)) {
    it(`names an entry that is ${problem}`, async () => {
      const { objects, check } = await journal()
      const damaged = damage(objects.get(entryName(2)) ?? assert.fail())
      objects.delete(entryName(2))
      if (damaged !== undefined) objects.set(entryName(2), damaged)
      const { findings } = await check()
      assert.ok(findings.some((finding) => finding.file === entryName(2) && finding.problem === problem))
    })
  }

  it('names a file that tells what a commit changed in place of its entry, and is lost or spoilt', async () => {
    const repository = await bootstrapped({ limits: { aheadFrom: 2 } })
    await run(repository, addRequest(['p/0']))
    await finish(repository, await begin(repository, await importOf(repository, lines(many(3)))))
    await finish(repository, await begin(repository, { kind: 'revert', commit: 1 }))
    const { objects, check } = await checked(repository)
    assert.deepEqual((await check()).findings, [])
    const files = [...objects.keys()].filter((name) => name.startsWith('bulk/'))
    assert.equal(files.length, 3)
    for (const file of files) {
      const bytes = objects.get(file) ?? assert.fail()
      objects.set(file, bytes.subarray(1))
      const [changed] = (await check()).findings
      assert.deepEqual([changed?.file, changed?.problem], [file, 'changed'])
      objects.delete(file)
      const [missing] = (await check()).findings
      assert.deepEqual([missing?.file, missing?.problem], [file, 'missing'])
      objects.set(file, bytes)
    }
  })

  it('names an entry that stands under another number, or is none', async () => {
    const { objects, entry, check } = await journal()
    for (const other of [{ number: 10 }, { creates: undefined }, { state: {} }]) {
      objects.set(entryName(entry.number), Buffer.from(JSON.stringify({ ...entry, ...other })))
      assert.deepEqual(
        (await check()).findings.map(({ file, problem }) => [file, problem]),
        [[entryName(entry.number), 'unreadable']],
      )
    }
  })

  it('names private state of the newest commit that is missing, cannot be read, or is not as it was decided', async () => {
    const { objects, entry, check } = await checked(await published())
    assert.deepEqual((await check()).findings, [])
    const names = stateNames.filter((name) => entry.state[name] > 0)
    assert.ok(names.includes('parked'))
    for (const name of names) {
      const object = stateObjectName(entry.state[name], name)
      const bytes = objects.get(object) ?? assert.fail()
      objects.set(object, bytes.subarray(0, bytes.length / 2))
      const unreadable = await check()
      objects.set(object, Buffer.concat([bytes, Buffer.from(' ')]))
      const edited = await check()
      objects.delete(object)
      const missing = await check()
      objects.set(object, bytes)
      assert.deepEqual(
        [...unreadable.findings, ...edited.findings, ...missing.findings].map(({ file, problem }) => [file, problem]),
        [
          [object, 'unreadable'],
          [object, 'changed'],
          [object, 'missing'],
        ],
      )
    }
  })

  it('names the record of a task that is not what the newest entry says', async () => {
    const { objects, entry, check } = await journal()
    const record = taskName(entry.tasks[0]?.id ?? '')
    const edited = JSON.stringify({ ...entry, tasks: entry.tasks.map((task) => ({ ...task, principal: 'eve' })) })
    objects.set(entryName(entry.number), Buffer.from(edited))
    assert.deepEqual(
      (await check()).findings.map(({ file, problem }) => [file, problem]),
      [[record, 'changed']],
    )
    objects.delete(record)
    assert.deepEqual((await check()).findings, [], 'it may have been taken away after its time')
  })

  it('names a bootstrap that is another', async () => {
    const { objects, check } = await journal()
    objects.set('bootstrap.json', Buffer.from('{"schema":1}'))
    assert.deepEqual(
      (await check()).findings.map(({ file, problem }) => [file, problem]),
      [['bootstrap.json', 'changed']],
    )
  })
})
