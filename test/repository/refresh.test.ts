import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { publish } from '../../shared/repository/publish.ts'
import { firstToExpire } from '../../shared/repository/refresh.ts'
import { cacheCommitTime, cachedCommitTime } from '../../shared/repository/repository.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { clientNow, clientOf } from '../support/client.ts'
import { addRequest, bootstrapped, restarted, run, type TestRepository } from '../support/repository.ts'

const hour = 60 * 60 * 1000
const day = 24 * hour

const settings = (expiration: Record<string, number>): TaskRequest => ({ kind: 'update_settings', expiration })

async function versions(repository: TestRepository): Promise<Record<string, number>> {
  const current = await readCurrent(repository)
  assert.ok(current)
  const below = [...current.snapshot.signed.meta].map(([file, { version }]) => [file.replace('.json', ''), version])
  return Object.fromEntries([
    ['timestamp', current.timestamp.signed.version],
    ['snapshot', current.snapshot.signed.version],
    ...below,
  ])
}

describe('A refresh', () => {
  it('signs nothing that has more than half of its life left', async () => {
    const repository = await bootstrapped()
    repository.pass(11 * hour)
    await publish(repository)
    assert.equal((await readCurrent(repository))?.entry.number, 1)
  })

  it('signs what has not: each role by its own life', async () => {
    const repository = await bootstrapped()
    const after = async (time: number) => {
      repository.pass(time)
      await publish(restarted(repository))
      return versions(repository)
    }
    const bins = { 'bins-0': 1, 'bins-1': 1, 'bins-2': 1, 'bins-3': 1 }
    assert.deepEqual(await after(13 * hour), { timestamp: 2, snapshot: 1, targets: 1, ...bins })
    assert.deepEqual(await after(3.1 * day), { timestamp: 3, snapshot: 3, targets: 1, ...bins })
    const later = { 'bins-0': 4, 'bins-1': 4, 'bins-2': 4, 'bins-3': 4 }
    assert.deepEqual(await after(12 * day), { timestamp: 4, snapshot: 4, targets: 1, ...later })
    assert.deepEqual(await after(31 * day), {
      timestamp: 5,
      snapshot: 5,
      targets: 5,
      'bins-0': 5,
      'bins-1': 5,
      'bins-2': 5,
      'bins-3': 5,
    })
  })

  it('is spread over runs: no more roles at once than the limits say, one commit for each run', async () => {
    const repository = await bootstrapped({ limits: { refreshedPerCycle: 3 } })
    repository.pass(16 * day)
    const runs = []
    for (let times = 0; times < 4; times++) {
      const cycles: number[] = []
      await publish(repository, ({ refreshed }) => cycles.push(refreshed))
      runs.push(cycles)
    }
    // Timestamp, snapshot and four bins.
    assert.deepEqual(runs, [[3], [3], [], []])
  })

  it('goes along with what is published', async () => {
    const repository = await bootstrapped()
    repository.pass(16 * day)
    await run(repository, addRequest(['a']))
    assert.deepEqual(await versions(repository), {
      timestamp: 2,
      snapshot: 2,
      targets: 1,
      'bins-0': 2,
      'bins-1': 2,
      'bins-2': 2,
      'bins-3': 2,
    })
  })

  it('goes by new days once they are set, for a refresher that knew the old ones, too', async () => {
    const days = { timestamp: 30, snapshot: 30, targets: 90, bins: 60 }
    const repository = await bootstrapped()
    await run(repository, settings(days))
    const refresher = restarted(repository)
    repository.pass(day)
    await publish(refresher)
    await run(repository, settings({ timestamp: 1 }))
    const client = clientOf(repository)
    for (let hours = 0; hours < 48; hours++) {
      repository.pass(hour)
      await publish(refresher)
      await client.refresh()
    }
  })

  it('leaves a role the days under which it was signed', async () => {
    const repository = await bootstrapped()
    const bins = async () =>
      (await firstToExpire(repository, (await readCurrent(repository)) ?? assert.fail())).find(({ role }) =>
        role.startsWith('bins-'),
      )
    const before = await bins()
    await run(repository, settings({ bins: 300 }))
    assert.deepEqual(await bins(), before)
    await run(repository, settings({ bins: 2 }))
    assert.deepEqual(await bins(), before)
    assert.equal((before?.expires.getTime() ?? 0) - (before?.signed.getTime() ?? 0), 30 * day)
  })

  it('remembers when commits were made of those that it asks for, and of not many others', async () => {
    const { cache } = await bootstrapped()
    for (let number = 2; number < 10_000; number++) {
      cacheCommitTime(cache, number, new Date(number))
      assert.ok(cachedCommitTime(cache, 1), `after commit ${number}`)
    }
    assert.ok(cache.commitTimes.size < 5_000)
  })

  it('keeps every role fresh for a year in which days change and the refresher is away at times', async () => {
    const repository = await bootstrapped({ limits: { refreshedPerCycle: 2 } })
    const kept = clientOf(repository)
    const changes = [{ timestamp: 3 }, { snapshot: 2, bins: 4 }, { timestamp: 1, bins: 60 }, { targets: 5 }]
    let refresher = restarted(repository)
    for (let hours = 0; hours < 360 * 24; hours += 3) {
      repository.pass(3 * hour)
      const change = changes[(hours / 24 / 80) | 0]
      if (hours % (80 * 24) === 0 && change) await run(repository, settings(change))
      if (hours % 30 === 0) await run(repository, addRequest([`file-${hours % 7}`], hours))
      if (hours % (20 * 24) === 0) refresher = restarted(repository)
      // Away for nine hours, when half of the shortest life is twelve.
      if (hours % 24 > 9) for (let runs = 0; runs < 5; runs++) await publish(refresher)
      await kept.refresh()
      if (hours % 96 !== 0) continue
      const fresh = await clientNow(repository)
      assert.deepEqual(await kept.everything(), await fresh.everything())
    }
  })
})

describe('Settings', () => {
  const ends = async (repository: TestRepository, request: TaskRequest) => {
    const { state, task } = await run(repository, request)
    assert.ok('result' in task)
    return [state, task.result.details]
  }

  it('say which roles are updated, and which there are not', async () => {
    const repository = await bootstrapped()
    const expiration = { timestamp: 2, bins: 10, root: 5, nobody: 5, constructor: 1 }
    assert.deepEqual(await ends(repository, settings(expiration)), [
      'SUCCESS',
      { updated_roles: ['timestamp', 'bins'], invalid_roles: ['root', 'nobody', 'constructor'] },
    ])
    assert.equal((await readCurrent(repository))?.settings.expiration['timestamp'], 2)
    assert.equal((await readCurrent(repository))?.settings.expiration['root'], 365)
  })

  it('are refused if they name no role that there is', async () => {
    const repository = await bootstrapped()
    const [state] = await ends(repository, settings({ nobody: 5 }))
    assert.equal(state, 'ERRORED')
  })

  it('signs online roles anew when that is forced', async () => {
    const repository = await bootstrapped()
    const force = (roles: readonly string[]): TaskRequest => ({ kind: 'force_online_metadata_update', roles })
    await run(repository, force(['bins']))
    assert.deepEqual(await versions(repository), {
      timestamp: 2,
      snapshot: 2,
      targets: 1,
      'bins-0': 2,
      'bins-1': 2,
      'bins-2': 2,
      'bins-3': 2,
    })
    await run(repository, force(['timestamp']))
    assert.deepEqual((await versions(repository))['timestamp'], 3)
    assert.deepEqual((await versions(repository))['snapshot'], 2)
    await run(repository, force([]))
    assert.deepEqual(new Set(Object.values(await versions(repository))), new Set([4]))
    assert.equal((await ends(repository, force(['root'])))[0], 'ERRORED')
  })
})
