import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { readCommits } from '../../shared/repository/read.ts'
import { readFounding, readStatus } from '../../shared/repository/status.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { readWaitingMetadata } from '../../shared/repository/waiting-metadata.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { decodeSigned, unsigned } from '../../shared/tuf/signed.ts'
import { clientNow, clientOf, isClean, seen } from '../support/client.ts'
import { makeKey, makeRoot, signatureBy, signRole, type TestKey } from '../support/keys.ts'
import { ends, type Move, moved, moveRequest } from '../support/moving.ts'
import { keyOfSigstore, type OldRepository, oldRepository, rootAfter } from '../support/predecessor.ts'
import { damages, repaired } from '../support/repairing.ts'
import { addRequest, restarted, run, type TestRepository, testRepository } from '../support/repository.ts'

describe('A repository that moves here', () => {
  it('keeps its roots to the byte, and goes on above its versions', async () => {
    const old = oldRepository()
    const repository = await moved(old)
    for (const [at, text] of old.roots.entries()) {
      const stored = await repository.ports.metadata.read(`${at + 1}.root.json`)
      assert.equal(Buffer.from(stored?.bytes ?? '').toString(), text)
    }
    const client = await clientNow(repository)
    const { root, timestamp, snapshot, targets } = client.trusted
    assert.equal(root?.signed.version, 4)
    assert.deepEqual(
      [timestamp, snapshot, targets].map((metadata) => metadata?.signed.version),
      [58, 58, 58],
    )
    assert.deepEqual(new Set([...(snapshot?.signed.meta.values() ?? [])].map(({ version }) => version)), new Set([58]))
    await isClean(repository)
    assert.equal((await readFounding(repository))?.state, 'finished')
  })

  it('takes roots along that clients have left behind, though nobody could sign such ones today', async () => {
    const old = oldRepository({ odd: true })
    const repository = await moved(old)
    for (const [at, text] of old.roots.entries()) {
      const stored = await repository.ports.metadata.read(`${at + 1}.root.json`)
      assert.equal(Buffer.from(stored?.bytes ?? '').toString(), text)
    }
    const client = await clientNow(repository)
    await isClean(repository)
    await repository.ports.metadata.delete('2.root.json')
    await repaired(repository, client)
  })

  it('may have holders whose keys we do not know, as long as the others sign; they do not go on', async () => {
    const old = oldRepository({ odd: true })
    const { key, keyid } = keyOfSigstore
    const last = decodeSigned('root', Buffer.from(old.roots[2] ?? '')).signed
    const rootWith = (threshold: number): Root => ({
      ...last,
      version: 4,
      keys: new Map([...last.keys, [keyid, key] as const]),
      roles: { ...last.roles, root: { keyids: [...last.roles.root.keyids, keyid], threshold } },
    })
    const move = async (threshold: number, next: Partial<Root> = {}) => {
      const strange = signRole(rootWith(threshold), [...old.holders, { ...old.holders[0], keyid }])
      const repository = testRepository()
      const roots = [...old.roots, Buffer.from(strange.bytes).toString()]
      const root = { ...rootAfter(old, repository.online, { version: 5 }), ...next }
      return {
        repository,
        roots,
        ...(await ends(repository, moveRequest(repository, old, { root, predecessor: { roots } }))),
      }
    }
    const { repository, roots, state, error } = await move(2)
    assert.deepEqual([state, error], ['SUCCESS', undefined])
    assert.equal(Buffer.from((await repository.ports.metadata.read('4.root.json'))?.bytes ?? '').toString(), roots[3])
    assert.equal((await clientNow(repository)).trusted.root?.signed.version, 5)
    await isClean(repository)
    const few =
      /version 4, by its own keys, has 2 good signatures of the 3 .* Signatures of its key [0-9a-f]+ count for nothing/
    assert.match((await move(3)).error ?? '', few)
    const stays = { keys: rootWith(2).keys, roles: rootWith(2).roles }
    assert.match(
      (await move(2, stays)).error ?? '',
      /Key [0-9a-f]+ of this root: This key cannot be used: .*"sigstore-oidc"/,
    )
  })

  it('lives on: artifacts, the journal, the next root, a revert', async () => {
    const old = oldRepository()
    const repository = await moved(old)
    const client = await clientNow(repository)
    assert.equal((await run(repository, addRequest(['a'], 1))).state, 'SUCCESS')
    assert.equal((await run(repository, addRequest(['a', 'b'], 2))).state, 'SUCCESS')
    assert.equal((await run(repository, { kind: 'revert', commit: 59 })).state, 'SUCCESS')
    assert.deepEqual(await seen(repository), { a: 1 })
    const journal = await Array.fromAsync(readCommits(restarted(repository), { limit: 100 }))
    assert.deepEqual(
      journal.map(({ number }) => number),
      [61, 60, 59, 58],
    )
    const root = rootAfter(old, repository.online, { version: 5 })
    const update = { kind: 'metadata_update', root: parseJson(signRole(root, old.holders).bytes), compromised: false }
    assert.equal((await run(repository, update as TaskRequest)).state, 'SUCCESS')
    await client.refresh()
    assert.equal(client.trusted.root?.signed.version, 5)
    await isClean(repository)
  })

  it('may change its holders on the way: those before and those after sign, one after the other', async () => {
    const old = oldRepository()
    const repository = testRepository()
    const [third, fourth] = old.holders
    const fifth = makeKey()
    const root = rootAfter(old, repository.online, { root: [fourth, fifth] })
    const begun = await ends(repository, moveRequest(repository, old, { root, signers: [fifth] }))
    assert.deepEqual([begun.state, begun.details], ['SUCCESS', { bootstrap: 'Root v4 is pending signature' }])
    const { roles, trustedRoot } = await readWaitingMetadata(repository)
    assert.deepEqual(trustedRoot, parseJson(Buffer.from(old.roots[2] ?? '')))
    assert.deepEqual(Object.keys(roles), ['root'])
    const { awaited } = await readStatus(repository)
    assert.deepEqual(
      awaited.map(({ version, groups }) => [version, groups.map(({ signed, unsigned }) => [signed, unsigned])]),
      [
        [
          4,
          [
            [[], [third.keyid, fourth.keyid]],
            [[fifth.keyid], [fourth.keyid]],
          ],
        ],
      ],
    )
    const sign = (key: TestKey) => {
      const signature = signatureBy(key, unsigned(root).signedBytes)
      return ends(repository, { kind: 'sign_metadata', role: 'root', signature })
    }
    const [former] = old.former
    assert.match((await sign(former)).error ?? '', /may not sign/)
    // Complete for itself, and not yet for those who trust the one before.
    assert.deepEqual((await sign(fourth)).details, { bootstrap: 'Root v4 is pending signature' })
    assert.equal(await readCurrent(repository), undefined)
    assert.equal((await sign(third)).state, 'SUCCESS')
    assert.equal((await clientNow(repository)).trusted.root?.signed.version, 4)
  })

  it('has targets of its holders begin above its versions, too', async () => {
    const old = oldRepository()
    const repository = testRepository()
    const holder = makeKey()
    const online = rootAfter(old, repository.online)
    const root = {
      ...online,
      keys: new Map([...online.keys, [holder.keyid, holder.key] as const]),
      roles: { ...online.roles, targets: { keyids: [holder.keyid], threshold: 1 } },
    }
    const begun = await ends(repository, moveRequest(repository, old, { root }))
    assert.deepEqual(begun.details, { bootstrap: 'Targets v58 is pending signature' })
    const waiting = (await readWaitingMetadata(repository)).roles['targets']
    const { signedBytes } = decodeSigned('targets', Buffer.from(JSON.stringify(waiting)))
    const signature = signatureBy(holder, signedBytes)
    assert.equal((await ends(repository, { kind: 'sign_metadata', role: 'targets', signature })).state, 'SUCCESS')
    await isClean(repository)
    await clientNow(repository)
  })

  type Make = (repository: TestRepository, old: OldRepository) => Move
  const refused: readonly [name: string, make: Make, reason: RegExp][] = [
    [
      'a gap',
      (_, { roots }) => ({ predecessor: { roots: roots.toSpliced(1, 1) } }),
      /After root version 1 comes 2, not 3/,
    ],
    ['the wrong order', (_, { roots }) => ({ predecessor: { roots: roots.toReversed() } }), /has version 1, not 3/],
    ['no first root', (_, { roots }) => ({ predecessor: { roots: roots.slice(1) } }), /has version 1, not 2/],
    ['no roots', () => ({ predecessor: { roots: [] } }), /no first root/],
    ['what is no root', () => ({ predecessor: { roots: ['{}'] } }), /root\.json/],
    [
      'a root that the one before has not signed',
      (_, old) => {
        const [third, fourth] = old.holders
        const forged = signRole(makeRoot({ version: 3, root: old.holders, online: [old.online], threshold: 2 }), [
          third,
          fourth,
        ])
        return { predecessor: { roots: [...old.roots.slice(0, 2), forged.bytes.toString()] } }
      },
      /version 3, by the keys of version 2/,
    ],
    [
      'a root whose own holders have not signed it',
      (_, old) => {
        const [first, second] = old.former
        const stolen = signRole(
          makeRoot({ version: 2, root: [first, makeKey()], online: [old.online], threshold: 2 }),
          [first, second],
        )
        return { predecessor: { roots: [...old.roots.slice(0, 1), stolen.bytes.toString()] } }
      },
      /version 2, by its own keys/,
    ],
    [
      'a version left out',
      ({ online }, old) => ({ root: rootAfter(old, online, { version: 5 }) }),
      /After root version 3 of the predecessor comes 4, not 5/,
    ],
    ['version 1', ({ online }, old) => ({ root: rootAfter(old, online, { version: 1 }) }), /comes 4, not 1/],
    [
      'a signature of somebody who left',
      (_, old) => ({ signers: [...old.holders, old.former[1]] }),
      /may not sign this/,
    ],
  ]
  for (const [name, make, reason] of refused) {
    it(`with ${name} is refused, and may come as it should be`, async () => {
      const old = oldRepository()
      const repository = testRepository()
      const { state, error } = await ends(repository, moveRequest(repository, old, make(repository, old)))
      assert.equal(state, 'ERRORED')
      assert.match(error ?? '', reason)
      assert.equal(await readFounding(repository), undefined)
      assert.deepEqual(await repository.ports.metadata.list(''), [])
      assert.equal((await run(repository, moveRequest(repository, old))).state, 'SUCCESS')
    })
  }

  it('needs new keys for timestamp and snapshot: with the old ones clients would miss the roles that they know', async () => {
    const old = oldRepository()
    const repository = testRepository()
    const { ports } = repository
    const { key, keyid, sign } = old.online
    const signers = [{ key, keyid, sign: async (bytes: Uint8Array) => sign(bytes) }, ...ports.signers]
    const both = { ...repository, ports: { ...ports, signers } }
    for (const role of ['timestamp', 'snapshot'] as const) {
      const root = rootAfter(old, repository.online)
      const keys = new Map([...root.keys, [keyid, key] as const])
      const kept = { ...root, keys, roles: { ...root.roles, [role]: { keyids: [keyid], threshold: 1 } } }
      const { error } = await ends(both, moveRequest(repository, old, { root: kept }))
      assert.match(error ?? '', /signs timestamp or snapshot in root version 3 of the predecessor already/)
    }
    // Targets may keep its key: what clients know of it, they know from the snapshot.
    const root = rootAfter(old, repository.online)
    const keys = new Map([...root.keys, [keyid, key] as const])
    const kept = { ...root, keys, roles: { ...root.roles, targets: { keyids: [keyid], threshold: 1 } } }
    assert.equal((await ends(both, moveRequest(repository, old, { root: kept }))).state, 'SUCCESS')
  })

  it('is what a root of a later version needs', async () => {
    const old = oldRepository()
    const repository = testRepository()
    const { predecessor: _, ...request } = moveRequest(repository, old)
    assert.match((await ends(repository, request)).error ?? '', /has version 1, not 4.*send the earlier ones, too/)
  })
})

describe('repair of a repository that moved here', () => {
  const lost = [
    ['1.root.json'],
    ['2.root.json'],
    ['3.root.json', '4.root.json'],
    ['1.root.json', '2.root.json', '3.root.json', '4.root.json'],
  ]
  for (const [damage, spoil] of Object.entries(damages)) {
    for (const names of lost) {
      it(`puts ${names.join(', ')} back, which ${damage}`, async () => {
        const old = oldRepository()
        const repository = await moved(old)
        const client = await clientNow(repository)
        for (const name of names) await spoil(repository.ports.metadata, name)
        const { steps } = await repaired(repository, client)
        for (const name of names)
          assert.ok(
            steps.some((step) => step.includes(name)),
            name,
          )
        for (const [at, text] of old.roots.entries()) {
          const stored = await repository.ports.metadata.read(`${at + 1}.root.json`)
          assert.equal(Buffer.from(stored?.bytes ?? '').toString(), text)
        }
        await clientOf(repository).refresh()
      })
    }
  }

  it('goes on above its versions where the timestamp is lost', async () => {
    const repository = await moved()
    const client = await clientNow(repository)
    await repository.ports.metadata.delete('timestamp.json')
    const { commit } = await repaired(repository, client)
    assert.equal(commit, 59)
  })
})
