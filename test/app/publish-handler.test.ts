import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { publishHandler } from '../../shared/app/handlers/publish.ts'
import { refreshHandler } from '../../shared/app/handlers/refresh.ts'
import { remembered } from '../../shared/app/remembered.ts'
import { SignerError, StoreError } from '../../shared/repository/ports.ts'
import { readPreparation } from '../../shared/repository/preparation.ts'
import { readTask } from '../../shared/repository/read.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import { customRole, delegation, sign, succeeds } from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { importOf, lines, many } from '../support/long-work.ts'
import { addRequest, bootstrapped } from '../support/repository.ts'
import { sqsRecord } from '../support/sqs.ts'

const day = 24 * 60 * 60 * 1000
const enough = { getRemainingTimeInMillis: () => 60_000 }
const none = { getRemainingTimeInMillis: () => -1 }
const event = (...bodies: string[]) => ({ Records: bodies.map((body, index) => sqsRecord(`message-${index}`, body)) })

/** The handlers over a repository, and what they tell. */
function observed(repository: Repository, connect: () => Promise<Repository> = async () => repository) {
  const lines: { level: string; message: string; [field: string]: unknown }[] = []
  const say = (level: string) => (fields: object, message: string) => void lines.push({ ...fields, level, message })
  const measured = new Map<string, number[]>()
  const dead: string[] = []
  const service = {
    repository: remembered(connect),
    deadLetters: { ring: async (id: string) => void dead.push(id) },
    log: { info: say('info'), warn: say('warn'), error: say('error') },
    measure: (metric: string, value: number) => void measured.set(metric, [...(measured.get(metric) ?? []), value]),
  }
  return { publish: publishHandler(service), refresh: refreshHandler(service), lines, measured, dead }
}

async function withTask(path = 'a'): Promise<{ repository: Awaited<ReturnType<typeof bootstrapped>>; id: string }> {
  const repository = await bootstrapped()
  const { id } = await submit(repository, { request: addRequest([path]), principal: 'test' })
  return { repository, id }
}

describe('publishHandler', () => {
  it('publishes what waits, whatever rang, and measures it', async () => {
    const { repository, id } = await withTask()
    const { publish, measured, lines } = observed(repository)
    assert.deepEqual(await publish(event('f'.repeat(32)), enough), { batchItemFailures: [] })
    assert.equal((await readTask(repository, id))?.state, 'SUCCESS')
    assert.deepEqual(measured.get('commits'), [1])
    assert.equal(measured.get('publishLatency')?.length, 1)
    assert.deepEqual(lines[0]?.['tasks'], [`${id} SUCCESS`])
  })

  it('takes messages that are not ours for done, and does nothing for them alone', async () => {
    const { repository, id } = await withTask()
    const { publish, lines } = observed(repository)
    const strange = ['', '{}', 'F'.repeat(32), `${'f'.repeat(32)}\n`, 'x'.repeat(10_000)]
    assert.deepEqual(await publish(event(...strange), enough), { batchItemFailures: [] })
    assert.equal((await readTask(repository, id))?.state, 'PENDING')
    assert.equal(lines.filter(({ level, code }) => level === 'warn' && code === 'no-task-id').length, strange.length)
    assert.ok(lines.every(({ body }) => String(body).length <= 100))
  })

  it('gives back what is ours when publishing fails, and logs it once with the tasks', async () => {
    const { repository, id } = await withTask()
    const down = async () => Promise.reject(new StoreError('unavailable', 'S3 is down.'))
    const { publish, lines, measured } = observed(repository, down)
    const failures = [{ itemIdentifier: 'message-1' }]
    assert.deepEqual(await publish(event('strange', id), enough), { batchItemFailures: failures })
    const errors = lines.filter(({ level }) => level === 'error')
    assert.equal(errors.length, 1)
    const { err, tasks } = errors[0] as { err?: StoreError; tasks?: string[] }
    assert.deepEqual(tasks, [id])
    assert.equal(err?.code, 'unavailable')
    assert.deepEqual(measured.get('failedRuns'), [1])
  })

  it('begins no cycle without time for it, and rings again', async () => {
    const { repository, id } = await withTask()
    const rung: string[] = []
    const queue = { ring: async (taskId: string) => void rung.push(taskId) }
    const { publish } = observed({ ...repository, ports: { ...repository.ports, queue } })
    assert.deepEqual(await publish(event(id), none), { batchItemFailures: [] })
    assert.deepEqual(rung, [id])
    assert.equal((await readTask(repository, id))?.state, 'PENDING')
  })

  it('says with the tasks that its time is over, once and only if it is', async () => {
    const { repository, id } = await withTask()
    const resume = Promise.withResolvers<Repository>()
    const { publish, lines } = observed(repository, () => resume.promise)
    const running = publish(event(id), { getRemainingTimeInMillis: () => 1_010 })
    await setTimeout(50)
    const said = lines.map(({ level, code, tasks }) => ({ level, code, tasks }))
    assert.deepEqual(said, [{ level: 'error', code: 'timed-out', tasks: [id] }])
    resume.resolve(repository)
    await running
    lines.length = 0
    await publish(event(id), { getRemainingTimeInMillis: () => 1_010 })
    await setTimeout(50)
    assert.deepEqual(
      lines.filter(({ code }) => code === 'timed-out'),
      [],
    )
  })

  it('sends a task that ends as FAILURE to the dead letters', async () => {
    const { repository, id } = await withTask()
    // A request that nobody foresaw: no operation can be applied to it.
    const name = `inbox/${id}.json`
    const stored = await repository.ports.state.read(name)
    const task = JSON.parse(Buffer.from(stored?.bytes ?? '').toString())
    await repository.ports.state.delete(name)
    await repository.ports.state.create(
      name,
      Buffer.from(JSON.stringify({ ...task, request: { kind: task.request.kind } })),
    )
    const { publish, dead, measured, lines } = observed(repository)
    assert.deepEqual(await publish(event(id), enough), { batchItemFailures: [] })
    assert.equal((await readTask(repository, id))?.state, 'FAILURE')
    assert.deepEqual(dead, [id])
    assert.deepEqual(measured.get('failedTasks'), [1])
    const said = lines.filter(({ level, task }) => level === 'error' && task === id)
    assert.deepEqual(
      said.map(({ code }) => code),
      ['broke'],
    )
  })

  it('answers after the work ahead has ended, also if publishing fails beside it', async () => {
    let isDown = false
    const repository = await bootstrapped({
      around: (store, which) => ({
        ...store,
        async replace(name, bytes, tag) {
          const replaced = await store.replace(name, bytes, tag)
          // The short commit is visible, and the work ahead begins.
          if (name === 'timestamp.json' && which === 'metadata') isDown = true
          return replaced
        },
        list: async (prefix, options) =>
          isDown && prefix === 'inbox/'
            ? Promise.reject(new StoreError('unavailable', 'The store is down.'))
            : store.list(prefix, options),
      }),
    })
    const long = await importOf(repository, lines(many(200)))
    const { id } = await submit(repository, { request: long, principal: 'test' })
    await submit(repository, { request: addRequest(['a']), principal: 'test' })
    const { publish, measured } = observed(repository)
    isDown = false
    assert.equal((await publish(event(id), enough)).batchItemFailures.length, 1)
    assert.deepEqual([measured.get('commits'), measured.get('failedRuns')], [[1], [1]])
    assert.equal((await readPreparation(repository.ports.state, id))?.document.phase, 'ready')
  })
})

describe('refreshHandler', () => {
  it('publishes what no bell rang for, and measures how the repository fares', async () => {
    const { repository, id } = await withTask()
    const { refresh, measured } = observed(repository)
    await refresh({}, enough)
    assert.equal((await readTask(repository, id))?.state, 'SUCCESS')
    assert.deepEqual(measured.get('nearestExpiry'), [86_400])
    assert.deepEqual(measured.get('oldestTask'), [0])
    assert.deepEqual(measured.get('parkedChanges'), [0])
  })

  it('warns once of a root and of roles whose holders have to sign anew, and measures both', async () => {
    const repository = await bootstrapped()
    const ann = makeKey()
    const { refresh, measured, lines } = observed(repository)
    const warnings = () => lines.filter(({ level }) => level === 'warn').map(({ role }) => role)
    await refresh({}, enough)
    assert.deepEqual(measured.get('rootToRenew'), [0])
    assert.equal(measured.has('offlineToRenew'), false)

    await succeeds(repository, delegation('add', [customRole('project', { holders: [ann] })], [ann]))
    await sign(repository, 'project', ann)
    repository.pass(25 * day)
    await refresh({}, enough)
    assert.equal(Math.round((measured.get('offlineExpiry')?.[0] ?? 0) / 86_400), 5)
    assert.deepEqual([measured.get('rootToRenew'), measured.get('offlineToRenew')], [[0, 0], [1]])
    await refresh({}, enough)
    assert.deepEqual(warnings(), ['project'])

    repository.pass(260 * day)
    await refresh({}, enough)
    assert.deepEqual([measured.get('rootToRenew')?.at(-1), measured.get('offlineToRenew')?.at(-1)], [1, 1])
    assert.deepEqual(warnings(), ['project', 'root', 'project'])
    const left = measured.get('rootExpiry')?.at(-1) ?? 0
    assert.ok(left > 79 * 86_400 && left < 81 * 86_400, `${left} s`)
  })

  it('measures how long the oldest task has waited, also when it cannot publish', async () => {
    const { repository } = await withTask()
    repository.pass(30_000)
    const { refresh, measured, lines } = observed(repository)
    const signers = repository.ports.signers.map((signer) => ({
      ...signer,
      sign: () => Promise.reject(new SignerError('unavailable', 'KMS is down.')),
    }))
    Object.assign(repository.ports, { signers })
    await refresh({}, enough)
    assert.equal(lines.filter(({ level }) => level === 'error').length, 1)
    assert.deepEqual(measured.get('failedRuns'), [1])
    assert.deepEqual(measured.get('oldestTask'), [30])
  })
})
