import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ObjectStore, Signer } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { submit } from '../../shared/repository/submit.ts'
import { addRequest, bootstrapped, restarted, run, type TestRepository } from '../support/repository.ts'

/**
 * What S3 and KMS are asked takes milliseconds; the rest takes none to speak of. So how long a publish takes is how many of
 * these requests have to wait for another one's answer.
 */
describe('Requests one after the other, from the bell until a post is visible', () => {
  it('by a publisher that knows the repository', async () => {
    const { repository, trips } = await counted()
    await run(repository, addRequest(['warm']))
    await submit(repository, { request: addRequest(['one']), principal: 'test' })
    assert.deepEqual(await trips(repository), { visible: 8, ended: 12 })
  })

  it('by a publisher that has just started', async () => {
    const { repository, trips } = await counted()
    await submit(repository, { request: addRequest(['one']), principal: 'test' })
    assert.deepEqual(await trips(restarted(repository)), { visible: 14, ended: 18 })
  })
})

async function counted() {
  let made = 0
  let visible = 0
  let counts = false
  let waiting: (() => void)[] = []
  const answer = () => {
    made++
    const answered = waiting
    waiting = []
    for (const resolve of answered) resolve()
  }
  /** All that is asked before anything is answered is answered together. */
  const trip = async <Result>(ask: () => Promise<Result>): Promise<Result> => {
    if (!counts) return ask()
    await new Promise<void>((resolve) => {
      if (waiting.length === 0) setImmediate(answer)
      waiting.push(resolve)
    })
    return ask()
  }
  const around = (store: ObjectStore): ObjectStore => ({
    read: (name) => trip(() => store.read(name)),
    range: (name, start, end) => trip(() => store.range(name, start, end)),
    create: (name, bytes) => trip(() => store.create(name, bytes)),
    delete: (name) => trip(() => store.delete(name)),
    list: (prefix, options) => trip(() => store.list(prefix, options)),
    async replace(name, bytes, tag) {
      const replaced = await trip(() => store.replace(name, bytes, tag))
      if (name === 'timestamp.json') visible = made
      return replaced
    },
  })
  const wrapSigner = (signer: Signer): Signer => ({ ...signer, sign: (bytes) => trip(() => signer.sign(bytes)) })
  const repository = await bootstrapped({ around, wrapSigner })
  const trips = async (publisher: TestRepository) => {
    made = 0
    counts = true
    await publish(publisher)
    counts = false
    return { visible, ended: made }
  }
  return { repository, trips }
}
