import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import { diagnose } from '../../shared/repository/repair/diagnose.ts'
import { repair } from '../../shared/repository/repair/repair.ts'
import { submit } from '../../shared/repository/submit.ts'
import { clientNow } from '../support/client.ts'
import { paths, published } from '../support/published.ts'
import { addRequest, restarted, type TestRepository } from '../support/repository.ts'

describe('repair after a crash', () => {
  /** A publisher that dies before the k-th write of its cycle; true if it got that far. */
  async function crashAt(repository: TestRepository, k: number): Promise<boolean> {
    let writes = 0
    const dying = (store: ObjectStore): ObjectStore => {
      const write = <Result>(work: () => Promise<Result>) => {
        if (++writes >= k) throw new Error('dead')
        return work()
      }
      return {
        ...store,
        create: async (name, bytes) => write(() => store.create(name, bytes)),
        replace: async (name, bytes, tag) => write(() => store.replace(name, bytes, tag)),
        delete: async (name) => write(() => store.delete(name)),
      }
    }
    const { ports } = repository
    const broken = {
      ...restarted(repository),
      ports: { ...ports, metadata: dying(ports.metadata), state: dying(ports.state) },
    }
    return publish(broken).then(
      () => false,
      () => true,
    )
  }

  it('finishes or rolls back, whatever the write was, and with the timestamp lost besides', async () => {
    for (const alsoLost of [false, true]) {
      for (let k = 1; ; k++) {
        const repository = await published()
        const client = await clientNow(repository)
        const { id } = await submit(repository, { request: addRequest(paths, 5), principal: 'test' })
        const settings = { kind: 'update_settings', expiration: { bins: 19 } } as const
        const { id: other } = await submit(repository, { request: settings, principal: 'test' })
        const crashed = await crashAt(repository, k)
        await client.refresh()
        if (alsoLost) await repository.ports.metadata.delete('timestamp.json')
        const process = restarted(repository)
        const { plan, blocked } = await diagnose(process)
        assert.deepEqual(blocked, [])
        assert.ok(plan)
        await repair(process, plan)
        await client.refresh()
        const again = await diagnose(restarted(repository))
        assert.deepEqual([again.steps, again.lost], [[], []], `after write ${k}`)
        await publish(restarted(repository))
        await client.refresh()
        assert.equal((await client.find('c'))?.length, 5)
        for (const task of [id, other]) assert.equal((await readTask(repository, task))?.state, 'SUCCESS')
        assert.equal((await readCurrent(restarted(repository)))?.settings.expiration['bins'], 19)
        if (!crashed) break
      }
    }
  })
})
