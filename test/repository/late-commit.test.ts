import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { publish } from '../../shared/repository/publish.ts'
import { readCommits, readTask } from '../../shared/repository/read.ts'
import { openRepository, type Repository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import { addRequest, bootstrapped, restarted } from '../support/repository.ts'

describe('A commit that becomes visible just before a publisher looks, and whose own publisher died', () => {
  it('is finished: its task is not applied again, and nothing of it is left in the inbox', async () => {
    const repository = await bootstrapped()
    const task = { id: '' }
    const late = whileItLooks(repository, async () => {
      task.id = await add(repository, 'a')
      await assert.rejects(publish(dyingBeforeItFinishes(repository)), /died/)
    })
    await publish(late)
    await publish(late)
    const commits = await Array.fromAsync(readCommits(repository, { limit: 10 }))
    const ofTask = commits.filter(({ tasks }) => tasks.some(({ id }) => id === task.id))
    assert.equal(ofTask.length, 1)
    assert.equal((await readTask(repository, task.id))?.state, 'SUCCESS')
    assert.deepEqual(await repository.ports.state.list('inbox/'), [])
  })

  it('sends nobody away who saw its lease, and a task that its publisher did not see', async () => {
    const repository = await bootstrapped()
    const task = { id: '' }
    const late = afterItLooked(repository, async () => {
      await add(repository, 'a')
      await publish(restarted(repository))
      task.id = await add(repository, 'b')
    })
    await publish(late)
    assert.equal((await readTask(repository, task.id))?.state, 'SUCCESS')
  })
})

const add = async (repository: Repository, path: string) =>
  (await submit(repository, { request: addRequest([path]), principal: 'test' })).id

/** Another process, for which `meanwhile` happens between its look at `timestamp.json` and that at the inbox, the first time. */
function afterItLooked({ ports, limits }: Repository, meanwhile: () => Promise<void>): Repository {
  const happening = once(meanwhile)
  const list: typeof ports.state.list = async (...parameters) => {
    await happening()
    return ports.state.list(...parameters)
  }
  return openRepository({ ...ports, state: { ...ports.state, list } }, limits)
}

/** Another process, for which `meanwhile` happens between its asking for `timestamp.json` and the answer, the first time. */
function whileItLooks({ ports, limits }: Repository, meanwhile: () => Promise<void>): Repository {
  const happening = once(meanwhile)
  const read: typeof ports.metadata.read = async (name) => {
    if (name === 'timestamp.json') await happening()
    return ports.metadata.read(name)
  }
  return openRepository({ ...ports, metadata: { ...ports.metadata, read } }, limits)
}

function once(work: () => Promise<void>): () => Promise<void> {
  let working: Promise<void> | undefined
  return () => {
    working ??= work()
    return working
  }
}

/** Another process, which dies as soon as its commit is visible. */
function dyingBeforeItFinishes({ ports, limits }: Repository): Repository {
  const create: typeof ports.state.create = async (name, bytes) => {
    if (name.startsWith('tasks/')) throw new Error('It died.')
    return ports.state.create(name, bytes)
  }
  return openRepository({ ...ports, state: { ...ports.state, create } }, limits)
}
