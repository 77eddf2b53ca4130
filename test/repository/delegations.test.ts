import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readCurrent, readRole } from '../../shared/repository/current.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTarget } from '../../shared/repository/read.ts'
import type { CustomRole } from '../../shared/repository/task.ts'
import { expiresAt } from '../../shared/tuf/expiry.ts'
import { keyid } from '../../shared/tuf/keys.ts'
import { targetPath } from '../../shared/tuf/names.ts'
import { clientNow, clientOf, isClean } from '../support/client.ts'
import { customRole, delegation, keysOf, refusal, removal, sign, succeeds } from '../support/delegations.ts'
import { compressedPem, makeKey } from '../support/keys.ts'
import { addRequest, bootstrapped, removeRequest, restarted, type TestRepository } from '../support/repository.ts'

const day = 24 * 60 * 60 * 1000
const flavours = ['succinct_roles', 'path_hash_prefixes'] as const

const roleOf = async (repository: TestRepository, path: string) => {
  const current = await readCurrent(repository)
  assert.ok(current)
  return (await readTarget(repository, current, targetPath(path)))?.role
}

for (const flavour of flavours) {
  describe(`custom roles beside hash bins (${flavour})`, () => {
    const founded = () => bootstrapped({ delegations: { delegation: flavour, number: 4 } })

    test('are added in one commit under running clients, and what they are trusted with moves', async () => {
      const repository = await founded()
      await succeeds(repository, addRequest(['a', 'project/b', 'x/y/z', '.hidden', 'settings/.env']))
      const running = await clientNow(repository)
      const found = await running.everything()

      const details = await succeeds(repository, delegation('add', [customRole('project')]))
      assert.deepEqual(details, {
        delegated_roles: ['project'],
        failed_roles: [],
        moved_artifacts: ['project/b'],
      })
      for (const client of [running, running.copy(), clientOf(repository)]) {
        await client.refresh()
        assert.deepEqual(await client.everything(), found)
        for (const path of found.keys()) assert.ok(await client.find(path), path)
      }
      assert.equal(await roleOf(repository, 'project/b'), 'project')
      assert.match((await roleOf(repository, 'a')) ?? '', /^bins-\d$/)
      await isClean(repository)
      assert.equal((await readCurrent(restarted(repository)))?.delegators.has('bins'), flavour === 'succinct_roles')
    })

    test('have the default days again where one of the same name was taken away before', async () => {
      const repository = await founded()
      const daysOf = async () => {
        const current = await readCurrent(repository)
        assert.ok(current)
        const { signed } = await readRole(repository, current, 'project')
        return Math.round((expiresAt(signed).getTime() - repository.ports.clock.now().getTime()) / day)
      }
      await succeeds(repository, delegation('add', [customRole('project', { expiration: 3650 })]))
      assert.equal(await daysOf(), 3650)
      await succeeds(repository, removal('project'))
      await succeeds(repository, delegation('add', [customRole('project')]))
      assert.equal(await daysOf(), 30)
    })

    test('take new artifacts in their order, the first that is trusted', async () => {
      const repository = await founded()
      await succeeds(repository, delegation('add', [customRole('b', { paths: ['p/*'] })]))
      await succeeds(repository, delegation('add', [customRole('c', { paths: ['p/x*'] })]))
      await succeeds(repository, delegation('add', [customRole('a', { paths: ['p/a*'], before: ['b'] })]))
      const { artifact_roles: roles } = await succeeds(repository, addRequest(['p/apple', 'p/xylem']))
      assert.deepEqual(roles, ['a', 'b'])
      await succeeds(repository, delegation('update', [customRole('c', { paths: ['p/x*'], before: ['a'] })]))
      assert.equal(await roleOf(repository, 'p/xylem'), 'c')
      assert.equal(await roleOf(repository, 'p/apple'), 'a')
      await isClean(repository)
    })

    test('are changed: their artifacts go where they belong now', async () => {
      const repository = await founded()
      await succeeds(repository, delegation('add', [customRole('project')]))
      await succeeds(repository, addRequest(['project/one', 'project/two']))
      const { moved_artifacts: moved } = await succeeds(
        repository,
        delegation('update', [customRole('project', { paths: ['project/o*'], terminating: true })]),
      )
      assert.deepEqual(moved, ['project/two'])
      assert.match((await roleOf(repository, 'project/two')) ?? '', /^bins-/)
      assert.equal(await roleOf(repository, 'project/one'), 'project')
      await isClean(repository)
    })

    test('are taken away: in the snapshot still, their artifacts gone for clients', async () => {
      const repository = await founded()
      await succeeds(repository, delegation('add', [customRole('project')]))
      await succeeds(repository, addRequest(['project/one', 'other']))
      const client = await clientNow(repository)
      const version = client.trusted.snapshot?.signed.meta.get('project.json')?.version
      assert.deepEqual(await succeeds(repository, removal('project')), {
        delegated_roles: ['project'],
        failed_roles: [],
        removed_artifacts: ['project/one'],
      })
      await client.refresh()
      assert.equal(await client.find('project/one'), undefined)
      assert.ok(await client.find('other'))
      assert.equal(client.trusted.snapshot?.signed.meta.get('project.json')?.version, version)
      await succeeds(repository, addRequest(['project/one']))
      await succeeds(repository, delegation('add', [customRole('project')]))
      await client.refresh()
      assert.ok(await client.find('project/one'))
      await isClean(repository)
    })

    test('are refreshed, and the role between targets and bins too', async () => {
      const repository = await founded()
      await succeeds(repository, delegation('add', [customRole('project', { expiration: 10 })]))
      const client = clientOf(repository)
      for (let passed = 0; passed < 60; passed += 1) {
        repository.pass(12 * 3600 * 1000)
        await publish(repository)
        await client.refresh()
        await client.everything()
      }
      const forced = await succeeds(repository, { kind: 'force_online_metadata_update', roles: [] })
      assert.ok((forced['updated_roles'] as string[]).includes('project'))
      await client.refresh()
      await client.everything()
    })
  })
}

describe('hash bins inside a custom role', () => {
  for (const outer of flavours) {
    for (const inner of flavours) {
      test(`${inner} inside a role beside ${outer}`, async () => {
        const repository = await bootstrapped({ delegations: { delegation: outer, number: 2 } })
        const client = await clientNow(repository)
        await succeeds(repository, addRequest(['project/0', 'rest']))
        const bins = { delegation: inner, number: 4 }
        await succeeds(repository, delegation('add', [customRole('project', { bins })]))
        const paths = Array.from({ length: 20 }, (_, n) => `project/${n}`)
        const { artifact_roles: roles } = await succeeds(repository, addRequest(paths))
        assert.deepEqual(new Set(roles as string[]), new Set([0, 1, 2, 3].map((bin) => `project-bins-${bin}`)))
        await client.refresh()
        for (const path of [...paths, 'rest']) assert.ok(await client.find(path), path)
        await succeeds(restarted(repository), removeRequest('project/7'))
        repository.pass(29 * 24 * 3600 * 1000)
        await publish(repository)
        await client.refresh()
        assert.equal(await client.find('project/7'), undefined)
        assert.ok(await client.find('project/8'))
        await isClean(repository)
        const { removed_artifacts: removed } = await succeeds(repository, removal('project'))
        assert.equal((removed as string[]).length, 19)
        await client.refresh()
        assert.equal(await client.find('project/8'), undefined)
        await isClean(repository)
      })
    }
  }
})

describe('a repository of custom roles only', () => {
  test('takes roles, and refuses what no role is trusted with', async () => {
    const repository = await bootstrapped({ delegations: { keys: {}, roles: [customRole('a')] } })
    assert.match(await refusal(repository, addRequest(['b/x'])), /No delegated role is trusted .* b\/x/)
    await succeeds(repository, delegation('add', [customRole('b')]))
    await succeeds(repository, addRequest(['b/x', 'a/x']))
    assert.match(await refusal(repository, addRequest(['a/.dotfile'])), /trusted by every client with a\/\.dotfile/)
    const narrow = customRole('b', { paths: ['b/y*'] })
    assert.match(
      await refusal(repository, delegation('update', [narrow])),
      /would not find 1 artifact any more.*b\/x \(in b\)/,
    )
    const { removed_artifacts: removed } = await succeeds(repository, delegation('update', [narrow], [], true))
    assert.deepEqual(removed, ['b/x'])
    await succeeds(repository, { ...addRequest(['b/y']), publish: false })
    assert.match(await refusal(repository, removal('b')), /b\/y is parked/)
    await isClean(repository)
  })
})

describe('a delegation is refused', () => {
  const [one, two, rsa] = [makeKey(), makeKey('ecdsa'), makeKey('rsa')]
  const twin = { ...one.key, keytype: 'ed25519', note: 'x' }
  const compressed = { ...two.key, keyval: { public: compressedPem(two.privateKey) } }
  const short = { ...two, key: compressed, keyid: keyid(compressed) }
  const cases: [string, RegExp, CustomRole, Record<string, typeof one.key>?][] = [
    ['under a name that is taken', /is a role project already/, customRole('project')],
    ['under a name that is taken but for case', /Project differs from project in .* case/, customRole('Project')],
    ['under the name of a hash bin', /one that hash bins/, customRole('bins-0f')],
    ['under the name of a hash bin but for case', /one that hash bins/, customRole('Bins-0F')],
    ['under the name of a bin inside a role', /one that hash bins/, customRole('project-bins-3')],
    ['under the name of the role above bins', /one that hash bins/, customRole('bins')],
    ['without paths', /no path patterns/, customRole('a', { paths: [] })],
    ['with a pattern that no path matches', /\/\.\.\/|"\.\."/, customRole('a', { paths: ['a/../b'] })],
    ['with a pattern that clients read in other ways', /\*\*/, customRole('a', { paths: ['a/**'] })],
    ['with a threshold of 0', /asks for 0 signatures/, customRole('a', { threshold: 0 })],
    ['with more signatures than online keys', /asks for 2 signatures and has 1/, customRole('a', { threshold: 2 })],
    ['with more signatures than keys', /asks for 2/, customRole('a', { threshold: 2, holders: [one] }), keysOf([one])],
    ['with a key that is not sent', /is not among/, customRole('a', { holders: [one] })],
    ['with a wrong keyid', /Name it by that/, customRole('a', { holders: [one] }), { [one.keyid]: two.key }],
    ['with a field that clients drop', /"note"/, customRole('a', { holders: [one] }), { [one.keyid]: twin }],
    [
      'with a key that go-tuf cannot read',
      /not written in full/,
      customRole('a', { holders: [short] }),
      keysOf([short]),
    ],
    ['to expire never', /expire after 3651 days/, customRole('a', { expiration: 3651 })],
    ['with one key twice', /one and the same key/, customRole('a', { holders: [one, one] }), keysOf([one])],
  ]
  for (const [what, why, role, keys = {}] of cases) {
    test(what, async () => {
      const repository = await bootstrapped()
      await succeeds(repository, delegation('add', [customRole('project')]))
      const request = {
        kind: 'metadata_delegation',
        action: 'add',
        keys,
        roles: [role],
        removeArtifacts: false,
      } as const
      assert.match(await refusal(repository, request), why)
    })
  }

  test('under a name that another of the request, or one that waits for its holders, has but for case', async () => {
    const repository = await bootstrapped()
    const both = ['a', 'A'].map((name) => customRole(name, { paths: ['a/*'] }))
    assert.match(await refusal(repository, delegation('add', both)), /A differs from a in/)
    await succeeds(repository, delegation('add', [customRole('held', { holders: [one] })], [one]))
    assert.match(await refusal(repository, delegation('add', [customRole('Held')])), /Held differs from held in/)
    await sign(repository, 'held', one)
  })

  test('that is to be changed or taken away and is not there', async () => {
    const repository = await bootstrapped()
    assert.match(await refusal(repository, delegation('update', [customRole('a')])), /no custom role a/)
    assert.match(await refusal(repository, removal('bins-0')), /no custom role bins-0/)
  })

  test('as a whole if one of its roles is, and it says which', async () => {
    const repository = await bootstrapped()
    const request = delegation('add', [customRole('good'), customRole('bad', { threshold: 7 })], [rsa])
    assert.match(await refusal(repository, request), /Role bad asks for 7/)
    assert.equal((await readCurrent(repository))?.delegators.has('bins'), false)
  })

  test('where a path is too deep for the role above the bins', async () => {
    const repository = await bootstrapped()
    const deep = Array(33).fill('d').join('/')
    await succeeds(repository, addRequest([deep, 'shallow']))
    assert.match(await refusal(repository, delegation('add', [customRole('a')])), /would not find 1 artifact any more/)
    await succeeds(repository, delegation('add', [customRole('a')], [], true))
    assert.match(await refusal(repository, addRequest([deep])), /No delegated role is trusted/)
    const current = await readCurrent(repository)
    assert.ok(current)
    assert.equal((await readRole(repository, current, 'bins')).signed.targets.size, 0)
  })
})
