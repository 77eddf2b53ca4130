import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { describeContent } from '../../cli/delegation/content.ts'
import { emptyTargets } from '../../shared/repository/operations/delegate.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import type { Targets } from '../../shared/tuf/metadata.ts'
import { artifact } from '../support/api.ts'
import { makeKey, signRoot } from '../support/keys.ts'
import { post, type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

type Change = (path: string, text: string) => string

/** A service in front of which somebody stands who may change what it says. */
describe('what a holder of a role is shown', () => {
  let directory: string
  let served: Served
  let front: Server
  let change: Change
  const [ann, bob] = [makeKey(), makeKey()]
  const path = (name: string) => join(directory, name)
  const honest: Change = (_, text) => text
  const cli = (...args: string[]) =>
    tuffet(['--api', `http://127.0.0.1:${(front.address() as AddressInfo).port}`, ...args], '', { cwd: directory })
  const sign = (...args: string[]) => cli('delegation', 'sign', 'project', '--key', 'ann.pem', '-y', ...args)

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet sign '))
    served = await serveProcess(['--data', path('data'), '--port', '0', '--trial'])
    front = createServer(async (incoming, outgoing) => {
      const body: Buffer[] = await incoming.toArray()
      const { method = 'GET', url = '', headers } = incoming
      const sent = method === 'GET' ? {} : { body: Buffer.concat(body) }
      const key = headers['idempotency-key']
      const answer = await fetch(new URL(url, served.url), {
        ...{ method, ...sent },
        headers: { 'content-type': 'application/json', ...(typeof key === 'string' && { 'idempotency-key': key }) },
      })
      outgoing.writeHead(answer.status).end(change(url, await answer.text()))
    })
    await once(front.listen(0, '127.0.0.1'), 'listening')
    change = honest
    await writeFile(path('ann.pem'), ann.privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await writeFile(path('ann.json'), JSON.stringify(ann.key))
    const added = await cli('delegation', 'add', 'project', '--path', 'project/*', '--key', 'ann.json')
    assert.equal(added.code, 0, added.stderr)
    assert.equal((await sign()).code, 0)
    const artifacts = [artifact('project/evil', { length: 666 })]
    const { body } = await post(served, 'artifacts', { artifacts }, { prefer: 'wait=20' })
    assert.equal(body.data.state, 'SUCCESS')
  })
  after(async () => {
    front.closeAllConnections()
    front.close()
    await served.stop()
    await rm(directory, { recursive: true })
  })

  async function refused(changing: Change, says: RegExp, ...args: string[]) {
    change = changing
    const { code, stdout, stderr } = await sign(...args)
    change = honest
    assert.equal(code, 4, stdout)
    assert.match(stderr, says)
  }

  it('is not compared with what clients would refuse', async () => {
    const hiding: Change = (url, text) => {
      if (!url.endsWith('.project.json')) return text
      const file = JSON.parse(text)
      file.signed.targets['project/evil'] = artifact('project/evil', { length: 666 }).info
      return JSON.stringify(file)
    }
    await refused(hiding, /\d+\.project\.json is not to be trusted: .* has 0 good signatures/)
  })

  it('is compared with what follows from a root that the holder trusts', async () => {
    await writeFile(path('other.json'), signRoot({ root: [bob] }).bytes)
    await refused(honest, /timestamp\.json is not to be trusted/, '--root', 'other.json')
  })

  it('names no key by the keyid of another', async () => {
    const forging: Change = (url, text) => {
      if (!url.startsWith('/api/v1/metadata/sign')) return text
      const answer = JSON.parse(text)
      answer.data.metadata.project.signed.delegations = { keys: { [ann.keyid]: bob.key }, roles: [] }
      return JSON.stringify(answer)
    }
    await refused(forging, new RegExp(`names a key ${ann.keyid}, whose keyid is ${bob.keyid}`))
  })

  it('is what gets signed', async () => {
    const { code, stderr } = await sign('--root', path('data/metadata/1.root.json'))
    assert.equal(code, 0, stderr)
    assert.match(stderr, / {2}\+ project\/evil {2}666 bytes {2}sha256 [0-9a-f]{64}\n/)
  })

  const targets = (roles: readonly object[], count = 0, info = {}): Targets => ({
    ...emptyTargets(),
    targets: new Map(Array.from({ length: count }, (_, at) => [`a${at}`, { ...artifact('a').info, ...info }])),
    delegations: { keys: new Map(), roles: roles as NonNullable<Targets['delegations']>['roles'] & object },
  })
  const role = (name: string, more = {}) => ({ ...{ name, keyids: ['ab'], threshold: 1 }, ...more })

  it('is every artifact, with all that is said of it', () => {
    const shown = describeContent('x', targets([], 100, { custom: { note: 'a\nb' } }), undefined)
    assert.match(shown, / {2}\+ a99 .*\{"custom":\{"note":"a\\u000ab"\}\}/)
    assert.match(describeContent('x', { ...targets([]), besides: 1 }, targets([])), /says besides: \{"besides":1\}/)
  })

  it('is every delegation, its order and whether it is the last', () => {
    const one = role('one', { paths: ['a'], terminating: false })
    const two = role('two', { paths: ['b'], terminating: false })
    const changed = describeContent('x', targets([two, { ...one, terminating: true }]), targets([one, two]))
    const lines = ['+ one: 1 of ab; a; terminating', '- one: 1 of ab; a', 'asked in this order: two, one']
    assert.ok(changed.endsWith(`changes:\n${lines.map((line) => `  ${line}`).join('\n')}`), changed)
    const forged = role('bin\n  + hidden', { path_hash_prefixes: ['0', '1'], terminating: false })
    assert.match(describeContent('x', targets([forged]), targets([])), /\+ "bin\\u000a .*1 of ab; hashes from 0, 1$/)
  })

  it('is that hash bins come before a role that was asked first, and would take its paths', () => {
    const bins = ['0', '1', '2'].map((digit) =>
      role(`bins-${digit}`, { path_hash_prefixes: [digit], terminating: false }),
    )
    const team = role('team', { paths: ['team/*'], terminating: false })
    const changed = describeContent('targets', targets([...bins, team]), targets([team, ...bins]))
    assert.ok(changed.endsWith('changes:\n  asked in this order: bins-0 to bins-2 (3 by hash), team'), changed)
  })

  it('is every key, and every field that we do not know', () => {
    const one = role('one', { paths: ['a'], terminating: false })
    const withKeys = (keys: ReadonlyMap<string, Key>, more = {}) => {
      const { delegations, ...rest } = targets([{ ...one, ...more }])
      return { ...rest, delegations: { ...delegations, keys } as NonNullable<Targets['delegations']> }
    }
    const before = withKeys(new Map([[ann.keyid, ann.key]]))
    const named = withKeys(new Map([[ann.keyid, { ...ann.key, 'x-name': 'Eve' }]]))
    const shown = (next: Targets) => describeContent('x', next, before).split('\n').slice(4)
    assert.deepEqual(shown(named), [`  + key ${ann.keyid}: ed25519; {"x-name":"Eve"}`, `  - key ${ann.keyid}: ed25519`])
    const other = withKeys(new Map([[ann.keyid, ann.key]]), { 'x-more': 1 })
    assert.deepEqual(shown(other), ['  + one: 1 of ab; a; {"x-more":1}', '  - one: 1 of ab; a'])
    const together = withKeys(new Map([[ann.keyid, ann.key]]), { paths: ['a, b'] })
    assert.deepEqual(shown(together), ['  + one: 1 of ab; "a, b"', '  - one: 1 of ab; a'])
    const order = (...names: string[]) => targets(names.map((name) => role(name, { paths: ['a'], terminating: false })))
    assert.match(describeContent('x', order('c', 'a, b'), order('a, b', 'c')), /asked in this order: c, "a, b"$/)
    const besides = { ...before, delegations: { ...before.delegations, 'x-more': 1 } }
    assert.deepEqual(shown(besides as Targets), ['  + besides; {"x-more":1}'])
  })
})
