import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRootFor } from '../../shared/repository/client-rules.ts'
import { type ClientId, servedClients } from '../../shared/repository/clients.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { readFounding } from '../../shared/repository/status.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { canonicalBytes } from '../../shared/tuf/canonical.ts'
import type { Json, JsonObject } from '../../shared/tuf/json.ts'
import { addRootKey, badRoots, fileOf, type Spoiled } from '../support/bad-roots.ts'
import { clientNow } from '../support/client.ts'
import { refusal } from '../support/delegations.ts'
import { makeKey, signatureBy, signRoot } from '../support/keys.ts'
import { bootstrapped, bootstrapRequest, run, type TestRepository, testRepository } from '../support/repository.ts'

describe('The first root', () => {
  for (const bad of badRoots) {
    it(`with ${bad.name} is refused, and another may follow`, async () => {
      const repository = testRepository()
      const { state, task } = await run(repository, {
        ...bootstrapRequest(repository),
        root: fileOf(repository, bad, 1),
      })
      assert.ok('result' in task)
      assert.equal(state, 'ERRORED', JSON.stringify(task.result))
      assert.match(task.result.error ?? '', bad.reason)
      assert.equal(await readFounding(repository), undefined)
      assert.deepEqual(await repository.ports.metadata.list(''), [])
      assert.equal((await run(repository, bootstrapRequest(repository))).state, 'SUCCESS')
    })
  }
})

describe('The next root', () => {
  for (const bad of badRoots) {
    it(`with ${bad.name} is refused, and nothing has changed`, async () => {
      const repository = await bootstrapped()
      const reason = await refusal(repository, updateTo(fileOf(repository, bad, 2)))
      assert.match(reason, bad.reason)
      await nothingWaits(repository)
      assert.equal((await run(repository, updateTo(fileOf(repository, {}, 2)))).state, 'SUCCESS')
    })
  }

  it('is refused if it was made for a version that has passed', async () => {
    const repository = await bootstrapped()
    for (const version of [2, 3]) await run(repository, updateTo(fileOf(repository, {}, version)))
    const late = updateTo(fileOf(repository, {}, 2))
    assert.match(await refusal(repository, late), /has version 3, so the next one has 4, not 2\. Make the update from/)
  })

  it('is refused if it adds a key that a served client does not verify', async () => {
    const repository = await bootstrapped()
    const clients: ClientId[] = ['python-tuf', 'php-tuf']
    await run(repository, { kind: 'update_settings', expiration: {}, clients })
    const { key, keyid } = makeKey('ecdsa')
    const spoil = (signed: Spoiled) => addRootKey(signed, keyid, key)
    const reason = await refusal(repository, updateTo(fileOf(repository, { spoil }, 2)))
    assert.match(
      reason,
      /Root version 2 names key .*ecdsa-sha2-nistp256\) php-tuf does not verify\. Use a key of scheme ed25519/,
    )
    assert.equal((await run(repository, updateTo(fileOf(repository, {}, 2)))).state, 'SUCCESS')
  })

  it('may grow with the caps of those that are served, and warns from 80 % on', async () => {
    const repository = await bootstrapped()
    const clients: ClientId[] = ['python-tuf', 'tuf-js']
    const spoil = (signed: Spoiled) => (signed['x-note'] = 'x'.repeat(450_000))
    const big = updateTo(fileOf(repository, { spoil }, 2))
    await refusal(repository, big)
    await run(repository, { kind: 'update_settings', expiration: {}, clients })
    const { state, task } = await run(repository, big)
    assert.ok('result' in task)
    assert.equal(state, 'SUCCESS')
    assert.match(
      String(task.result.details['warnings']),
      /Of the 512000 bytes that python-tuf 7, tuf-js 6 can read, root version 2 has 45\d{4} bytes \(8\d %\)/,
    )
  })
})

describe('A root with text that a client reads in another way', () => {
  it('may follow one that has such text already', () => {
    const holder = makeKey()
    const named = { ...holder, key: { ...holder.key, 'x-rstuf-key-name': 'Jose\u0301' } }
    const [before, next] = [1, 2].map((version) => signRoot({ version, root: [named] }))
    assert.ok(before && next)
    const groups = [{ roleKeys: next.signed.roles.root, keys: next.signed.keys }]
    assert.throws(() => checkRootFor(servedClients(), next, groups), /composed form/)
    assert.doesNotThrow(() => checkRootFor(servedClients(), next, groups, before.signed))
  })
})

describe('A signature for a root that waits', async () => {
  const repository = await bootstrapped()
  const [first = makeKey(), second = makeKey()] = repository.rootKeys
  const sign = (_: TestRepository, bytes: Uint8Array) => [signatureBy(first, bytes)]
  const root = fileOf(repository, { sign }, 2)
  await run(repository, updateTo(root))
  const bytes = canonicalBytes((root as JsonObject)['signed'] as Json)
  const cases: readonly [string, { keyid: string; sig: string }, RegExp][] = [
    ['by an unknown key', signatureBy(makeKey(), bytes), /may not sign this\. Those that may:/],
    ['by a key that has signed', signatureBy(first, bytes), /has signed this already\. The other holders' signatures/],
    ['over other bytes', signatureBy(second, Buffer.from('other')), /is not good: .*Fetch the pending metadata again/],
    ['that is malformed', { keyid: second.keyid, sig: 'abc' }, /is not good/],
    ['of another algorithm', { keyid: second.keyid, sig: makeKey('rsa').sign(bytes) }, /is not good/],
    ['of another key', { keyid: second.keyid, sig: makeKey().sign(bytes) }, /is not good/],
  ]
  for (const [name, signature, reason] of cases) {
    it(`${name} is refused, and the root goes on waiting`, async () => {
      assert.match(await refusal(repository, { kind: 'sign_metadata', role: 'root', signature }), reason)
    })
  }

  it('for no root at all is refused', async () => {
    const idle = await bootstrapped()
    const signature = signatureBy(first, bytes)
    assert.match(
      await refusal(idle, { kind: 'sign_metadata', role: 'root', signature }),
      /No metadata of role root waits/,
    )
  })

  it('that is good completes it all the same', async () => {
    const signature = signatureBy(second, bytes)
    assert.equal((await run(repository, { kind: 'sign_metadata', role: 'root', signature })).state, 'SUCCESS')
    const client = await clientNow(repository)
    assert.equal(client.trusted.root?.signed.version, 2)
  })
})

const updateTo = (root: Json): TaskRequest => ({ kind: 'metadata_update', root, compromised: false })

async function nothingWaits(repository: TestRepository): Promise<void> {
  const current = await readCurrent(repository)
  assert.deepEqual(current?.signing.roles, {})
  assert.equal(current?.root.signed.version, 1)
}
