import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { encodeEntry, entryName, stateObjectName } from '../../shared/repository/journal.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { clientNow } from '../support/client.ts'
import { makeKey, signRoot } from '../support/keys.ts'
import { published } from '../support/published.ts'
import { repaired } from '../support/repairing.ts'
import { addRequest, bootstrapped, restarted, run, signerOf } from '../support/repository.ts'

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

  it('knows the keys still that were taken from the service, where what it noted of them is lost', async () => {
    const repository = await bootstrapped()
    const next = makeKey()
    const { online, ports, rootKeys } = repository
    const root = signRoot({ root: rootKeys, threshold: 2, online: [next], version: 2 })
    const signers = [...online, next].map(signerOf)
    const service = { ...repository, ...restarted({ ...repository, ports: { ...ports, signers } }) }
    const update = { kind: 'metadata_update', root: parseJson(root.bytes), compromised: false } as const
    assert.equal((await run(service, update)).state, 'SUCCESS')
    const { rotation, entry } = (await readCurrent(service)) ?? assert.fail()
    assert.deepEqual(rotation.removed, [online[0]?.keyid])
    await ports.state.delete(stateObjectName(entry.state.rotation, 'rotation'))
    const { current } = await repaired(service, await clientNow(service))
    assert.deepEqual(current?.rotation, rotation)
    // Also where the service has given the old one away long since.
    service.pass(service.limits.rotationGrace)
    const without = { ...service, ...restarted({ ...repository, ports: { ...ports, signers: [signerOf(next)] } }) }
    await ports.state.delete(stateObjectName(current?.entry.state.rotation ?? 0, 'rotation'))
    const { steps, current: last } = await repaired(without, await clientNow(without))
    assert.match(steps.join(), /^Go on with the online keys of root 2 alone: state\/\d+\.rotation\.json is missing/)
    assert.deepEqual(last?.rotation, { schema: 1, compromised: false, removed: rotation.removed })
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
