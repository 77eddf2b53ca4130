import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import type { Ports } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { openRepository } from '../../shared/repository/repository.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { seen } from '../support/client.ts'
import { counting } from '../support/counting.ts'
import { makeKey, signRoot } from '../support/keys.ts'
import { begin, importOf, lengths, lines, many } from '../support/long-work.ts'
import { addRequest, bootstrapped, restarted, run, signerOf, type TestRepository } from '../support/repository.ts'

const bins = 16

async function warm() {
  const counter = counting()
  const delegations = { delegation: 'succinct_roles', number: bins } as const
  const repository = await bootstrapped({ ...counter, delegations, limits: { aheadFrom: 8 } })
  await run(repository, addRequest(many(200, 'there')))
  return { repository, during: counter.during }
}

/** Timestamp once at its beginning and once at the end, and what claims its number and tells how far it is. */
const ofThePreparation = {
  // Task, document, timestamp, that the task has no record, the timestamp once more to see what has changed meanwhile.
  reads: 5,
  // Taken; its structure; the number's entry; begun; all there; ready; released.
  writes: 7,
  deletes: 0,
  lists: 3,
}

/** Its ports, as one finds them beside whom somebody else publishes before the first file is made. */
function beside(repository: TestRepository): Ports {
  const { metadata } = repository.ports
  let others: Promise<unknown> | undefined
  const create: typeof metadata.create = async (name, bytes) => {
    others ??= run(restarted(repository), addRequest(['p/1'], 9))
    await others
    return metadata.create(name, bytes)
  }
  return { ...repository.ports, metadata: { ...metadata, create } }
}

describe('What long work costs', () => {
  it('an import: one signature, one read and one write for each bin that changes, then a snapshot and a timestamp', async () => {
    const { repository, during } = await warm()
    const id = await begin(repository, await importOf(repository, lines(many(400))))
    const ahead = await during(() => prepare(repository, id))
    assert.deepEqual(ahead, {
      ...ofThePreparation,
      signatures: bins,
      // The file, beside the bins, which the process that published them last still knows.
      reads: ofThePreparation.reads + 1,
      writes: ofThePreparation.writes + bins,
    })
    const { signatures, writes } = await during(() => publish(repository))
    // The lease, journal, snapshot, timestamp, the task's record.
    assert.deepEqual({ signatures, writes }, { signatures: 2, writes: 5 })
  })

  it('costs no more where there are twenty times as many artifacts', async () => {
    const cost = async (count: number) => {
      const { repository, during } = await warm()
      const id = await begin(repository, await importOf(repository, lines(many(count))))
      const ahead = await during(() => prepare(repository, id))
      return [ahead, await during(() => publish(repository))]
    }
    assert.deepEqual(await cost(4000), await cost(200))
  })

  it('a role that others have changed meanwhile is signed once more, and no other', async () => {
    const { repository, during } = await warm()
    const id = await begin(repository, await importOf(repository, lines(many(400))))
    await prepare(openRepository(beside(repository)), id)
    const { signatures } = await during(() => publish(repository))
    assert.equal(signatures, 3)
  })

  it('where many of them have changed, another round is made of these before the commit', async () => {
    const { repository, during } = await warm()
    const id = await begin(repository, await importOf(repository, lines(many(400))))
    const ahead = await during(() => prepare(openRepository(beside(repository), { leftToCommit: 0 }), id))
    const { signatures } = await during(() => publish(repository))
    // Those of the other publisher are among the first ones.
    assert.deepEqual({ ahead: ahead.signatures, signatures }, { ahead: bins + 3 + 1, signatures: 2 })
    assert.deepEqual(await seen(repository), { ...lengths(many(400)), ...lengths(many(200, 'there')), 'p/1': 9 })
  })

  it('an update of all bins signs each of them once', async () => {
    const { repository, during } = await warm()
    const id = await begin(repository, { kind: 'force_online_metadata_update', roles: [] })
    const { signatures: ahead } = await during(() => prepare(repository, id))
    const { signatures } = await during(() => publish(repository))
    assert.deepEqual({ ahead, signatures }, { ahead: bins, signatures: 3 })
  })

  it('other online keys: one signature for each bin, then targets, snapshot and timestamp with the old ones and the new ones', async () => {
    const counter = counting()
    const delegations = { delegation: 'succinct_roles', number: bins } as const
    const next = makeKey('ecdsa')
    const repository = await bootstrapped({ ...counter, delegations, limits: { aheadFrom: 8 } })
    await run(repository, addRequest(many(200, 'there')))
    const signers = [...repository.ports.signers, counter.wrapSigner(signerOf(next))]
    const both = restarted({ ...repository, ports: { ...repository.ports, signers } })
    const root = signRoot({ root: repository.rootKeys, threshold: 2, online: [next], version: 2 })
    const id = await begin(both, { kind: 'metadata_update', root: parseJson(root.bytes), compromised: false })
    const ahead = await counter.during(() => prepare(both, id))
    const { signatures, writes } = await counter.during(() => publish(both))
    assert.deepEqual([ahead.signatures, ahead.writes], [bins, ofThePreparation.writes + bins])
    // The lease, journal, targets, snapshot, root and rotation in the state, timestamp, root, the task's record.
    assert.deepEqual({ signatures, writes }, { signatures: 6, writes: 9 })
    both.pass(both.limits.rotationGrace)
    const end = await counter.during(() => publish(both))
    assert.equal(end.signatures, 3)
  })

  it('another number of bins: one signature for each new bin, and one for all that are empty', async () => {
    const { repository, during } = await warm()
    const id = await begin(repository, { kind: 'change_bins', number: 4096 })
    const { signatures: ahead, writes } = await during(() => prepare(repository, id))
    assert.ok(ahead <= 201 && ahead > 150, `${ahead} signatures for at most 200 bins that hold something`)
    assert.ok(writes >= 4096 && writes < 4096 + 40, `${writes} writes`)
    const { signatures } = await during(() => publish(repository))
    assert.equal(signatures, 3)
  })
})
