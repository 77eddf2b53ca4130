import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Updater } from 'tuf-js'
import { decodeSigned } from '../../shared/tuf/signed.ts'
import { artifact } from '../support/api.ts'
import { makeKey, makeRoot, signRole, type TestKey } from '../support/keys.ts'
import { type OldRepository, oldRepository } from '../support/predecessor.ts'
import { post, type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

const snapshotOf = (files: ReadonlyMap<string, Uint8Array>) =>
  decodeSigned('snapshot', files.get('41.snapshot.json') ?? Buffer.from('')).signed

/** An address that serves another tool's repository, until it is pointed at the service. */
describe('tuffet ceremony --predecessor', () => {
  let directory: string
  let old: OldRepository
  let served: Served
  let front: Server
  let url: string
  let moved = false
  const path = (name: string) => join(directory, name)
  const run = (...args: readonly string[]) =>
    tuffet(args, '', { cwd: directory, env: { TUFFET_API: served.url.href, XDG_CACHE_HOME: path('cache') } })
  const ceremony = (...args: readonly string[]) => run('ceremony', '--yes', '--bins', '4', ...args)
  const saveKey = (name: string, { privateKey }: TestKey) =>
    writeFile(path(name), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })

  /** A client that goes on with what it kept under this name, or begins with a root of the old repository. */
  async function client(name: string, root: 1 | 2 | 3) {
    await mkdir(path(name), { recursive: true })
    await writeFile(path(`${name}/root.json`), old.roots[root - 1] ?? '', { flag: 'wx' }).catch(() => undefined)
    const updater = new Updater({ metadataDir: path(name), metadataBaseUrl: url })
    await updater.refresh()
    const version = async (role: string) =>
      JSON.parse(await readFile(path(`${name}/${role}.json`), 'utf8')).signed.version as number
    return {
      versions: await Promise.all(['root', 'timestamp', 'snapshot', 'targets'].map(version)),
      lengthOf: async (path: string) => (await updater.getTargetInfo(path))?.length,
    }
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet move '))
    old = oldRepository()
    await saveKey('third.pem', old.holders[0])
    await saveKey('fourth.pem', old.holders[1])
    await saveKey('former.pem', old.former[0])
    await saveKey('stranger.pem', makeKey())
    served = await serveProcess(['--data', path('data'), '--port', '0'])
    front = createServer(async ({ url = '' }, response) => {
      if (moved) {
        const answer = await fetch(new URL(url, served.url))
        response.writeHead(answer.status).end(new Uint8Array(await answer.arrayBuffer()))
        return
      }
      const bytes = old.files.get(url.slice('/metadata/'.length))
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
    })
    front.listen(0, '127.0.0.1')
    await once(front, 'listening')
    url = `http://127.0.0.1:${(front.address() as AddressInfo).port}/metadata/`
  })
  after(async () => {
    front.closeAllConnections()
    front.close()
    await served.stop()
    await rm(directory, { recursive: true })
  })

  it('has clients that know the old repository', async () => {
    const kept = await client('kept', 1)
    assert.deepEqual(kept.versions, [3, 57, 41, 12])
    assert.deepEqual([await kept.lengthOf('old.txt'), await kept.lengthOf('legacy/old.txt')], [3, 3])
    await client('kept as well', 3)
  })

  const refused: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['--threshold', '1'], 2, /Leave out --threshold and --public-key.*tuffet root update/],
    [['--public-key', 'third.pem'], 2, /Leave out --threshold and --public-key/],
    [['--key', 'stranger.pem'], 1, /stranger\.pem is key [0-9a-f]{64}, which is none of this root's/],
    [['--key', 'former.pem'], 1, /former\.pem is key [0-9a-f]{64}, which is none of this root's/],
    [['--key', 'third.pem', '--key', 'third.pem'], 1, /third\.pem and third\.pem are the same key/],
    [['--key', 'third.pem'], 2, /1 more signature for the threshold of root/],
  ]
  for (const [args, code, message] of refused) {
    it(`saves nothing with ${args.join(' ')}`, async () => {
      const ran = await ceremony('--predecessor', url, '--out', 'refused.json', ...args)
      assert.equal(ran.code, code, ran.stderr)
      assert.match(ran.stderr, message)
      await assert.rejects(readFile(path('refused.json')))
    })
  }

  it('verifies what it goes on from', async () => {
    const tried = async (name: string, change: (files: Map<string, Uint8Array>) => void) => {
      const files = new Map(old.files)
      change(files)
      await mkdir(path(name))
      for (const [file, bytes] of files) await writeFile(path(`${name}/${file}`), bytes)
      return ceremony('--predecessor', name, '--later', '--out', `${name}.json`)
    }
    const noFirst = await tried('no first', (files) => files.delete('1.root.json'))
    assert.equal(noFirst.code, 1)
    assert.match(noFirst.stderr, /has no 1\.root\.json\. All roots are needed/)
    const noTimestamp = await tried('no timestamp', (files) => files.delete('timestamp.json'))
    assert.equal(noTimestamp.code, 1)
    assert.match(noTimestamp.stderr, /has no timestamp\.json, which its clients need/)
    const forged = await tried('forged', (files) => {
      const text = Buffer.from(files.get('timestamp.json') ?? '').toString()
      files.set('timestamp.json', Buffer.from(text.replace('"version": 57', '"version": 5')))
    })
    assert.equal(forged.code, 4)
    assert.match(forged.stderr, /timestamp\.json is not to be trusted/)
    const other = await tried('other version', (files) => {
      files.set('41.snapshot.json', signRole({ ...snapshotOf(files), version: 40 }, [old.online]).bytes)
    })
    assert.equal(other.code, 4)
    assert.match(other.stderr, /41\.snapshot\.json is version 40, where 41 was named/)
    const alone = await tried('one holder', (files) => {
      const holder = makeKey()
      files.set('1.root.json', signRole(makeRoot({ root: [holder], online: [old.online] }), [holder]).bytes)
      files.delete('2.root.json')
    })
    assert.equal(alone.code, 0, alone.stderr)
    assert.match(alone.stderr, /1 of 1 keys have to sign a root/)
    const unfit = await tried('unfit', (files) => {
      const holder = makeKey()
      const unreadable = { ...makeKey(), key: { ...holder.key, scheme: 'ed448' } }
      const root = makeRoot({ root: [holder, unreadable], online: [old.online] })
      files.set('1.root.json', signRole(root, [holder]).bytes)
      files.delete('2.root.json')
    })
    assert.equal(unfit.code, 1)
    assert.match(
      unfit.stderr,
      /holders of root version 1 stay.*"ed25519" with scheme "ed448" is not one that clients read/,
    )
  })

  it('gathers the signatures of the old holders, who see what they sign, and founds the repository', async () => {
    const none = await ceremony('--predecessor', url, '--later', '--out', 'unsigned.json')
    assert.match(
      none.stdout,
      /2 more signatures to come.*\n {2}tuffet ceremony --continue unsigned\.json --key FILE --later/,
    )
    const first = await ceremony('--predecessor', url, '--key', 'third.pem', '--later', '--out', 'payload.json')
    assert.equal(first.code, 0, first.stderr)
    assert.match(first.stderr, /Root version 4, until/)
    assert.match(
      first.stderr,
      /Follows root version 3 of a repository that moves here\n {2}2 of its 2 keys have to sign/,
    )
    assert.match(first.stderr, /Versions of all other metadata begin above 57\./)
    assert.match(first.stdout, /1 more signature to come/)
    const last = await ceremony('--continue', 'payload.json', '--key', 'fourth.pem', '--send')
    assert.equal(last.code, 0, last.stderr)
    assert.match(last.stdout, /The repository goes on here\. Root version 4 expires at/)
    for (const [at, text] of old.roots.entries())
      assert.equal(await readFile(path(`data/metadata/${at + 1}.root.json`), 'utf8'), text)
  })

  it('has clients go on, whatever they know, without another root', async () => {
    const added = await post(
      served,
      'artifacts',
      { artifacts: [artifact('new.txt', { length: 5 })] },
      { prefer: 'wait=20' },
    )
    assert.equal(added.body.data.state, 'SUCCESS')
    moved = true
    for (const [name, root] of [
      ['kept', 1],
      ['kept as well', 3],
      ['new', 1],
      ['also new', 2],
    ] as const) {
      const goesOn = await client(name, root)
      assert.deepEqual(goesOn.versions, [4, 59, 59, 58], name)
      assert.equal(await goesOn.lengthOf('new.txt'), 5)
      assert.equal(await goesOn.lengthOf('old.txt'), undefined)
    }
  })

  it('makes a repository like any other: check, status, log, the next root, repair', async () => {
    for (const where of [path('data'), url]) {
      const check = await run('check', where)
      assert.equal(check.code, 0, check.stdout)
    }
    assert.equal((await run('status')).code, 0)
    const log = await run('log', '--json')
    const { commits } = JSON.parse(log.stdout) as { commits: { number: number }[] }
    assert.deepEqual(
      commits.map(({ number }) => number),
      [59, 58],
    )
    const update = await run('root', 'update', '--key', 'third.pem', '--key', 'fourth.pem', '--yes')
    assert.equal(update.code, 0, update.stderr)
    assert.deepEqual((await client('kept', 1)).versions.slice(0, 1), [5])

    assert.equal(await served.stop(), 0)
    await rm(path('data/metadata/2.root.json'))
    const repair = await run('repair', path('data'), '--yes')
    assert.equal(repair.code, 0, repair.stderr)
    assert.equal(await readFile(path('data/metadata/2.root.json'), 'utf8'), old.roots[1])
    served = await serveProcess(['--data', path('data'), '--port', '0'])
    await client('newest', 1)
  })
})

describe('A root of a repository that moves here', () => {
  it('is signed with the service, too, by holders who bring the root before it, whatever it calls their keys', async (test) => {
    const directory = await mkdtemp(join(tmpdir(), 'tuffet move '))
    test.after(() => rm(directory, { recursive: true }))
    const path = (name: string) => join(directory, name)
    const old = oldRepository({ odd: true })
    const names = ['third.pem', 'fourth.pem']
    for (const [at, { privateKey }] of old.holders.entries())
      await writeFile(path(names[at] ?? ''), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    await mkdir(path('old'))
    for (const [name, bytes] of old.files) await writeFile(path(`old/${name}`), bytes)
    const served = await serveProcess(['--data', path('data'), '--port', '0'])
    test.after(() => served.stop())
    const run = (...args: readonly string[]) =>
      tuffet(args, '', { cwd: directory, env: { TUFFET_API: served.url.href } })

    const begun = ['ceremony', '--yes', '--predecessor', 'old', '--above', '100', '--key', 'third.pem']
    const saved = await run(...begun, '--later', '--out', 'payload.json')
    assert.equal(saved.code, 0, saved.stderr)
    const payload = JSON.parse(await readFile(path('payload.json'), 'utf8'))
    const posted = await post(served, 'bootstrap', payload, { prefer: 'wait=20' })
    assert.equal(posted.body.data.state, 'SUCCESS')
    const status = await run('status')
    assert.match(status.stdout, /root.*4/i)
    const alone = await run('root', 'sign', '--key', 'fourth.pem', '--yes')
    assert.equal(alone.code, 2)
    assert.match(alone.stderr, /Root version 4 waits, of a repository that moves here.*--root 3\.root\.json/)
    const signed = await run('root', 'sign', '--key', 'fourth.pem', '--root', 'old/3.root.json', '--yes')
    assert.equal(signed.code, 0, signed.stderr)
    assert.match(signed.stdout, /Root version 4 is published/)
    assert.equal((await run('check', path('data'))).code, 0)
    // The old one may have gone on for a while.
    const timestamp = JSON.parse(await readFile(path('data/metadata/timestamp.json'), 'utf8'))
    assert.equal(timestamp.signed.version, 101)
  })
})
