import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type CheckHelper, checkRepository } from '../../shared/repository/check/check.ts'
import { fileCheck } from '../../shared/repository/check/files.ts'
import { many } from '../support/long-work.ts'
import { addRequest, bootstrapped, run } from '../support/repository.ts'

const bins = 1024

describe('check in two threads', async () => {
  const repository = await bootstrapped({ delegations: { delegation: 'succinct_roles', number: bins } })
  await run(repository, addRequest(many(40)))
  const now = repository.ports.clock.now()
  const published = new Map<string, Uint8Array>()
  for (const name of await repository.ports.metadata.list('')) {
    const stored = await repository.ports.metadata.read(name)
    if (stored !== undefined) published.set(name, stored.bytes)
  }

  /** Alone, and with a helper that gets and gives copies, as a thread does. */
  async function both(files: ReadonlyMap<string, Uint8Array>) {
    // Some come late, as they do from a disk.
    const read = async (file: string) => {
      if (/[02468ace]\.json$/.test(file)) await setImmediate()
      return files.get(file)
    }
    const said: [number, number][] = []
    let helped = 0
    const helper: CheckHelper = async (delegated, onRead) => {
      const { seen, checkDelegated } = fileCheck({ read, now })
      const below = await checkDelegated(structuredClone(delegated))
      helped = seen.files.size
      onRead(helped)
      return structuredClone({ seen, below })
    }
    const progress = (done: number, total: number) => said.push([done, total])
    const together = await checkRepository({ read, now, helper, progress })
    return { alone: await checkRepository({ read, now }), together, helped, said }
  }

  it('says the same as one does, and both have read', async () => {
    const { alone, together, helped, said } = await both(published)
    assert.deepEqual(together.findings, [])
    assert.deepEqual(together, alone)
    assert.equal(together.targets, 40)
    assert.equal(helped, bins / 2)
    assert.deepEqual(said.at(-1), [together.files.size, together.files.size])
  })

  it('finds what is wrong in either half', async () => {
    const damaged = new Map(published)
    const [first = '', last = ''] = [`1.bins-000.json`, `1.bins-3ff.json`].filter((name) => damaged.has(name))
    assert.ok(first && last, 'both are as they were founded')
    damaged.delete(first)
    damaged.set(
      last,
      Buffer.from(
        Buffer.from(damaged.get(last) ?? [])
          .toString()
          .replace('"targets":{}', '"targets": {"a":{}}'),
      ),
    )
    const { alone, together } = await both(damaged)
    assert.deepEqual(
      together.findings.map(({ file, problem }) => [file, problem]),
      [
        [first, 'missing'],
        [last, 'unreadable'],
      ],
    )
    assert.deepEqual(together.findings, alone.findings)
  })

  it('ends with what the helper met', async () => {
    const read = async (file: string) => published.get(file)
    const helper: CheckHelper = async () => assert.fail('It cannot read.')
    await assert.rejects(checkRepository({ read, now, helper }), /It cannot read/)
  })
})
