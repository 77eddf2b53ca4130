import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { publish } from '../../shared/repository/publish.ts'
import { clientNow, isClean, seen } from '../support/client.ts'
import { customRole, delegation } from '../support/delegations.ts'
import { begin, ended, finish, lengths, many } from '../support/long-work.ts'
import { addRequest, bootstrapped, restarted, run } from '../support/repository.ts'

for (const kind of ['succinct_roles', 'path_hash_prefixes'] as const) {
  describe(`the number of bins (${kind})`, () => {
    for (const [from, to] of [
      [4, 64],
      [64, 4],
      [32, 64],
    ] as const) {
      it(`changes from ${from} to ${to} with one commit, while clients and short commits go on`, async () => {
        const repository = await bootstrapped({ delegations: { delegation: kind, number: from } })
        await run(repository, addRequest(many(100)))
        const client = await clientNow(repository)
        const id = await begin(repository, { kind: 'change_bins', number: to })
        await run(repository, addRequest(['p/1', 'new'], 9))
        await client.refresh()
        assert.equal(await prepare(repository, id), 'ready')
        await client.refresh()
        await publish(repository)
        await client.refresh()
        assert.equal((await ended(repository, id)).state, 'SUCCESS')
        const expected = { ...lengths(many(100)), new: 9, 'p/1': 9 }
        assert.deepEqual(await seen(repository), expected)
        assert.equal((await readCurrent(restarted(repository)))?.settings.bins?.number, to)
        await run(restarted(repository), addRequest(['after'], 3))
        await client.refresh()
        assert.deepEqual(await seen(repository), { ...expected, after: 3 })
        await isClean(repository)
      })
    }

    it('changes beside custom roles', async () => {
      const repository = await bootstrapped({ delegations: { delegation: kind, number: 4 } })
      await run(repository, addRequest(many(20)))
      await run(repository, delegation('add', [customRole('special', { paths: ['special/*'] })]))
      await run(repository, addRequest(['special/1']))
      const { state, error } = await finish(repository, await begin(repository, { kind: 'change_bins', number: 8 }))
      assert.equal(state, 'SUCCESS', error)
      assert.deepEqual(await seen(repository), lengths([...many(20), 'special/1']))
      await isClean(repository)
    })
  })
}
