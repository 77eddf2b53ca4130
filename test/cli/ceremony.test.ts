import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Payload } from '../../cli/ceremony/payload.ts'
import { verifyPayload } from '../../cli/ceremony/verify.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { verifyFirstRoot } from '../../shared/tuf/root.ts'
import { signedFromJson } from '../../shared/tuf/signed.ts'
import { makeKey, makeRoot, signRole } from '../support/keys.ts'
import { type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

const password = 'correct horse'

/** A service without a repository, and the keys of three holders. */
describe('tuffet ceremony', () => {
  let directory: string
  let served: Served
  let onlineKey: string
  const path = (name: string) => join(directory, name)
  const ceremony = (args: readonly string[], passwords = password) =>
    tuffet(['ceremony', ...args], passwords, { cwd: directory, env: { TUFFET_API: served.url.href } })
  const held = (...files: string[]) => [...files.flatMap((file) => ['--key', file]), '--password-fd', '3']

  async function payload(file: string) {
    const written = JSON.parse(await readFile(path(file), 'utf8'))
    return { ...written.settings, root: signedFromJson('root', written.metadata.root) }
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet ceremony '))
    const holders = ['alice.pem', 'bob.pem', 'carol.pem']
    const made = holders.map((file) => tuffet(['key', 'new', path(file), '--password-fd', '3'], password))
    served = await serveProcess(['--data', path('data'), '--port', '0'])
    assert.deepEqual(
      (await Promise.all(made)).map(({ code }) => code),
      [0, 0, 0],
    )
    const answer = await fetch(new URL('/api/v1/keys', served.url))
    onlineKey = Object.keys(((await answer.json()) as { data: { keys: object } }).data.keys)[0] ?? ''
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  const missing: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /The expiration of targets is missing.*--expiration targets=90/],
    [['--yes'], /A root key is missing.*--key or --public-key/],
    [['--yes', '--key', 'alice.pem'], /A password is missing.*--password-fd/],
    [['--yes', ...held('alice.pem')], /threshold of root is 2, and 1 of its keys/],
    [['--yes', '--public-key', 'alice.pem.pub', '--public-key', 'bob.pem.pub'], /2 more signatures.*--later/],
    [['--yes', '--threshold', '1', ...held('alice.pem')], /--trial allows 1/],
    [['--yes', '--role', 'docs=docs/*', '--bins', '16'], /not to both/],
    [['--yes', '--bins', '100'], /power of two from 2 to 16384, not 100/],
    [
      ['--yes', '--clients', 'python-tuf,tough'],
      /tough follows paths and path_hash_prefixes, not succinct_roles: add --delegation path_hash_prefixes, or leave tough out/,
    ],
    [
      ['--yes', '--clients', 'go-tuf,tough', '--delegation', 'path_hash_prefixes'],
      /go-tuf follows .*: delegate to custom roles \(--role name=pattern\), or leave go-tuf out/,
    ],
    [
      ['--yes', '--clients', 'tuf-js,sigstore-java', '--role', 'docs=docs/*'],
      /sigstore-java follows no delegations: leave sigstore-java out/,
    ],
    [['--yes', '--role', '../x=docs/*'], /--role \.\.\/x.*begin with a letter/],
    [['--config', 'nowhere.json'], /--config nowhere\.json cannot be read: .*no such file.* Is the path right\?/],
  ]
  for (const [args, message] of missing) {
    it(`ends with 2 and says what is missing: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await ceremony(args)
      assert.equal(code, 2, stderr)
      assert.match(stderr, message)
      assert.equal(stdout, '')
    })
  }

  it('says what a public key is where a private one is given for it', async () => {
    const { code, stderr } = await ceremony(['--yes', '--public-key', 'alice.pem', '--public-key', 'bob.pem.pub'])
    assert.equal(code, 1)
    assert.match(stderr, /alice\.pem holds no public key .* It is a private key\. Its public part is wanted/)
  })

  it('is what the state of the root names before there is one', async () => {
    const { code, stderr } = await tuffet(['--api', served.url.href, 'root', 'status'])
    assert.equal(code, 1)
    assert.equal(stderr, 'error: There is no repository yet. Run tuffet ceremony.\n')
  })

  it('asks for confirmation of what is signed', async () => {
    const days = ['root', 'targets', 'snapshot', 'timestamp', 'bins'].flatMap((role) => ['--expiration', `${role}=9`])
    const decided = [...days, '--threshold', '2', '--bins', '4', '--delegation', 'succinct_roles']
    const { code, stderr } = await ceremony([...decided, ...held('alice.pem', 'bob.pem')])
    assert.equal(code, 2)
    assert.match(stderr, /confirmation of what is signed is missing.*--yes/)
  })

  it('shows all that is signed, the online keys to be compared above all', async () => {
    const { stderr } = await ceremony(['--yes', '--out', 'shown.json', ...held('alice.pem', 'bob.pem')])
    assert.match(stderr, new RegExp(`compare these keyids.*\\n {2}${onlineKey} .*signs targets, snapshot, timestamp`))
    assert.match(stderr, /2 of 2 keys have to sign a root/)
    assert.match(stderr, /256 hash bins by succinct_roles\n {2}read by python-tuf.*; not by go-tuf 0\.7, tough/)
  })

  it('takes decisions from a file, and flags over it', async () => {
    const config = {
      expiration: { root: 100, timestamp: 2 },
      bins: { number: 32, delegation: 'path_hash_prefixes' },
      threshold: 2,
      rootKeys: [{ key: 'alice.pem' }, { publicKey: 'bob.pem.pub' }, { key: 'carol.pem' }],
      onlineKeys: [onlineKey],
    }
    await writeFile(path('config.json'), JSON.stringify(config))
    const { code, stdout, stderr } = await ceremony([
      ...['--config', 'config.json', '--expiration', 'timestamp=3', '--yes', '--out', 'from-file.json', '--json'],
      ...['--password-fd', '3'],
    ])
    assert.equal(code, 0, stderr)
    const said = JSON.parse(stdout)
    assert.deepEqual([said.signed.length, said.unsigned.length, said.sent], [2, 1, false])
    const { roles, root, clients } = await payload('from-file.json')
    assert.deepEqual(clients, ['python-tuf', 'tuf-js', 'go-tuf-v0', 'tough'])
    assert.deepEqual(roles.bins, { expiration: 30, number_of_delegated_bins: 32, delegation: 'path_hash_prefixes' })
    assert.deepEqual([roles.root.expiration, roles.timestamp.expiration], [100, 3])
    verifyFirstRoot(root)
  })

  it('says where a file is not as it should be', async () => {
    await writeFile(path('wrong.json'), JSON.stringify({ expiration: { root: 0 }, bins: { numbr: 4 } }))
    const { code, stderr } = await ceremony(['--config', 'wrong.json', '--yes'])
    assert.equal(code, 2)
    assert.match(stderr, /expiration\.root: .*bins: .*numbr/)
  })

  it('delegates to custom roles instead of bins', async () => {
    const roles = ['--role', 'docs=docs/*,docs/*/*', '--role', 'apps=apps/*']
    const { code, stderr } = await ceremony(['--yes', ...roles, '--out', 'roles.json', ...held('alice.pem', 'bob.pem')])
    assert.equal(code, 0, stderr)
    const { roles: settings } = await payload('roles.json')
    assert.equal(settings.bins, undefined)
    assert.deepEqual(
      settings.delegations.roles.map(({ name, paths }: { name: string; paths: string[] }) => [name, paths]),
      [
        ['docs', ['docs/*', 'docs/*/*']],
        ['apps', ['apps/*']],
      ],
    )
  })

  it('refuses one key for two holders, an online key for a holder, and other online keys than expected', async () => {
    const twice = await ceremony(['--yes', ...held('alice.pem'), '--public-key', 'alice.pem.pub'])
    assert.match(twice.stderr, /alice\.pem\.pub and alice\.pem are the same key/)
    await cp(path('data/keys/online.pem'), path('online.pem'))
    const online = await ceremony(['--yes', ...held('alice.pem', 'online.pem')])
    assert.match(online.stderr, /online\.pem is an online key of the service/)
    assert.deepEqual([twice.code, online.code], [1, 1])
    const other = await ceremony(['--yes', ...held('alice.pem', 'bob.pem'), '--online-key', 'ab'.repeat(32)])
    assert.equal(other.code, 4)
    assert.match(other.stderr, /Somebody may be in between/)
  })

  it('saves what was signed where sending fails', async () => {
    const front = createServer(async ({ method = '', url = '' }, answer) => {
      if (method === 'POST') answer.writeHead(403).end('{"detail":"Not you."}')
      else answer.end(await (await fetch(new URL(url, served.url))).text())
    })
    await once(front.listen(0, '127.0.0.1'), 'listening')
    const api = `http://127.0.0.1:${(front.address() as AddressInfo).port}`
    const sent = await ceremony(['--api', api, '--yes', '--send', '--json', ...held('alice.pem', 'bob.pem')])
    front.close()
    assert.equal(sent.code, 1, sent.stderr)
    const { error, payload: saved } = JSON.parse(sent.stdout)
    assert.match(error.message, new RegExp(` answered 403: Not you\\.[^]*--continue ${saved} --send$`))
    assert.equal((await payload(saved)).root.signatures.length, 2)
  })

  it('gathers signatures one after the other, and sends what is complete and nothing else', async () => {
    const begun = ['--yes', '--public-key', 'bob.pem.pub', '--later', '--send', '--out', 'payload.json']
    const first = await ceremony([...begun, ...held('alice.pem')])
    assert.equal(first.code, 0, first.stderr)
    assert.match(first.stdout, /1 more signature to come.*\n.*ceremony --continue payload\.json/)

    const early = await ceremony(['--continue', 'payload.json', '--send'])
    assert.equal(early.code, 2)
    const stranger = await ceremony(['--continue', 'payload.json', '--yes', ...held('carol.pem')])
    assert.equal(stranger.code, 1)
    assert.match(stranger.stderr, /none of this root's/)

    const second = await ceremony(['--continue', 'payload.json', '--yes', '--json', ...held('bob.pem')])
    assert.equal(second.code, 0, second.stderr)
    assert.equal(JSON.parse(second.stdout).signed.length, 2)

    const sent = await ceremony(['--continue', 'payload.json', '--send', '--json'])
    assert.equal(sent.code, 0, sent.stderr)
    assert.equal(JSON.parse(sent.stdout).task.state, 'SUCCESS')
    const { root } = await payload('payload.json')
    const published = await fetch(new URL('/metadata/1.root.json', served.url))
    assert.deepEqual(Buffer.from(await published.arrayBuffer()), Buffer.from(root.bytes))

    const again = await ceremony(['--yes', '--send', ...held('alice.pem', 'bob.pem')])
    assert.equal(again.code, 1)
    assert.match(again.stderr, /has a repository already/)
  })

  it('shows who else signs a role that a payload delegates to', async () => {
    const roles = ['--role', 'docs=docs/*', '--later', '--out', "Alice's.json"]
    const begun = await ceremony(['--yes', ...roles, '--public-key', 'bob.pem.pub', ...held('alice.pem')])
    assert.equal(begun.code, 0)
    assert.ok(begun.stdout.includes("--continue 'Alice'\\''s.json' --key"), begun.stdout)
    const { key, keyid } = makeKey()
    const changed = JSON.parse(await readFile(path("Alice's.json"), 'utf8'))
    const { delegations } = changed.settings.roles
    delegations.keys = { [keyid]: key }
    delegations.roles[0].keyids = [keyid]
    await writeFile(path("Alice's.json"), JSON.stringify(changed))
    const { stderr } = await ceremony(['--continue', "Alice's.json", '--yes', ...held('bob.pem')])
    assert.match(stderr, new RegExp(`docs {2}docs/\\* {2}signed by 1 of ${keyid}`))
  })

  it('signs nothing where another key stands under the keyid that holders compare', async () => {
    const begun = ['--yes', '--public-key', 'bob.pem.pub', '--public-key', 'carol.pem.pub', '--later']
    assert.equal((await ceremony([...begun, '--out', 'honest.json', ...held('alice.pem')])).code, 0)
    const forged = JSON.parse(await readFile(path('honest.json'), 'utf8'))
    forged.metadata.root.signed.keys[onlineKey] = makeKey().key
    forged.metadata.root.signatures = []
    const text = JSON.stringify(forged)
    await writeFile(path('forged.json'), text)
    const compared = ['--online-key', onlineKey, '--later', '--yes']
    const { code, stdout, stderr } = await ceremony(['--continue', 'forged.json', ...compared, ...held('bob.pem')])
    assert.equal(code, 4, stdout)
    assert.match(stderr, new RegExp(`keyid ${onlineKey} is not the SHA-256 of its key`))
    assert.equal(await readFile(path('forged.json'), 'utf8'), text)
  })

  it('sends nothing that was tampered with', async () => {
    const tampered = JSON.parse(await readFile(path('payload.json'), 'utf8'))
    tampered.metadata.root.signed.roles.root.threshold = 1
    await writeFile(path('tampered.json'), JSON.stringify(tampered))
    const { code, stderr } = await ceremony(['--continue', 'tampered.json', '--send'])
    assert.notEqual(code, 0)
    assert.match(stderr, /1 more signature/)
  })

  it('shows what is sent where nobody signs any more: the settings are in no signature', async () => {
    const tampered = JSON.parse(await readFile(path('payload.json'), 'utf8'))
    tampered.settings.roles.timestamp.expiration = 3650
    await writeFile(path('tampered.json'), JSON.stringify(tampered))
    const { stderr } = await ceremony(['--continue', 'tampered.json', '--send'])
    assert.match(stderr, /timestamp +3,650 days/)
  })
})

describe('what is verified before a root is sent', () => {
  const holders = [makeKey(), makeKey()]
  const root = makeRoot({ root: holders, threshold: 2, online: [makeKey('ecdsa')] })
  const payloadWith = (signed: Root): Payload => {
    const roles = Object.fromEntries(
      ['root', 'targets', 'snapshot', 'timestamp'].map((role) => [role, { expiration: 9 }]),
    )
    const bins = { expiration: 9, number_of_delegated_bins: 4 }
    const metadata = { root: parseJson(signRole(signed, holders).bytes) }
    return { settings: { roles: { ...roles, bins } }, metadata }
  }

  it('is that clients can live with it, for its holders cannot take it back', async () => {
    await verifyPayload(payloadWith(root), new Date())
    const other = verifyPayload(payloadWith({ ...root, consistent_snapshot: false }), new Date())
    await assert.rejects(other, { code: 'not-verified', message: /consistent_snapshot has to be true/ })
  })
})
