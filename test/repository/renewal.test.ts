import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { publish } from '../../shared/repository/publish.ts'
import { toRenew } from '../../shared/repository/renewal.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { readStatus } from '../../shared/repository/status.ts'
import { submit } from '../../shared/repository/submit.ts'
import { customRole, delegation, sign, succeeds } from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { addRequest, bootstrapped, bootstrapRequest, restarted, testRepository } from '../support/repository.ts'

const day = 24 * 60 * 60 * 1000
const ann = makeKey()

async function published(repository: Repository) {
  const { published } = await readStatus(repository)
  assert.ok(published)
  return published
}

/** The roles that warn now. */
async function warning(repository: Repository): Promise<string[]> {
  const { root, signedOffline } = await published(repository)
  return toRenew(root, signedOffline, repository.ports.clock.now()).map(({ role }) => role)
}

/** A repository whose root lives for so many days. */
async function withRootFor(days: number) {
  const repository = testRepository()
  const expires = new Date(repository.ports.clock.now().getTime() + days * day)
  await succeeds(repository, bootstrapRequest(repository, undefined, expires))
  return repository
}

describe('what only its holders can sign anew', () => {
  for (const [life, from] of [
    [1000, 910],
    [361, 271],
    [100, 75],
    [8, 6],
  ] as const) {
    it(`warns, of a root that lives for ${life} days, after ${from} and not before`, async () => {
      const repository = await withRootFor(life)
      repository.pass(from * day - 60_000)
      assert.deepEqual(await warning(repository), [])
      repository.pass(120_000)
      assert.deepEqual(await warning(repository), ['root'])
      assert.deepEqual(await warning(restarted(repository)), ['root'])
      repository.pass(life * day)
      assert.deepEqual(await warning(repository), ['root'])
    })
  }

  it('warns of a role by its own life, until its holders have signed', async () => {
    const repository = await bootstrapped()
    await succeeds(repository, delegation('add', [customRole('project', { holders: [ann], expiration: 40 })], [ann]))
    await sign(repository, 'project', ann)
    repository.pass(29 * day)
    assert.deepEqual(await warning(repository), [])
    repository.pass(2 * day)
    assert.deepEqual(await warning(repository), ['project'])
    await succeeds(repository, addRequest(['project/a']))
    assert.deepEqual(await warning(repository), ['project'], 'what waits for signatures is not signed')
    await sign(repository, 'project', ann)
    assert.deepEqual(await warning(repository), [])
  })

  it('is not what the service signs with a key that it has lost', async () => {
    const repository = await bootstrapped()
    const lost = restarted({ ...repository, ports: { ...repository.ports, signers: [] } })
    await submit(lost, { request: addRequest(['a']), principal: 'test' })
    await assert.rejects(publish(lost), { code: 'key-not-held' })
    repository.pass(89 * day)
    assert.deepEqual((await published(lost)).signedOffline, [])
    assert.deepEqual(await warning(lost), [])
  })
})
