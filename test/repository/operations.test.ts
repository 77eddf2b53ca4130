import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCurrent, readRole } from '../../shared/repository/current.ts'
import { type Draft, draftFrom, provide, setTarget, trialOf } from '../../shared/repository/draft.ts'
import { Refusal } from '../../shared/repository/errors.ts'
import { operations } from '../../shared/repository/operations/by-kind.ts'
import type { Operation } from '../../shared/repository/operations/operation.ts'
import { reroute } from '../../shared/repository/operations/reroute.ts'
import type { TaskKind, TaskRequest } from '../../shared/repository/task.ts'
import { type Json, parseJson } from '../../shared/tuf/json.ts'
import { roleName } from '../../shared/tuf/names.ts'
import { makeKey, type RootOptions, signRoot } from '../support/keys.ts'
import { addRequest, bootstrapped, removeRequest, run, type TestRepository } from '../support/repository.ts'

type Changing = Exclude<TaskKind, 'bootstrap'>
type ChangingRequest = Exclude<TaskRequest, { kind: 'bootstrap' }>

const role = (name: string, paths: readonly string[]) => ({
  name: roleName(name),
  terminating: false,
  keyids: [],
  threshold: 1,
  paths,
})

const repository = await bootstrapped({
  delegations: { keys: {}, roles: [role('one', ['one/*']), role('two', ['two/*', 'both/*'])] },
})
await run(repository, addRequest(['one/a', 'two/b']))
await run(repository, { ...addRequest(['two/parked']), publish: false })

/** A draft that knows every role, as an operation finds it. */
async function draft(): Promise<Draft> {
  const current = await readCurrent(repository)
  assert.ok(current)
  const made = draftFrom(current)
  for (const name of ['one', 'two']) provide(made, name, await readRole(repository, current, name))
  return made
}

const context = {
  taskId: 'task',
  principal: 'somebody',
  baseNumber: 3,
  now: repository.ports.clock.now(),
  signers: repository.ports.signers,
}

const operationFor = (kind: Changing) => operations[kind] as Operation<TaskKind>

function nextRoot(of: TestRepository, options: Partial<RootOptions> = {}): Json {
  const { rootKeys: root, online } = of
  return parseJson(signRoot({ version: 2, root, online, threshold: root.length, ...options }).bytes)
}

describe('An operation', () => {
  const needs: readonly [request: ChangingRequest, roles: readonly string[]][] = [
    [addRequest(['one/x', 'two/x', 'one/y']), ['one', 'two']],
    [{ ...addRequest(['one/x']), publish: false }, []],
    [removeRequest('two/b'), ['two']],
    [{ kind: 'publish_artifacts' }, ['two']],
    [{ kind: 'update_settings', expiration: { one: 1 } }, []],
    [{ kind: 'force_online_metadata_update', roles: [] }, ['one', 'two']],
    [{ kind: 'force_online_metadata_update', roles: ['one', 'timestamp'] }, ['one']],
    [{ kind: 'metadata_update', root: nextRoot(repository), compromised: false }, []],
    [{ kind: 'sign_metadata', role: 'root', signature: { keyid: '', sig: '' } }, []],
    [{ kind: 'delete_sign_metadata', role: 'root' }, []],
  ]
  for (const [request, roles] of needs) {
    it(`${request.kind} of ${JSON.stringify(request).slice(0, 60)}… asks for ${roles.join(', ') || 'no role'}`, async () => {
      assert.deepEqual([...operationFor(request.kind).needs(await draft(), request, context)].sort(), roles)
    })
  }

  const changes: readonly [request: ChangingRequest, signed: readonly string[], decided: readonly string[]][] = [
    [addRequest(['one/x', 'two/x']), ['one', 'two'], []],
    [{ ...addRequest(['one/x']), publish: false }, [], ['parked']],
    [addRequest(['two/parked']), ['two'], ['parked']],
    [removeRequest('one/a'), ['one'], []],
    [removeRequest('one/nothing'), [], []],
    [removeRequest('two/parked'), [], ['parked']],
    [{ kind: 'publish_artifacts' }, ['two'], ['parked']],
    [{ kind: 'update_settings', expiration: { one: 1 } }, [], ['settings']],
    [{ kind: 'update_settings', expiration: {} }, [], []],
    [{ kind: 'force_online_metadata_update', roles: ['timestamp'] }, [], []],
    [{ kind: 'force_online_metadata_update', roles: ['targets', 'one'] }, ['one', 'targets'], []],
    [{ kind: 'metadata_update', root: nextRoot(repository), compromised: false }, [], ['root']],
  ]
  for (const [request, signed, decided] of changes) {
    const what = `${signed.join(', ') || 'no role'} signed, ${decided.join(', ') || 'no state'} decided`
    it(`${request.kind} of ${JSON.stringify(request).slice(0, 60)}…: ${what}`, async () => {
      const before = await draft()
      const after = await draft()
      operationFor(request.kind).apply(after, request, context)
      assert.deepEqual([...after.toSign].sort(), signed)
      assert.deepEqual([...after.decides], decided)
      // What it was made from has not changed.
      assert.deepEqual(await draft(), before)
    })
  }

  const signature = { keyid: repository.rootKeys[0]?.keyid ?? '', sig: 'ab' }
  const refused: readonly [request: ChangingRequest, reason: RegExp][] = [
    [addRequest(['one/x', 'three/x']), /three\/x/],
    [{ ...addRequest(['three/x']), publish: false }, /three\/x/],
    [{ kind: 'update_settings', expiration: { root: 1, toString: 1 } }, /no role root, toString/],
    [{ kind: 'force_online_metadata_update', roles: ['one', 'root'] }, /root/],
    [{ kind: 'metadata_update', root: nextRoot(repository, { version: 3 }), compromised: false }, /the next one has 2/],
    [{ kind: 'metadata_update', root: nextRoot(repository, { online: [makeKey()] }), compromised: false }, /not hold/],
    [{ kind: 'metadata_update', root: nextRoot(repository, { expires: new Date(0) }), compromised: false }, /expired/],
    [{ kind: 'metadata_update', root: { signed: null }, compromised: false }, /has to be/],
    [{ kind: 'metadata_update', root: 'root', compromised: false }, /has to be/],
    [{ kind: 'sign_metadata', role: 'root', signature }, /No metadata of role root waits/],
    [{ kind: 'sign_metadata', role: '__proto__', signature }, /No metadata of role __proto__ waits/],
    [{ kind: 'delete_sign_metadata', role: 'root' }, /No signing process for root/],
    [{ kind: 'delete_sign_metadata', role: 'toString' }, /No signing process for toString/],
  ]
  for (const [request, reason] of refused) {
    it(`refuses ${JSON.stringify(request).slice(0, 80)}… and leaves the draft as it was`, async () => {
      const tried = await draft()
      assert.throws(
        () => operationFor(request.kind).apply(tried, request, context),
        (error) => error instanceof Refusal && reason.test(error.message),
      )
      assert.deepEqual(tried, await draft())
    })
  }

  const faulty = { length: 1, hashes: { sha256: 'AB'.repeat(32) }, custom: {} }

  it('does not bring back targets that clients trip over, as holders may have signed them once', async () => {
    const tried = await draft()
    const past = new Map([['one/a', faulty]])
    assert.throws(
      () => operations.revert.apply(tried, { kind: 'revert', commit: 1 }, { ...context, past }),
      /clients trip over\. one\/a: .*lower case\. "custom" is empty\./,
    )
    assert.deepEqual(tried, await draft())
  })

  it('does not move them into another role either, unless it is to remove them', async () => {
    const tried = await draft()
    setTarget(tried, 'one', 'two/faulty', faulty)
    setTarget(tried, 'one', 'two/fine', addRequest(['fine']).artifacts[0]?.info)
    const { signers } = context
    assert.throws(() => reroute(trialOf(tried), ['one'], { remove: false, signers }), /two\/faulty \(in one/)
    assert.deepEqual(reroute(tried, ['one'], { remove: true, signers }), {
      moved: ['two/fine'],
      removed: ['two/faulty'],
    })
  })

  it('may be tried on a copy that shares nothing which operations change', async () => {
    const original = await draft()
    const trial: Draft = trialOf(original)
    const shared = Object.entries(original).filter(
      ([name, value]) =>
        name !== 'inSnapshot' && (value instanceof Map || value instanceof Set) && trial[name as keyof Draft] === value,
    )
    assert.deepEqual(
      shared.map(([name]) => name),
      [],
    )
  })
})
