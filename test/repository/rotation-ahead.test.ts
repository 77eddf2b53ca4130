import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { collect } from '../../shared/repository/collect.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import { entryName } from '../../shared/repository/journal.ts'
import { StoreError } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { submit } from '../../shared/repository/submit.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { day } from '../../shared/tuf/expiry.ts'
import { type Json, parseJson } from '../../shared/tuf/json.ts'
import { clientNow, clientOf, isClean, seen } from '../support/client.ts'
import { counting } from '../support/counting.ts'
import { customRole, delegation, sign, signatureFor, succeeds } from '../support/delegations.ts'
import { makeKey, signatureBy, signRole, signRoot } from '../support/keys.ts'
import { begin, ended, finish, lengths, many } from '../support/long-work.ts'
import { addRequest, bootstrapped, restarted, run, signerOf, type TestRepository } from '../support/repository.ts'

const bins = 16
const next = makeKey('ecdsa')

/** With as many hash bins as are signed ahead here, and a service that holds the old online key and the next one. */
async function holdingBoth() {
  const counter = counting()
  let room = Number.POSITIVE_INFINITY
  const repository = await bootstrapped({
    delegations: { delegation: 'succinct_roles', number: bins },
    limits: { aheadFrom: 8 },
    around: (store, which) => ({
      ...counter.around(store),
      create: async (name, bytes) => {
        if (which === 'metadata' && room-- <= 0) throw new StoreError('full', 'No room.')
        return store.create(name, bytes)
      },
    }),
  })
  await run(repository, addRequest(many(40)))
  const signers = [...repository.online, next].map((key) => counter.wrapSigner(signerOf(key)))
  const both = restarted({ ...repository, ports: { ...repository.ports, signers } })
  const hasRoomFor = (files: number) => {
    room = files
  }
  return { both, during: counter.during, hasRoomFor }
}

/** The same, beside whom somebody else publishes before the first file is made. */
function beside(repository: TestRepository, request: TaskRequest): TestRepository {
  const { metadata } = repository.ports
  let others: Promise<unknown> | undefined
  const create: typeof metadata.create = async (name, bytes) => {
    others ??= run(restarted(repository), request)
    await others
    return metadata.create(name, bytes)
  }
  return restarted({ ...repository, ports: { ...repository.ports, metadata: { ...metadata, create } } })
}

/** Accepted before this task, as if it had been on its way all the time. */
async function submitBefore({ ports }: TestRepository, id: string, request: TaskRequest): Promise<void> {
  const task = { schema: 1, id: `00${id.slice(2)}`, principal: 'test', accepted: new Date().toISOString(), request }
  await ports.state.create(`inbox/${task.id}.json`, Buffer.from(JSON.stringify(task)))
}

const rootOf = ({ rootKeys }: TestRepository, signedBy = rootKeys, version = 2) => {
  const root = signRoot({ root: rootKeys, threshold: 2, online: [next], version })
  const signatures = root.signatures.filter(({ keyid }) => signedBy.some((key) => key.keyid === keyid))
  return { ...root, json: { ...(parseJson(root.bytes) as object), signatures } as unknown as Json }
}

const update = (repository: TestRepository, compromised = false): TaskRequest => {
  return { kind: 'metadata_update', root: rootOf(repository).json, compromised }
}

/** Each bin is signed by the next key and by no other, whatever was published meanwhile. */
async function isRotated(repository: TestRepository): Promise<void> {
  const current = (await readCurrent(restarted(repository))) ?? assert.fail()
  assert.equal(current.root.signed.version, 2)
  for (const [file, { version }] of current.snapshot.signed.meta) {
    if (file === 'targets.json') continue
    const stored = await repository.ports.metadata.read(`${version}.${file}`)
    const { signatures } = JSON.parse(Buffer.from(stored?.bytes ?? '').toString())
    assert.deepEqual(
      signatures.map(({ keyid }: { keyid: string }) => keyid),
      [next.keyid],
      file,
    )
  }
  await isClean(repository)
}

describe('a change of online keys where there are many roles', () => {
  it('is signed ahead beside small publishes, and no client fails', async () => {
    const { both, during } = await holdingBoth()
    const [running, old] = [clientOf(both), clientOf(both)]
    await old.refresh()
    const look = async () => {
      for (const client of [running, old.copy(), clientOf(both)]) {
        await client.refresh()
        assert.ok(await client.find('p/1'))
      }
    }
    const id = await begin(both, update(both))
    await run(restarted(both), addRequest(['p/1'], 7))
    await look()
    const ahead = await during(() => prepare(beside(both, addRequest(['p/2'], 7)), id))
    await look()
    const { signatures } = await during(() => publish(both))
    // Those of the small publish are among the first; then targets, snapshot and timestamp with both keys, and the bin that it changed.
    assert.deepEqual({ ahead: ahead.signatures, signatures }, { ahead: bins + 3, signatures: 7 })
    assert.equal((await ended(both, id)).state, 'SUCCESS')
    await look()
    await isRotated(both)
    both.pass(11 * 60 * 1000)
    const end = await during(() => publish(both))
    assert.equal(end.signatures, 3)
    await look()
    assert.deepEqual(await seen(both), { ...lengths(many(40)), 'p/1': 7, 'p/2': 7 })
  })

  it('waits for the last signature, and begins with it', async () => {
    const { both, during } = await holdingBoth()
    const [first, last] = both.rootKeys
    assert.ok(first && last)
    const { json, signedBytes } = rootOf(both, [first])
    // To let it wait reads and signs no bin.
    const { reads, signatures } = await during(() =>
      run(restarted(both), { kind: 'metadata_update', root: json, compromised: false }),
    )
    assert.ok(reads < bins + 12 && signatures === 1, `${reads} reads, ${signatures} signatures`)
    const id = await begin(both, { kind: 'sign_metadata', role: 'root', signature: signatureBy(last, signedBytes) })
    assert.equal((await readCurrent(both))?.root.signed.version, 1)
    assert.equal((await finish(both, id)).state, 'SUCCESS')
    await isRotated(both)
  })

  it('goes on after a crash, and signs nothing twice', async () => {
    const { both, during, hasRoomFor } = await holdingBoth()
    const id = await begin(both, update(both))
    hasRoomFor(10)
    const { signatures } = await during(() => assert.rejects(prepare(both, id), { code: 'full' }))
    hasRoomFor(Number.POSITIVE_INFINITY)
    const again = await during(() => prepare(restarted(both), id))
    assert.equal(again.signatures, bins - 10)
    assert.ok(signatures <= bins)
    await publish(both)
    assert.equal((await ended(both, id)).state, 'SUCCESS')
    await isRotated(both)
  })

  it('is done at once, within one commit, where the old key is in the wrong hands', async () => {
    const { both } = await holdingBoth()
    const waits = await begin(both, update(both))
    const { id } = await submit(both, { request: update(both, true), principal: 'test' })
    assert.equal((await publish(both)).unprepared, undefined)
    assert.deepEqual([(await ended(both, id)).state, (await ended(both, waits)).state], ['SUCCESS', 'ERRORED'])
    await isRotated(both)
  })

  it('is the next root, although another one comes while it is signed', async () => {
    const { both } = await holdingBoth()
    const id = await begin(both, update(both))
    const root = signRoot({ root: both.rootKeys, threshold: 2, online: both.online, version: 2 })
    const request: TaskRequest = { kind: 'metadata_update', root: parseJson(root.bytes), compromised: false }
    const other = await submit(both, { request, principal: 'test' })
    await publish(both)
    assert.equal((await finish(both, id)).state, 'SUCCESS')
    assert.match((await ended(both, other.id)).error ?? '', /current root has version 2/)
    await isRotated(both)
  })

  it('begins anew where delegations have changed meanwhile, or the keys that the service holds', async () => {
    const { both } = await holdingBoth()
    const id = await begin(both, update(both))
    assert.equal(await prepare(both, id), 'ready')
    await submitBefore(both, id, delegation('add', [customRole('plain')]))
    assert.equal((await publish(both)).unprepared, id)
    assert.equal(await prepare(both, id), 'ready')
    const signers = [...both.ports.signers, signerOf(makeKey('ecdsa'))]
    const process = restarted({ ...both, ports: { ...both.ports, signers } })
    assert.equal((await publish(process)).unprepared, id)
    assert.equal((await finish(process, id)).state, 'SUCCESS')
    assert.equal((await readCurrent(both))?.entry.prepared?.claimed.length, 3)
    await isRotated(both)
    await run(process, addRequest(['plain/a']))
    assert.equal((await seen(both))['plain/a'], 1)
  })

  it('can be stopped as long as it is not signed, and not afterwards', async () => {
    for (const isSigned of [false, true]) {
      const { both } = await holdingBoth()
      const [first, last] = both.rootKeys
      assert.ok(first && last)
      const { json, signedBytes } = rootOf(both, [first])
      await run(both, { kind: 'metadata_update', root: json, compromised: false })
      const id = await begin(both, { kind: 'sign_metadata', role: 'root', signature: signatureBy(last, signedBytes) })
      if (isSigned) assert.equal(await prepare(both, id), 'ready')
      const cancel = await submit(both, { request: { kind: 'delete_sign_metadata', role: 'root' }, principal: 'x' })
      await publish(both)
      const states = [(await ended(both, id)).state, (await ended(both, cancel.id)).state]
      assert.deepEqual(states, isSigned ? ['SUCCESS', 'ERRORED'] : ['ERRORED', 'SUCCESS'])
      await isClean(both)
    }
  })

  it('signs no bin where the bins keep their key', async () => {
    const { both, during } = await holdingBoth()
    const made = rootOf(both).signed
    const roles = { ...made.roles, targets: { keyids: [both.online[0]?.keyid ?? ''], threshold: 1 } }
    const keys = new Map([...made.keys, ...both.online.map(({ keyid, key }) => [keyid, key] as const)])
    const root = parseJson(signRole({ ...made, roles, keys }, both.rootKeys).bytes)
    const request: TaskRequest = { kind: 'metadata_update', root, compromised: false }
    const { signatures, reads } = await during(() => succeeds(restarted(both), request))
    // Targets once, snapshot and timestamp with both keys.
    assert.equal(signatures, 5)
    assert.ok(reads < bins, `${reads} reads`)
    const client = await clientNow(both)
    assert.ok(await client.find('p/1'))
  })
})

it('bins below a role that is signed offline get the new key ahead of the commit, once its holder has signed', async () => {
  const { both, during } = await holdingBoth()
  const holder = makeKey()
  const held = customRole('held', { holders: [holder], bins: { delegation: 'succinct_roles', number: bins } })
  await succeeds(both, delegation('add', [held], [holder]))
  await sign(both, 'held', holder)
  await succeeds(both, addRequest(many(100, 'held')))
  assert.equal((await finish(both, await begin(both, update(both)))).state, 'SUCCESS')
  both.pass(11 * 60 * 1000)
  await publish(both)
  const renewal: TaskRequest = { kind: 'metadata_delegation', action: 'renew', names: [] }
  const { reads } = await during(() => run(both, renewal))
  assert.ok(reads < bins, `${reads} reads`)
  const id = await begin(both, await signatureFor(both, 'held', holder))
  const ahead = await during(() => prepare(both, id))
  const { signatures } = await during(() => publish(both))
  assert.deepEqual({ ahead: ahead.signatures, signatures }, { ahead: bins, signatures: 2 })
  assert.equal((await ended(both, id)).state, 'SUCCESS')
  const client = await clientNow(both)
  assert.ok(await client.find('held/1'))
  await isClean(both)
})

it('what was signed ahead for a task that is refused in the end goes with time', async () => {
  const { both } = await holdingBoth()
  const holder = makeKey()
  await succeeds(both, delegation('add', [customRole('project')]))
  const id = await begin(both, { kind: 'force_online_metadata_update', roles: ['bins', 'project'] })
  assert.equal(await prepare(both, id), 'ready')
  await submitBefore(both, id, delegation('update', [customRole('project', { holders: [holder] })], [holder]))
  await publish(both)
  const { state, error = '' } = await ended(both, id)
  assert.equal(state, 'ERRORED')
  assert.match(error, /project: signed offline/)
  const [number] = (await readCurrent(both))?.entry.prepared?.claimed ?? []
  const left = async () => (await both.ports.metadata.list(`${number}.`)).length
  assert.equal(await left(), bins + 1)
  await run(both, addRequest(['later']))
  both.pass(2 * day)
  await collect(both)
  assert.equal(await left(), 0)
  assert.equal(await both.ports.state.read(entryName(number ?? 0)), undefined)
})
