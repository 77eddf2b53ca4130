import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Published, publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import { readStatus } from '../../shared/repository/status.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { clientNow } from '../support/client.ts'
import {
  addRequest,
  bootstrapped,
  bootstrapRequest,
  run,
  type TestRepository,
  testRepository,
} from '../support/repository.ts'

async function accept(repository: TestRepository, request: TaskRequest): Promise<string> {
  return (await submit(repository, { request, principal: 'test' })).id
}

async function spoil({ ports: { state } }: TestRepository, id: string, content: string | Uint8Array): Promise<void> {
  const stored = await state.read(`inbox/${id}.json`)
  assert.ok(stored)
  await state.replace(`inbox/${id}.json`, Buffer.from(content), stored.tag)
}

async function textOf({ ports: { state } }: TestRepository, name: string): Promise<string> {
  return Buffer.from((await state.read(name))?.bytes ?? assert.fail(`${name} is missing`)).toString()
}

describe('A task that somebody has spoilt in the inbox', () => {
  const contents = ['', '{"schema":1,"id":"00', '{}', 'null', '{"schema":1,"id":"another","request":{"kind":"revert"}}']
  for (const content of contents) {
    it(`ends as FAILURE, with a copy kept, and holds up nobody: ${content || 'nothing left of it'}`, async () => {
      const repository = await bootstrapped()
      const before = await accept(repository, addRequest(['before']))
      const spoilt = await accept(repository, addRequest(['spoilt']))
      const after = await accept(repository, addRequest(['after']))
      await spoil(repository, spoilt, content)
      const commits: Published[] = []
      await publish(repository, (published) => commits.push(published))
      const states = commits.flatMap(({ tasks }) => tasks.map(({ id, state }) => [id, state]))
      assert.deepEqual(states, [
        [before, 'SUCCESS'],
        [spoilt, 'FAILURE'],
        [after, 'SUCCESS'],
      ])
      assert.equal(await textOf(repository, `spoilt/${spoilt}.json`), content)
      const standing = await readTask(repository, spoilt)
      assert.match(JSON.stringify(standing), new RegExp(`spoilt/${spoilt}\\.json`))
      assert.deepEqual(await repository.ports.state.list('inbox/'), [])
      const client = await clientNow(repository)
      assert.ok(await client.find('after'))
    })
  }

  it('does not keep anybody from asking how things stand', async () => {
    const repository = await bootstrapped()
    await spoil(repository, await accept(repository, addRequest(['spoilt'])), 'nothing of ours')
    await accept(repository, addRequest(['after']))
    assert.equal((await readStatus(repository)).waiting.count, 2)
  })

  it('holds up no bootstrap either', async () => {
    const repository = testRepository()
    const spoilt = await accept(repository, addRequest(['early']))
    await spoil(repository, spoilt, 'nothing of ours')
    assert.equal((await run(repository, bootstrapRequest(repository))).state, 'SUCCESS')
    assert.equal((await readTask(repository, spoilt))?.state, 'FAILURE')
    assert.equal(await textOf(repository, `spoilt/${spoilt}.json`), 'nothing of ours')
  })

  it('is told from one that a later version of the service has written: that one waits', async () => {
    const repository = await bootstrapped()
    const id = await accept(repository, addRequest(['a']))
    const written = await textOf(repository, `inbox/${id}.json`)
    await spoil(repository, id, written.replace('"schema":1', '"schema":2'))
    await assert.rejects(publish(repository), /has schema 2; this version understands 1\. Upgrade\./)
    assert.equal((await repository.ports.state.list('inbox/')).length, 1)
    await spoil(repository, id, written)
    await publish(repository)
    assert.equal((await readTask(repository, id))?.state, 'SUCCESS')
  })

  it('is told from one of a kind that only a later version knows: that one waits, in its place, and what is due is signed', async () => {
    const repository = await bootstrapped()
    const before = await accept(repository, addRequest(['before']))
    const later = await accept(repository, addRequest(['later']))
    const after = await accept(repository, addRequest(['after']))
    const written = await textOf(repository, `inbox/${later}.json`)
    // 'constructor': a name that every table has.
    for (const kind of ['split_repository', 'constructor']) {
      await spoil(repository, later, written.replace('"add_artifacts"', `"${kind}"`))
      // No crash is counted, so however often it is met it is not set aside.
      for (let run = 0; run < 5; run++) {
        await assert.rejects(publish(repository), {
          code: 'newer',
          message: `inbox/${later}.json asks for "${kind}", which this version does not know. It and what came after it wait. Upgrade.`,
        })
      }
    }
    const states = async () =>
      Promise.all([before, later, after].map(async (id) => (await readTask(repository, id))?.state))
    assert.deepEqual(await states(), ['SUCCESS', 'PENDING', 'PENDING'])
    repository.pass(20 * 60 * 60 * 1000)
    let refreshed = 0
    await assert.rejects(
      publish(repository, (published) => {
        refreshed += published.refreshed
      }),
      { code: 'newer' },
    )
    assert.notEqual(refreshed, 0)
    await spoil(repository, later, written)
    await publish(repository)
    assert.deepEqual(await states(), ['SUCCESS', 'SUCCESS', 'SUCCESS'])
  })
})
