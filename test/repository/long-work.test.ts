import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { collect } from '../../shared/repository/collect.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { StoreError } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { openRepository } from '../../shared/repository/repository.ts'
import { isClean, seen } from '../support/client.ts'
import { customRole, delegation } from '../support/delegations.ts'
import { begin, ended, finish, importOf, lengths, lines, many } from '../support/long-work.ts'
import { addRequest, bootstrapped, restarted, run } from '../support/repository.ts'

const day = 24 * 60 * 60 * 1000

describe('work ahead', () => {
  it('signs all roles anew where an update of all is asked for', async () => {
    const repository = await bootstrapped({
      limits: { aheadFrom: 8 },
      delegations: { delegation: 'succinct_roles', number: 16 },
    })
    await run(repository, addRequest(many(20)))
    const before = await readCurrent(repository)
    const id = await begin(repository, { kind: 'force_online_metadata_update', roles: [] })
    await run(repository, addRequest(['p/1'], 9))
    const { state, details } = await finish(repository, id)
    assert.equal(state, 'SUCCESS')
    assert.equal((details['updated_roles'] as string[]).length, 19)
    const after = await readCurrent(repository)
    for (const [file, { version }] of after?.snapshot.signed.meta ?? [])
      assert.ok(version > (before?.snapshot.signed.meta.get(file)?.version ?? 0), `${file} was signed anew`)
    assert.deepEqual(await seen(repository), { ...lengths(many(20)), 'p/1': 9 })
    await isClean(repository)
  })

  it('goes on after a crash, and signs nothing twice', async () => {
    let signatures = 0
    let writes = Number.POSITIVE_INFINITY
    const repository = await bootstrapped({
      delegations: { delegation: 'succinct_roles', number: 16 },
      wrapSigner: (signer) => ({
        ...signer,
        sign: (bytes) => {
          signatures++
          return signer.sign(bytes)
        },
      }),
      around: (store, which) => ({
        ...store,
        create: async (name, bytes) => {
          if (which === 'metadata' && writes-- <= 0) throw new StoreError('full', 'No room.')
          return store.create(name, bytes)
        },
      }),
    })
    const id = await begin(repository, await importOf(repository, lines(many(200))))
    signatures = 0
    writes = 10
    await assert.rejects(prepare(repository, id), { code: 'full' })
    writes = Number.POSITIVE_INFINITY
    assert.equal(await prepare(restarted(repository), id), 'ready')
    assert.ok(signatures <= 16 + repository.limits.preparedAtOnce, `${signatures} signatures`)
    await publish(repository)
    assert.equal((await ended(repository, id)).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), lengths(many(200)))
  })

  it('begins anew where the delegations have changed, and leaves nothing behind', async () => {
    const repository = await bootstrapped({ delegations: { delegation: 'succinct_roles', number: 4 } })
    const id = await begin(repository, await importOf(repository, lines([...many(20), 'special/1'])))
    assert.equal(await prepare(repository, id), 'ready')
    const added = delegation('add', [customRole('special', { paths: ['special/*'] })])
    // Accepted before, as if it had been on its way all the time.
    const earlier = `00${id.slice(2)}`
    const task = { schema: 1, id: earlier, principal: 'test', accepted: new Date().toISOString(), request: added }
    await repository.ports.state.create(`inbox/${earlier}.json`, Buffer.from(JSON.stringify(task)))
    assert.equal((await publish(repository)).unprepared, id)
    const { state } = await finish(repository, id)
    assert.equal(state, 'SUCCESS')
    assert.deepEqual(await seen(repository), lengths([...many(20), 'special/1']))
    const claimed = (await readCurrent(repository))?.entry.prepared?.claimed ?? []
    assert.equal(claimed.length, 2)
    repository.pass(3 * day)
    await publish(repository)
    await collect(repository)
    repository.pass(3 * day)
    await collect(repository)
    await publish(repository)
    const files = await repository.ports.metadata.list('')
    assert.deepEqual(
      files.filter((file) => file.startsWith(`${claimed[0]}.`)),
      [],
    )
    await isClean(repository)
  })

  it('comes after an earlier task that another publisher was late to make visible', async () => {
    const repository = await bootstrapped({ delegations: { delegation: 'succinct_roles', number: 4 } })
    const [path = ''] = many(20)
    const id = await begin(repository, await importOf(repository, lines(many(20))))
    assert.equal(await prepare(repository, id), 'ready')
    const earlier = `00${id.slice(2)}`
    const request = addRequest([path, 'another'], 9)
    const task = { schema: 1, id: earlier, principal: 'test', accepted: new Date().toISOString(), request }
    await repository.ports.state.create(`inbox/${earlier}.json`, Buffer.from(JSON.stringify(task)))
    assert.equal((await publish(repository)).unprepared, id)
    assert.deepEqual(await seen(repository), { [path]: 9, another: 9 })
    assert.equal((await finish(repository, id)).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), { ...lengths(many(20)), another: 9 })
    await isClean(repository)
  })

  it('is refused as a whole where a line is broken, or skips it if asked', async () => {
    const repository = await bootstrapped()
    const broken = [...lines(['a']), 'b;x;sha256;00']
    const refused = await finish(repository, await begin(repository, await importOf(repository, broken)))
    assert.equal(refused.state, 'ERRORED')
    assert.match(refused.error ?? '', /line 2/)
    assert.deepEqual(await seen(repository), {})
    const skipped = await finish(
      repository,
      await begin(repository, await importOf(repository, broken, { skipInvalid: true })),
    )
    assert.equal(skipped.state, 'SUCCESS')
    assert.equal(skipped.details['invalid_line_count'], 1)
    assert.deepEqual(await seen(repository), { a: 1 })
  })

  it('is done by one at a time', async () => {
    const repository = await bootstrapped()
    const id = await begin(repository, await importOf(repository, lines(many(20))))
    const both = await Promise.all([prepare(repository, id), prepare(restarted(repository), id)])
    assert.deepEqual(both.sort(), ['busy', 'ready'])
  })

  it('stops in time, and the next one goes on', async () => {
    const repository = await bootstrapped()
    const id = await begin(repository, await importOf(repository, lines(many(20))))
    const past = new Date(repository.ports.clock.now().getTime() - 1)
    assert.equal(await prepare(repository, id, { until: past }), 'out of time')
    assert.equal((await finish(restarted(repository), id)).state, 'SUCCESS')
  })

  it('ends as FAILURE if those who try it die of it, and nothing waits behind', async () => {
    const repository = await bootstrapped()
    const id = await begin(repository, await importOf(repository, lines(many(20))))
    for (let times = 0; times < 5; times++) {
      const dying = openRepository({ ...repository.ports, signers: [] }, repository.limits)
      await prepare({ ...dying, limits: { ...dying.limits, preparedAtOnce: Number.NaN } }, id).catch(() => undefined)
      repository.pass(repository.limits.lease + 1)
    }
    assert.equal((await finish(repository, id)).state, 'FAILURE')
    assert.deepEqual(await seen(repository), {})
  })
})
