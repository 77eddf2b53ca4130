import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collect } from '../../shared/repository/collect.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { entryName } from '../../shared/repository/journal.ts'
import { publish } from '../../shared/repository/publish.ts'
import { diagnose } from '../../shared/repository/repair/diagnose.ts'
import { repair } from '../../shared/repository/repair/repair.ts'
import { readStatus } from '../../shared/repository/status.ts'
import { clientNow } from '../support/client.ts'
import { published } from '../support/published.ts'
import { damages } from '../support/repairing.ts'
import { addRequest, restarted, run } from '../support/repository.ts'

const day = 24 * 60 * 60 * 1000

describe('where the entry of an earlier commit', () => {
  for (const [how, damage] of Object.entries(damages)) {
    // The first one decided the root and signed what has not changed since; the other one decided settings.
    for (const number of [1, 3]) {
      it(`${number} ${how}, the service goes on`, async () => {
        const repository = await published()
        const client = await clientNow(repository)
        await damage(repository.ports.state, entryName(number))
        for (let days = 0; days < 100; days += 2) {
          repository.pass(2 * day)
          const process = restarted(repository)
          await publish(process)
          await client.refresh()
          if (days % 10 === 0) assert.ok((await readStatus(process)).published)
        }
        assert.equal((await run(restarted(repository), addRequest(['after'], 9))).state, 'SUCCESS')
      })

      it(`${number} ${how}, collection goes on, and keeps every other entry that may be of a commit`, async () => {
        const repository = await published()
        const { state } = repository.ports
        await damage(state, entryName(number))
        const left = new Set(await state.list('commits/'))
        for (let days = 0; days < 4; days++) {
          await run(repository, { kind: 'update_settings', expiration: { timestamp: 2 + days } })
          repository.pass(2 * day)
          await collect(restarted(repository))
        }
        assert.ok(left.isSubsetOf(new Set(await state.list('commits/'))))
        // It has come past the gap.
        assert.equal(await state.read('state/7.settings.json'), undefined)
      })

      it(`${number} ${how}, a diagnosis says how far back history reaches`, async () => {
        const repository = await published()
        await damage(repository.ports.state, entryName(number))
        const { steps, lost, blocked } = await diagnose(restarted(repository))
        assert.deepEqual([steps, blocked], [[], []])
        assert.match(lost.join(), new RegExp(`^History before commit ${number + 1}: ${entryName(number)} is`))
      })
    }
  }
})

it('says so where the newest entry is a document, and no entry', async () => {
  const repository = await published()
  const { state } = repository.ports
  const name = entryName((await readCurrent(repository))?.entry.number ?? assert.fail())
  await state.delete(name)
  await state.create(name, Buffer.from('{"schema":1}'))
  const message = new RegExp(`^${name} is not the entry of a commit`)
  await assert.rejects(readCurrent(restarted(repository)), { code: 'corrupt', message })
})

it('puts a snapshot together from the newest files where the entries that tell of them are lost, too', async () => {
  const repository = await published()
  const client = await clientNow(repository)
  for (const number of [1, 2, 3, 4]) await repository.ports.state.delete(entryName(number))
  await repository.ports.metadata.delete('5.snapshot.json')
  const { plan, steps } = await diagnose(restarted(repository))
  assert.match(steps.join(), /Put the snapshot together/)
  assert.ok(plan)
  await repair(restarted(repository), plan)
  await client.refresh()
  for (const [path, length] of Object.entries({ a: 2, c: 1 })) assert.equal((await client.find(path))?.length, length)
})
