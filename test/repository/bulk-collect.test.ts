import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collect } from '../../shared/repository/collect.ts'
import { collectImports } from '../../shared/repository/collect-imports.ts'
import { encodeDocument, schemaVersion } from '../../shared/repository/documents.ts'
import { beginImport, decideTask, namesOf } from '../../shared/repository/imports.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { submit } from '../../shared/repository/submit.ts'
import {
  type FinalState,
  type FinishedTask,
  type ImportArtifactsRequest,
  taskName,
} from '../../shared/repository/task.ts'
import { bootstrapped, type TestRepository } from '../support/repository.ts'

const day = 86_400_000

/** An import that has begun now, with its file. */
async function begun(repository: TestRepository): Promise<string> {
  const id = repository.ports.clock.newId() + 'ab'.repeat(16)
  await beginImport(repository, id, { principal: 'test', format: 'csv' })
  await repository.ports.state.create(`bulk/${id}`, Buffer.from('x'))
  return id
}

async function submitted(repository: TestRepository): Promise<{ id: string; task: string }> {
  const id = await begun(repository)
  const request: ImportArtifactsRequest = {
    kind: 'import_artifacts',
    bulk: `bulk/${id}`,
    sha256: '',
    bytes: 1,
    format: 'csv',
    skipInvalid: false,
    addTaskIdToCustom: false,
  }
  const { task } = await decideTask(repository, id, request)
  await submit(repository, { request, principal: 'test', id: task })
  return { id, task }
}

/** The task ends, whatever comes of it. */
async function end({ ports: { state } }: TestRepository, task: string, ending: FinalState): Promise<void> {
  const result = { status: ending === 'SUCCESS', message: '', last_update: '', details: {} }
  const finished: FinishedTask = {
    schema: schemaVersion,
    id: task,
    principal: 'test',
    state: ending,
    result,
    commit: 1,
  }
  await state.create(taskName(task), encodeDocument(finished))
  await state.delete(`inbox/${task}.json`)
}

const leftOf = (repository: TestRepository) => repository.ports.state.list('bulk/')

describe('collection of imports', () => {
  it('takes one away that was never submitted, when nobody can submit it any more', async () => {
    const repository = await bootstrapped()
    const old = await begun(repository)
    repository.pass(2 * day)
    const young = await begun(repository)
    repository.pass(5 * day)
    await collect(repository)
    assert.equal((await leftOf(repository)).length, 4)
    repository.pass(day)
    assert.equal((await collect(repository)).records, 1)
    assert.deepEqual((await leftOf(repository)).sort(), [`bulk/${young}`, namesOf(young).record].sort())
    assert.equal(await repository.ports.state.read(`bulk/${old}`), undefined)
  })

  it('keeps the file that a commit was made from, and forgets the rest', async () => {
    const repository = await bootstrapped()
    const { id, task } = await submitted(repository)
    await end(repository, task, 'SUCCESS')
    repository.pass(9 * day)
    await collect(repository)
    assert.deepEqual(await leftOf(repository), [`bulk/${id}`])
    repository.pass(90 * day)
    await collect(repository)
    assert.deepEqual(await leftOf(repository), [`bulk/${id}`])
  })

  it('takes away what was refused, or broke', async () => {
    const repository = await bootstrapped()
    for (const ending of ['ERRORED', 'FAILURE'] as const) {
      const { task } = await submitted(repository)
      await end(repository, task, ending)
    }
    repository.pass(9 * day)
    assert.equal((await collect(repository)).records, 2)
    assert.deepEqual(await leftOf(repository), [])
  })

  it('keeps what a task still waits for, however long, and looks beyond it', async () => {
    const repository = await bootstrapped()
    const waiting = await submitted(repository)
    const { task } = await submitted(repository)
    await end(repository, task, 'ERRORED')
    repository.pass(60 * day)
    assert.equal((await collect(repository)).records, 1)
    assert.ok((await leftOf(repository)).includes(`bulk/${waiting.id}`))
    assert.equal((await leftOf(repository)).length, 3)
  })

  it('may be stopped at any time, and the next one goes on', async () => {
    for (const ending of ['SUCCESS', 'ERRORED', undefined] as const) {
      for (let survived = 0; survived < 4; survived++) {
        let left = Number.POSITIVE_INFINITY
        const around = (store: ObjectStore): ObjectStore => ({
          ...store,
          delete: async (name) => (left-- > 0 ? store.delete(name) : assert.fail('stopped')),
        })
        const repository = await bootstrapped({ around })
        let id: string
        if (ending === undefined) id = await begun(repository)
        else {
          const import_ = await submitted(repository)
          id = import_.id
          await end(repository, import_.task, ending)
        }
        repository.pass(9 * day)
        left = survived
        await collect(repository).catch(() => undefined)
        left = Number.POSITIVE_INFINITY
        repository.pass(day)
        await collect(repository)
        assert.deepEqual(await leftOf(repository), ending === 'SUCCESS' ? [`bulk/${id}`] : [], `${ending} ${survived}`)
      }
    }
  })

  it('by two at once loses no file that a commit was made from', async () => {
    // The one stands still before each of its reads in turn, until the other is done.
    for (let pause = 0; pause < 12; pause++) {
      let reads = Number.POSITIVE_INFINITY
      let other: (() => Promise<unknown>) | undefined
      const around = (store: ObjectStore): ObjectStore => ({
        ...store,
        async read(name) {
          if (reads-- === 0) await other?.()
          return store.read(name)
        },
      })
      const repository = await bootstrapped({ around })
      const { id, task } = await submitted(repository)
      await end(repository, task, 'SUCCESS')
      repository.pass(9 * day)
      other = () => collectImports(repository)
      reads = pause
      await collectImports(repository)
      assert.deepEqual(await leftOf(repository), [`bulk/${id}`], `read ${pause}`)
    }
  })
})
