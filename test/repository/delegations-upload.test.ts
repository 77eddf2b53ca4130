import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readCurrent } from '../../shared/repository/current.ts'
import { entryName } from '../../shared/repository/journal.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readStatus } from '../../shared/repository/status.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { specVersion, type TargetFile, type Targets } from '../../shared/tuf/metadata.ts'
import { roleName } from '../../shared/tuf/names.ts'
import { clientNow } from '../support/client.ts'
import { customRole, delegation, refusal, sign, succeeds, withOfflineRole } from '../support/delegations.ts'
import { makeKey, signRole, type TestKey } from '../support/keys.ts'
import { addRequest, bootstrapped, restarted, signerOf, type TestRepository } from '../support/repository.ts'

const day = 24 * 3600 * 1000
const [ann, bob, eve] = [makeKey(), makeKey('ecdsa'), makeKey('rsa')]

describe('metadata that was signed elsewhere', () => {
  const info: TargetFile = { length: 1, hashes: { sha256: 'ab'.repeat(32) } }
  const made = (repository: TestRepository, change: Partial<Targets> = {}): Targets => ({
    _type: 'targets',
    spec_version: specVersion,
    version: 4,
    expires: formatExpires(new Date(repository.ports.clock.now().getTime() + 50 * day)),
    targets: new Map([['project/a', info]]),
    ...change,
  })
  const upload = (metadata: Targets, signers: readonly TestKey[] = [ann, bob]): TaskRequest => ({
    kind: 'upload_delegated_metadata',
    role: roleName('project'),
    metadata: parseJson(signRole(metadata, signers).bytes),
  })

  test('is visible at once, byte for byte, and changed again by both ways', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['other']))
    const signed = signRole(made(repository, { note: 'kept' }), [ann, bob])
    const request = { ...upload(signed.signed), metadata: parseJson(signed.bytes) } as TaskRequest
    assert.deepEqual(await succeeds(repository, request), { role: 'project', version: 4, targets: 1 })
    const client = await clientNow(restarted(repository))
    assert.deepEqual(await client.find('project/a'), info)
    const file = await repository.ports.metadata.read('4.project.json')
    assert.ok(file && Buffer.from(file.bytes).equals(signed.bytes))
    await succeeds(repository, addRequest(['project/b']))
    await sign(repository, 'project', ann, bob)
    await client.refresh()
    assert.ok(await client.find('project/a'))
    assert.ok(await client.find('project/b'))
  })

  test('holds no signature that a client could stumble over', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['other']))
    const { signed, bytes } = signRole(made(repository), [ann, bob])
    const file = JSON.parse(Buffer.from(bytes).toString())
    const beside = (signature: object) => {
      return { ...upload(signed), metadata: { ...file, signatures: [...file.signatures, signature] } } as TaskRequest
    }
    const stranger = await refusal(repository, beside({ keyid: eve.keyid, sig: 'xyz' }))
    assert.match(stranger, new RegExp(`Key ${eve.keyid} may not sign this`))
    await succeeds(repository, beside({ keyid: eve.keyid, sig: '' }))
    const published = await repository.ports.metadata.read('4.project.json')
    const keyids = JSON.parse(Buffer.from(published?.bytes ?? []).toString()).signatures.map(
      ({ keyid }: { keyid: string }) => keyid,
    )
    assert.deepEqual(keyids, [ann.keyid, bob.keyid])
  })

  const cases: [string, RegExp, Partial<Targets>, TestKey[]?][] = [
    ['by too few', /1 good signature of the 2/, {}, [ann]],
    ['by strangers', /0 good signatures/, {}, [eve]],
    ['for a version that has passed', /has version 2.*Choose one from 3 to 5/, { version: 2 }],
    ['for a version to come', /has version 6.*Choose one from 3 to 5/, { version: 6 }],
    ['and has expired', /expired at/, { expires: '2020-01-01T00:00:00Z' }],
    ['with strange targets', /another role is trusted.*other\/x/, { targets: new Map([['other/x', info]]) }],
    ['with impossible targets', /"\.\."/, { targets: new Map([['project/../x', info]]) }],
    ['and delegates further', /delegates to others/, { delegations: { keys: new Map(), roles: [] } }],
  ]
  const faulty = (path: string, target: Partial<TargetFile>): Partial<Targets> => ({
    targets: new Map([[path, { ...info, ...target }]]),
  })
  const upper = { sha256: 'AB'.repeat(32) }
  const faults: typeof cases = [
    [
      'with a hash that no client knows',
      /project\/a: Hash algorithm "md5"/,
      faulty('project/a', { hashes: { md5: 'aa' } }),
    ],
    [
      'with such a hash beside another',
      /project\/a: Hash algorithm "md5"/,
      faulty('project/a', { hashes: { ...info.hashes, md5: 'aa' } }),
    ],
    [
      'with a digest that is none',
      /project\/a: .*"z" at position 0/,
      faulty('project/a', { hashes: { sha256: 'zz' } }),
    ],
    [
      'with a short digest',
      /project\/a: .*64 hex digits; this has 2/,
      faulty('project/a', { hashes: { sha256: 'ab' } }),
    ],
    [
      'with a digest in upper case',
      /project\/a: .*"A" at position 0, .*lower case/,
      faulty('project/a', { hashes: upper }),
    ],
    [
      'with an empty custom',
      /project\/a: "custom" is empty.*have it signed again/,
      faulty('project/a', { custom: {} }),
    ],
    [
      'with text that tough composes',
      /project\/a: It has text .* Send it in NFC/,
      faulty('project/a', { custom: { note: 'e\u0301' } }),
    ],
    ['with such text in a field of its own', /has text .* Send it in NFC/, { note: 'e\u0301' }],
    [
      'with more faults than can be named',
      /project\/7: (?!.*project\/8: ).* … \(12 in all\)/,
      { targets: new Map(Array.from({ length: 12 }, (_, at) => [`project/${at}`, { ...info, custom: {} }])) },
    ],
  ]
  for (const [what, why, change, signers] of [...cases, ...faults]) {
    test(`${what} is refused`, async () => {
      const repository = await withOfflineRole([ann, bob])
      await succeeds(repository, addRequest(['other']))
      assert.match(await refusal(repository, upload(made(repository, change), signers)), why)
    })
  }

  test('is warned of where only some clients read it, and refused where one would lose everything', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['other']))
    const odd = upload(made(repository, faulty('project/a', { hashes: { 'blake2b-256': 'cd'.repeat(32) } })))
    const { warnings } = await succeeds(repository, odd)
    assert.match(String(warnings), /^tuf-js 6, .* will not find project\/a: they do not read blake2b-256/)

    const plain = await bootstrapped({ delegations: { keys: {}, roles: [customRole('first')] } })
    const role = customRole('project', { holders: [ann, bob], threshold: 2 })
    await succeeds(plain, delegation('add', [role], [ann, bob]))
    await sign(plain, 'project', ann, bob)
    for (const path of ['first/a', 'first/b']) await succeeds(plain, addRequest([path]))
    const long = upload(made(plain, faulty('project/a', { hashes: { sha512: 'cd'.repeat(64) } })))
    assert.match(await refusal(plain, long), /^tough 0\.24 reads nothing of .* none is given for project\/a/)
  })

  test('is refused for a role that nobody delegates to yet, with what comes first', async () => {
    const repository = await bootstrapped()
    assert.match(await refusal(repository, upload(made(repository))), /no custom role project.*Add it first/)
    const role = customRole('project', { holders: [ann, bob], threshold: 2 })
    await succeeds(repository, delegation('add', [role], [ann, bob]))
    const why = /project is not delegated to before its holders have signed its first metadata.*Sign that, then upload/
    assert.match(await refusal(repository, upload(made(repository))), why)
    await sign(repository, 'project', ann, bob)
    await succeeds(repository, addRequest(['other']))
    await succeeds(repository, upload(made(repository)))
  })

  test('is refused while a draft waits, and for what is no custom role', async () => {
    const repository = await withOfflineRole([ann, bob])
    await succeeds(repository, addRequest(['project/b']))
    assert.match(await refusal(repository, upload(made(repository))), /waits for signatures/)
    const other = { ...upload(made(repository)), role: roleName('bins-0') } as TaskRequest
    assert.match(await refusal(repository, other), /no custom role bins-0/)
  })

  test('is refused under a version that an aborted commit has left with other content', async () => {
    const repository = await withOfflineRole([ann, bob])
    const left = signRole(made(repository, { targets: new Map() }), [ann, bob])
    await repository.ports.metadata.create('4.project.json', left.bytes)
    assert.match(await refusal(repository, upload(made(repository))), /other content was signed before/)
    await succeeds(repository, upload(left.signed))
  })

  describe('of a role that the service comes to sign', () => {
    const minute = 60 * 1000
    const soon = ({ ports: { clock } }: TestRepository) => formatExpires(new Date(clock.now().getTime() + minute))
    const shared = ({ online }: TestRepository) => {
      const holders = [ann, bob, ...online]
      return delegation('update', [customRole('project', { holders })], holders)
    }

    /** A version that no commit has ever had, nor claimed: such as repair leaves, and the collector. */
    async function withNumberOfNone(repository: TestRepository): Promise<void> {
      const { state } = repository.ports
      await state.create(entryName(5), Buffer.from('{}'))
      await succeeds(repository, addRequest(['other']))
      await state.delete(entryName(5))
    }

    test('gives way at once to what it signs, with a life of its own', async () => {
      const repository = await withOfflineRole([ann, bob])
      await withNumberOfNone(repository)
      await succeeds(repository, upload(made(repository, { version: 5, expires: soon(repository) })))
      await succeeds(repository, shared(repository))
      const life = (await readStatus(repository)).published?.firstToExpire.find(({ role }) => role === 'project')
      assert.equal(life?.version, 8)
      repository.pass(2 * minute)
      for (const process of [repository, restarted(repository)]) {
        await succeeds(process, addRequest(['another']))
        const client = await clientNow(process)
        assert.deepEqual(await client.find('project/a'), info)
      }
      // Uploaded again, it has the life of that file, until half of what the settings ask for is left.
      const short = made(repository, { version: 9, expires: soon(repository) })
      await succeeds(repository, upload(short))
      await publish(repository)
      repository.pass(2 * minute)
      const client = await clientNow(repository)
      assert.deepEqual(await client.find('project/a'), info)
    })

    test('is due by its own expiry where the service has got its keys since', async () => {
      const repository = await withOfflineRole([ann, bob])
      await withNumberOfNone(repository)
      await succeeds(repository, upload(made(repository, { version: 5, expires: soon(repository) })))
      const signers = [...repository.online, ann, bob].map(signerOf)
      const service = { ...repository, ...restarted({ ...repository, ports: { ...repository.ports, signers } }) }
      const life = async () =>
        (await readStatus(service)).published?.firstToExpire.find(({ role }) => role === 'project')
      assert.equal((await life())?.expires.toISOString().replace('.000', ''), soon(repository))
      await publish(service)
      assert.equal((await life())?.version, 8)
      const published = await readCurrent(service)
      await publish(service)
      assert.equal((await readCurrent(service))?.entry.number, published?.entry.number)
      service.pass(2 * minute)
      const client = await clientNow(service)
      assert.deepEqual(await client.find('project/a'), info)
    })
  })
})
