import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { encodeEntry, entryName } from '../../shared/repository/journal.ts'
import { clientNow } from '../support/client.ts'
import { published } from '../support/published.ts'
import { repaired } from '../support/repairing.ts'
import { addRequest, restarted, run } from '../support/repository.ts'

describe('private state', () => {
  it('publishes nothing on private state that was edited, and goes on without it', async () => {
    const repository = await published()
    const client = await clientNow(repository)
    const { state } = repository.ports
    const before = (await readCurrent(repository)) ?? assert.fail()
    const edits = [
      ['state/3.settings.json', '"timestamp":2', '"timestamp":3'],
      ['state/4.parked.json', '"length":1', '"length":7'],
    ] as const
    for (const [name, from, to] of edits) {
      const text = Buffer.from((await state.read(name))?.bytes ?? []).toString()
      assert.ok(text.includes(from), text)
      await state.delete(name)
      await state.create(name, Buffer.from(text.replace(from, to)))
      const message = /is not what was published: its hash is not the one that commit \d names/
      await assert.rejects(readCurrent(restarted(repository)), { code: 'corrupt', message })
      if (name !== 'state/4.parked.json') await repaired(repository, client)
    }
    const { lost, current } = await repaired(repository, client)
    assert.match(lost.join(), /parked/)
    assert.deepEqual(current?.parked.changes, [])
    assert.deepEqual(current?.settings.expiration, before.settings.expiration)
  })

  it('takes private state as it is that was decided before entries told its hash', async () => {
    const repository = await published()
    const { state } = repository.ports
    const { entry } = (await readCurrent(repository)) ?? assert.fail()
    const { stateSha256, ...older } = entry
    assert.deepEqual(Object.keys(stateSha256 ?? {}).sort(), ['parked', 'root', 'settings'])
    await state.delete(entryName(entry.number))
    await state.create(entryName(entry.number), encodeEntry(older))
    const process = restarted(repository)
    await run(process, { ...addRequest(['later'], 1), publish: false })
    const now = (await readCurrent(process)) ?? assert.fail()
    assert.deepEqual(Object.keys(now.entry.stateSha256 ?? {}), ['parked'])
    assert.equal(now.parked.changes.length, 2)
  })
})
