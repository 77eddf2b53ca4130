import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkJournal } from '../../shared/repository/check-journal.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { entryName } from '../../shared/repository/journal.ts'
import { addRequest, bootstrapped, run } from '../support/repository.ts'

/** The state store of a repository of five commits, the third of which never came to be. */
async function journal() {
  const repository = await bootstrapped()
  await run(repository, addRequest(['a']))
  await repository.ports.state.create(entryName(3), Buffer.from('{"schema":1,"number":3}'))
  for (const length of [2, 3]) await run(repository, addRequest(['a'], length))
  const { state } = repository.ports
  const objects = new Map<string, Uint8Array>()
  for (const name of await state.list('')) objects.set(name, (await state.read(name))?.bytes ?? new Uint8Array())
  const number = (await readCurrent(repository))?.entry.number ?? 0
  return { objects, check: () => checkJournal(async (name) => objects.get(name), number) }
}

describe('checkJournal', () => {
  it('follows the chain of hashes from the current commit to the bootstrap', async () => {
    const { check } = await journal()
    assert.deepEqual(await check(), { entries: 4, findings: [] })
  })

  const damages = {
    changed: (bytes: Uint8Array) =>
      Buffer.from(Buffer.from(bytes).toString().replace('"principal":"test"', '"principal":"eve"')),
    missing: () => undefined,
    unreadable: () => Buffer.from('{'),
  } as const
  for (const [problem, damage] of Object.entries(damages)) {
    it(`names an entry that is ${problem}`, async () => {
      const { objects, check } = await journal()
      const damaged = damage(objects.get(entryName(2)) ?? assert.fail())
      objects.delete(entryName(2))
      if (damaged !== undefined) objects.set(entryName(2), damaged)
      const { findings } = await check()
      assert.ok(findings.some((finding) => finding.file === entryName(2) && finding.problem === problem))
    })
  }

  it('names a bootstrap that is another', async () => {
    const { objects, check } = await journal()
    objects.set('bootstrap.json', Buffer.from('{"schema":1}'))
    assert.deepEqual(
      (await check()).findings.map(({ file, problem }) => [file, problem]),
      [['bootstrap.json', 'changed']],
    )
  })
})
