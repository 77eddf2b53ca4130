import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { collect } from '../../shared/repository/collect.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTarget } from '../../shared/repository/read.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import type { ImportArtifactsRequest } from '../../shared/repository/task.ts'
import { targetPath } from '../../shared/tuf/names.ts'
import { counting } from '../support/counting.ts'
import { begin, finish, importOf, lines, many } from '../support/long-work.ts'
import { addRequest, bootstrapped, restarted, run, type TestRepository } from '../support/repository.ts'

/** The commit that this many tasks have led to. */
const newest = async (repository: Repository) => (await readCurrent(repository))?.entry.number ?? assert.fail()

async function imported(
  repository: TestRepository,
  paths: readonly string[],
  length = 1,
  options: Partial<ImportArtifactsRequest> = {},
): Promise<number> {
  const id = await begin(repository, await importOf(repository, lines(paths, length), options))
  assert.equal((await finish(repository, id)).state, 'SUCCESS')
  return newest(repository)
}

async function added(repository: Repository, paths: readonly string[], length = 1): Promise<number> {
  await run(repository, addRequest(paths, length))
  return newest(repository)
}

async function changeBins(repository: TestRepository, number: number): Promise<void> {
  await finish(repository, await begin(repository, { kind: 'change_bins', number }))
}

async function originOf(repository: TestRepository, path: string) {
  const process = restarted(repository)
  const found = await readTarget(process, (await readCurrent(process)) ?? assert.fail(), targetPath(path))
  return found?.commit ?? found?.imports
}

const start = () => bootstrapped({ delegations: { delegation: 'succinct_roles', number: 4 } })
const withId = { addTaskIdToCustom: true }

describe('what is told of an artifact', () => {
  it('names the import that brought it, and still the commits before and after', async () => {
    const repository = await start()
    const before = await added(repository, ['before', 'p/1', 'p/2'], 7)
    const id = await begin(repository, await importOf(repository, lines(many(40))))
    const beside = await added(repository, ['p/3', 'beside'], 8)
    assert.equal(await prepare(repository, id), 'ready')
    await publish(repository)
    const commit = await newest(repository)
    const after = await added(repository, ['p/4', 'after'], 9)
    await run(repository, { kind: 'force_online_metadata_update', roles: [] })
    const told = async (path: string) => originOf(repository, path)
    for (const path of ['p/0', 'p/1', 'p/2', 'p/39']) assert.equal(await told(path), commit, path)
    assert.deepEqual([await told('before'), await told('beside'), await told('after')], [before, beside, after])
    assert.deepEqual([await told('p/3'), await told('p/4')], [beside, after])
  })

  it('names the imports that it may be of, unless it says itself of which', async () => {
    const repository = await start()
    const first = await imported(repository, many(40, 'first'))
    const second = await imported(repository, many(40, 'second'))
    const third = await imported(repository, many(40, 'third'), 1, withId)
    assert.deepEqual(await originOf(repository, 'first/1'), [second, first])
    assert.deepEqual(await originOf(repository, 'second/1'), [second, first])
    assert.equal(await originOf(repository, 'third/1'), third)
    const changed = await added(repository, ['first/1'], 9)
    assert.equal(await originOf(repository, 'first/1'), changed)
  })

  it('goes back through other numbers of hash bins', async () => {
    const repository = await start()
    const before = await added(repository, ['before'])
    const commit = await imported(repository, many(40))
    for (const number of [16, 8, 2]) {
      await changeBins(repository, number)
      await added(repository, many(20, `beside-${number}`))
      for (const path of many(40)) assert.equal(await originOf(repository, path), commit, `${path} in ${number} bins`)
    }
    assert.equal(await originOf(repository, 'before'), before)
  })

  it('is told long afterwards, when records and old files are gone, and however much there is', async () => {
    const cost = async (count: number) => {
      const counter = counting()
      const repository = await bootstrapped({ ...counter, delegations: { delegation: 'succinct_roles', number: 4 } })
      const commit = await imported(repository, many(count))
      for (let at = 0; at < 3; at++) await added(repository, many(4, `${at}`))
      repository.pass(40 * 24 * 60 * 60 * 1000)
      await publish(repository)
      await collect(repository, { records: true })
      await publish(repository)
      const { reads } = await counter.during(async () => assert.equal(await originOf(repository, 'p/1'), commit))
      return reads
    }
    const [few, many_] = [await cost(40), await cost(4000)]
    assert.equal(many_, few)
  })

  it('costs as much more for each further import as for the one before', async () => {
    const counter = counting()
    const repository = await bootstrapped({ ...counter, delegations: { delegation: 'succinct_roles', number: 2 } })
    const costs: number[] = []
    for (let at = 0; at < 12; at++) {
      await imported(repository, many(20, `import-${at}`))
      const { reads } = await counter.during(() => originOf(repository, 'import-0/0'))
      costs.push(reads)
    }
    const growth = costs.slice(1).map((cost, at) => cost - (costs[at] ?? 0))
    assert.equal(new Set(growth.slice(1)).size, 1, `${costs}`)
  })
})
