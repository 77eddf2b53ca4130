import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { help } from '../../shared/repository/ahead/help.ts'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import type { Helper, Made } from '../../shared/repository/ahead/units.ts'
import { nothingFound } from '../../shared/repository/long-work.ts'
import { StoreError } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { isClean, seen } from '../support/client.ts'
import { begin, ended, importOf, lengths, lines, many } from '../support/long-work.ts'
import { addRequest, bootstrapped, restarted, run, type TestRepository } from '../support/repository.ts'

const bins = 16

/** Repositories over the same stores, as two threads have them, and what the helper has made. */
async function two() {
  let signatures = 0
  const repository = await bootstrapped({
    limits: { aheadFrom: 8, preparedAtOnce: 1 },
    delegations: { delegation: 'succinct_roles', number: bins },
    wrapSigner: (signer) => ({
      ...signer,
      sign: (bytes) => {
        signatures++
        return signer.sign(bytes)
      },
    }),
  })
  const made: Made[] = []
  const files: string[] = []
  const helper: Helper = async (share) => {
    const own = restarted(repository)
    const { metadata } = own.ports
    const create: typeof metadata.create = (name, bytes) => {
      files.push(name)
      return metadata.create(name, bytes)
    }
    const ports = { ...own.ports, metadata: { ...metadata, create } }
    made.push(await help({ ...own, ports }, structuredClone(share)))
    return structuredClone(made.at(-1) ?? assert.fail())
  }
  const during = async (work: () => Promise<unknown>) => {
    signatures = 0
    await work()
    return signatures
  }
  return { repository, helper, made, files, during }
}

async function publishTaskOf(repository: TestRepository, id: string) {
  await publish(repository)
  return ended(repository, id)
}

describe('work ahead in two threads', () => {
  it('is divided: each role is signed once, and both make some', async () => {
    const { repository, helper, files, during } = await two()
    await run(repository, addRequest(['p/1', 'old'], 7))
    const id = await begin(repository, await importOf(repository, lines(many(400))))
    const signatures = await during(() => prepare(restarted(repository), id, { helper }))
    assert.equal(signatures, bins)
    assert.ok(files.length > 0 && files.length < bins, `${files.length} of ${bins} by the helper`)
    const { state, details } = await publishTaskOf(repository, id)
    assert.equal(state, 'SUCCESS')
    assert.deepEqual([details['imported_artifacts'], details['updated_roles']], [400, bins])
    assert.deepEqual(await seen(repository), { ...lengths(many(400)), old: 7 })
    await isClean(repository)
  })

  it('tells all that paths held before, whoever has met them', async () => {
    const { repository, helper, made } = await two()
    await run(repository, addRequest(many(100), 7))
    const id = await begin(repository, await importOf(repository, lines(many(200))))
    assert.equal(await prepare(restarted(repository), id, { helper }), 'ready')
    const held = made[0]?.found.held.length ?? 0
    assert.ok(held > 0 && held < 100, `${held} by the helper`)
    assert.equal((await publishTaskOf(repository, id)).state, 'SUCCESS')
    const taken = await begin(repository, { kind: 'revert', commit: 2 })
    assert.equal(await prepare(restarted(repository), taken, { helper }), 'ready')
    assert.equal((await publishTaskOf(repository, taken)).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), lengths(many(100), 7))
  })

  it('takes back what was there when it began, in the same order by both, whatever is published meanwhile', async () => {
    const { repository, helper } = await two()
    await run(repository, addRequest(many(100), 7))
    const imported = await begin(repository, await importOf(repository, lines(many(200))))
    await prepare(restarted(repository), imported, { helper })
    assert.equal((await publishTaskOf(repository, imported)).state, 'SUCCESS')
    const id = await begin(repository, { kind: 'revert', commit: 2 })
    const own = restarted(repository)
    const create: typeof own.ports.state.create = async (name, bytes) => {
      const tag = await own.ports.state.create(name, bytes)
      if (Buffer.from(bytes).includes('"prepares"')) await run(restarted(repository), addRequest(many(40, 'later'), 9))
      return tag
    }
    const preparer = { ...own, ports: { ...own.ports, state: { ...own.ports.state, create } } }
    assert.equal(await prepare(preparer, id, { helper }), 'ready')
    const { state, details } = await publishTaskOf(repository, id)
    assert.equal(state, 'SUCCESS')
    assert.deepEqual([details['restored'], details['removed']], [100, 100])
    assert.deepEqual(await seen(repository), { ...lengths(many(100), 7), ...lengths(many(40, 'later'), 9) })
    await isClean(repository)
  })

  it('signs roles anew as they are, and changes the number of bins', async () => {
    const { repository, helper } = await two()
    await run(repository, addRequest(many(100)))
    for (const request of [
      { kind: 'force_online_metadata_update', roles: ['bins'] },
      { kind: 'change_bins', number: 32 },
      { kind: 'change_bins', number: 8 },
    ] as const) {
      const id = await begin(repository, request)
      assert.equal(await prepare(restarted(repository), id, { helper }), 'ready')
      assert.equal((await publishTaskOf(repository, id)).state, 'SUCCESS')
      assert.deepEqual(await seen(repository), lengths(many(100)))
    }
    await isClean(repository)
  })

  it('fails with what the helper met, and goes on where both have stopped', async () => {
    const { repository, during } = await two()
    const id = await begin(repository, await importOf(repository, lines(many(400))))
    let room = 3
    const dying: Helper = (share) => {
      const own = restarted(repository)
      const { metadata } = own.ports
      const create: typeof metadata.create = async (name, bytes) => {
        if (room-- <= 0) throw new StoreError('full', 'No room.')
        return metadata.create(name, bytes)
      }
      return help({ ...own, ports: { ...own.ports, metadata: { ...metadata, create } } }, structuredClone(share))
    }
    let signatures = await during(() =>
      assert.rejects(prepare(restarted(repository), id, { helper: dying }), { code: 'full' }),
    )
    assert.ok(signatures < bins, 'the preparer stops too')
    signatures += await during(() => prepare(restarted(repository), id))
    // The one that did not find room was signed for nothing.
    assert.equal(signatures, bins + 1)
    assert.equal((await publishTaskOf(repository, id)).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), lengths(many(400)))
    await isClean(repository)
  })

  it('helps nobody whose work has to begin anew', async () => {
    const { repository } = await two()
    const id = await begin(repository, await importOf(repository, lines(many(40))))
    const helped: Made[] = []
    const helper: Helper = async (share) => {
      if (helped.length === 0) await run(repository, { kind: 'update_settings', expiration: { bins: 31 } })
      const made = await help(restarted(repository), share)
      helped.push(made)
      return made
    }
    assert.equal(await prepare(restarted(repository), id, { helper }), 'ready')
    assert.equal(helped.length, 2)
    assert.deepEqual(helped[0], { nearCaps: {}, found: nothingFound })
    assert.equal((await publishTaskOf(repository, id)).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), lengths(many(40)))
    await isClean(repository)
  })
})

it('a bin that somebody has changed in the store is not signed anew', async () => {
  const { repository } = await two()
  await run(repository, addRequest(many(100)))
  const { metadata } = repository.ports
  const [file = ''] = (await metadata.list('2.bins-')).slice(-1)
  const stored = await metadata.read(file)
  assert.ok(stored)
  const changed = Buffer.from(Buffer.from(stored.bytes).toString().replace('"length":1', '"length":2'))
  assert.notDeepEqual(changed, Buffer.from(stored.bytes))
  await metadata.replace(file, changed, stored.tag)
  const id = await begin(repository, { kind: 'force_online_metadata_update', roles: ['bins'] })
  await assert.rejects(prepare(restarted(repository), id), { code: 'corrupt', message: new RegExp(file) })
})
