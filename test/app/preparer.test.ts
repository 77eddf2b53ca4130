import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, mock } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { openDirectoryObjectStore } from '../../shared/adapters/local/directory-object-store.ts'
import { createKeyFile } from '../../shared/adapters/local/key-file-signer.ts'
import { threadedPreparer } from '../../shared/app/preparer.ts'
import { repositoryOf } from '../../shared/app/preparer-repository.ts'
import { SignerError } from '../../shared/repository/ports.ts'
import { askToPrepare, holdPreparation } from '../../shared/repository/preparation.ts'
import { submit } from '../../shared/repository/submit.ts'
import { recordedLog } from '../support/log.ts'
import { addRequest, testRepository } from '../support/repository.ts'

describe('a preparer in a thread of its own', () => {
  it('waits before it tries again what another one holds', async () => {
    await using cleanup = new AsyncDisposableStack()
    const data = await mkdtemp(join(tmpdir(), 'tuffet-preparer-'))
    cleanup.defer(() => rm(data, { recursive: true, force: true }))
    const key = join(data, 'online.pem')
    await createKeyFile(key)
    const state = await openDirectoryObjectStore(join(data, 'state'))
    const repository = testRepository({ around: (store, which) => (which === 'state' ? state : store) })
    const { id } = await submit(repository, { request: addRequest(['a']), principal: 'test' })
    await askToPrepare(state, id, 1)
    assert.equal(typeof (await holdPreparation(repository, id)), 'object')

    mock.timers.enable({ apis: ['setTimeout'] })
    cleanup.defer(() => mock.timers.reset())
    const threads: Worker[] = []
    const onThread = (thread: Worker) => void threads.push(thread)
    process.on('worker', onThread)
    cleanup.defer(() => void process.off('worker', onThread))
    let rung = 0
    const preparer = threadedPreparer({ data, keys: [key], retention: 1000 }, state, recordedLog().log, () => rung++)
    cleanup.defer(() => preparer.close())
    const begun = once(process, 'worker') as Promise<[Worker]>
    preparer.begin(id)
    const [thread] = await begun
    const [[prepared]] = await Promise.all([once(thread, 'message'), once(thread, 'exit')])
    assert.equal(prepared, 'busy')
    preparer.begin(id)
    // It would be told in the next tick.
    await new Promise(process.nextTick)
    assert.deepEqual([threads.length, rung], [1, 0])
    mock.timers.tick(5_000)
    assert.equal(rung, 1)
  })

  it('comes after a publisher that somebody has made to come after others', {
    skip: process.platform !== 'linux',
  }, () => {
    const file = join(import.meta.dirname, '../../shared/app/preparer-repository.ts')
    const program = `
      const { getPriority, setPriority } = await import('node:os')
      const { comeAfterPublisher } = await import(${JSON.stringify(file)})
      setPriority(12)
      comeAfterPublisher()
      const once = getPriority()
      comeAfterPublisher()
      console.log(once, getPriority())`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
    assert.equal(stdout, '17 19\n')
  })

  it('keeps to the time for which the service keeps files', async () => {
    const { limits } = await repositoryOf({ data: tmpdir(), keys: [], taskId: '', retention: 1000 })
    assert.equal(limits.retention, 1000)
  })

  it('tells why it failed until it succeeds, or nobody asks any more', async () => {
    await using cleanup = new AsyncDisposableStack()
    const data = await mkdtemp(join(tmpdir(), 'tuffet-preparer-'))
    cleanup.defer(() => rm(data, { recursive: true, force: true }))
    const key = join(data, 'online.pem')
    const state = await openDirectoryObjectStore(join(data, 'state'))
    const preparer = threadedPreparer({ data, keys: [key], retention: 1000 }, state, recordedLog().log, () => {})
    cleanup.defer(() => preparer.close())
    mock.timers.enable({ apis: ['setTimeout'] })
    cleanup.defer(() => mock.timers.reset())
    const attempt = async () => {
      const begun = once(process, 'worker') as Promise<[Worker]>
      preparer.begin('7')
      const [thread] = await begun
      await new Promise((resolve) => thread.once('exit', resolve))
      mock.timers.tick(5_000)
      return preparer.trouble
    }
    const trouble = await attempt()
    assert.ok(trouble instanceof SignerError)
    assert.match(trouble.message, /^The work ahead for task 7 fails, .* every 5 seconds: .*online\.pem/)
    preparer.rest()
    assert.equal(preparer.trouble, undefined)
    assert.ok(await attempt())
    await createKeyFile(key)
    assert.equal(await attempt(), undefined)
  })
})
