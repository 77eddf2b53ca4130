import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { targetPath } from '../../shared/tuf/names.ts'
import { isClean, seen } from '../support/client.ts'
import { begin, finish, importOf, lengths, lines, many } from '../support/long-work.ts'
import { addRequest, bootstrapped, restarted, run } from '../support/repository.ts'

for (const kind of ['succinct_roles', 'path_hash_prefixes'] as const) {
  describe(`an import into ${kind}`, () => {
    const start = () => bootstrapped({ delegations: { delegation: kind, number: 16 } })

    it('becomes visible as a whole, with one commit', async () => {
      const repository = await start()
      await run(repository, addRequest(['p/1', 'old'], 7))
      const id = await begin(repository, await importOf(repository, lines(many(200))))
      assert.deepEqual(await seen(repository), { old: 7, 'p/1': 7 })
      const { state, details } = await finish(repository, id)
      assert.equal(state, 'SUCCESS')
      assert.equal(details['imported_artifacts'], 200)
      assert.deepEqual(await seen(repository), { ...lengths(many(200)), old: 7 })
      const current = await readCurrent(restarted(repository))
      assert.deepEqual(current?.entry.changes, [])
      assert.equal(current?.entry.imported?.artifacts, 200)
      assert.equal(await repository.ports.state.read(`preparations/${id}.json`), undefined)
      await isClean(repository)
    })

    it('lets short commits pass, which came later and have the last word', async () => {
      const repository = await start()
      await run(repository, addRequest(['gone', 'p/5'], 7))
      const id = await begin(repository, await importOf(repository, lines([...many(200), 'gone'])))
      await run(repository, addRequest(['p/1', 'new'], 9))
      assert.equal(await prepare(repository, id), 'ready')
      await run(repository, addRequest(['p/2'], 9))
      assert.deepEqual(
        await seen(repository),
        { ...lengths([...many(200), 'gone']), new: 9, 'p/1': 9, 'p/2': 9 },
        'whoever publishes takes it over',
      )
      await isClean(repository)
    })

    it('does not lose what was changed between the work ahead and its commit', async () => {
      const repository = await start()
      const id = await begin(repository, await importOf(repository, lines(many(200))))
      await run(repository, addRequest(['p/1', 'p/7'], 9))
      await run(repository, { kind: 'remove_artifacts', paths: [targetPath('p/1')], publish: true })
      const { state } = await finish(repository, id)
      assert.equal(state, 'SUCCESS')
      assert.deepEqual(await seen(repository), { ...lengths(many(200).filter((path) => path !== 'p/1')), 'p/7': 9 })
      await run(repository, { kind: 'revert', commit: 1 })
      assert.deepEqual(await seen(repository), {})
    })

    it('can be taken back, to what its paths held before', async () => {
      const repository = await start()
      await run(repository, addRequest(['p/1', 'p/2'], 7))
      const before = await readCurrent(repository)
      await finish(repository, await begin(repository, await importOf(repository, lines(many(50)))))
      await run(repository, addRequest(['p/3'], 8))
      const { state } = await run(restarted(repository), { kind: 'revert', commit: before?.entry.number ?? 0 })
      assert.equal(state, 'SUCCESS')
      assert.deepEqual(await seen(repository), { 'p/1': 7, 'p/2': 7 })
    })
  })
}

describe('an import into few roles', () => {
  it('warns of artifacts that clients will trip over, up to a number', async () => {
    const repository = await bootstrapped({ delegations: { delegation: 'succinct_roles', number: 2 } })
    const odd = (name: string, count: number) =>
      many(count, name).map((path) => `${path};1;blake2b-256;${'ab'.repeat(32)}`)
    const warnings = async (text: readonly string[]) => {
      const { details } = await finish(repository, await begin(repository, await importOf(repository, text)))
      return (details['warnings'] ?? []) as string[]
    }
    const [few = '', ...others] = await warnings([...lines(many(500)), ...odd('few', 20)])
    assert.match(few, /will not find few\/.*20 in all/)
    assert.deepEqual(others, [])
    const [most = '', more = ''] = await warnings([...lines(many(500, 'q')), ...odd('most', 3000)])
    assert.match(most, /will not find most\/.*1000 in all/)
    assert.match(more, /may hold more/)
  })
})
