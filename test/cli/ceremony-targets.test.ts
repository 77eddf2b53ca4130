import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { makeKey, type TestKey } from '../support/keys.ts'
import { post, type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

describe('a ceremony with targets signed offline', () => {
  let directory: string
  let served: Served
  let online: string
  const [alice, bob, dave, erin, frank] = [makeKey(), makeKey('ecdsa'), makeKey(), makeKey('ecdsa'), makeKey()]
  const path = (name: string) => join(directory, name)
  const cli = (...args: string[]) => tuffet(['--api', served.url.href, ...args], '', { cwd: directory })
  const rootKeys = ['--key', 'alice.pem', '--key', 'bob.pem']
  const targetsKeys = ['--targets-key', 'dave.json', '--targets-key', 'erin.json', '--targets-threshold', '2']

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet ceremony '))
    served = await serveProcess(['--data', path('data'), '--port', '0', '--rotation-grace', '1'])
    const write = async (name: string, { privateKey, key }: TestKey) => {
      await writeFile(path(`${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }))
      await writeFile(path(`${name}.json`), JSON.stringify(key))
    }
    const answer = await fetch(new URL('api/v1/keys', served.url))
    const { data } = (await answer.json()) as { data: { keys: Record<string, object> } }
    const [[keyid, key] = ['', {}]] = Object.entries(data.keys)
    online = keyid
    await writeFile(path('online.json'), JSON.stringify(key))
    await Promise.all(Object.entries({ alice, bob, dave, erin, frank }).map(([name, key]) => write(name, key)))
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  it('refuses holders that cannot be', async () => {
    for (const [args, code, says] of [
      [['--targets-threshold', '2'], 2, /Who signs targets is not said. Give --targets-key/],
      [['--targets-key', 'dave.json', '--targets-threshold', '2'], 2, /threshold of targets is 2, and 1 of its keys/],
      [['--targets-key', 'dave.json', '--targets-key', 'dave.json'], 1, /are the same key/],
      [['--targets-key', 'online.json'], 1, /online key of the service. Targets that is signed offline needs/],
    ] as const) {
      const { code: ended, stderr } = await cli('ceremony', ...rootKeys, ...args, '--yes', '--send')
      assert.deepEqual([ended, says.test(stderr)], [code, true], stderr)
    }
  })

  it('shows who signs targets apart from the online keys, which alone are compared', async () => {
    const { code, stderr } = await cli('ceremony', ...rootKeys, ...targetsKeys, '--yes', '--out', 'payload.json')
    assert.equal(code, 0, stderr)
    assert.match(stderr, new RegExp(`Targets\\n  2 of 2 keys of its own have to sign it:\\n  ${dave.keyid}`))
    assert.match(stderr, /signs snapshot, timestamp\n/)
    const compared = await cli('ceremony', '--continue', 'payload.json', '--online-key', online)
    assert.equal(compared.code, 0, compared.stderr)
    const other = await cli('ceremony', '--continue', 'payload.json', '--online-key', 'ab'.repeat(32))
    assert.match(other.stderr, new RegExp(`online keys are ${online}, and not`))
  })

  it('founds the repository once they have signed', async () => {
    const config = { targets: { keys: ['dave.json', 'erin.json'], threshold: 2 }, bins: { number: 4 } }
    await writeFile(path('config.json'), JSON.stringify(config))
    const sent = await cli('ceremony', '--config', 'config.json', ...rootKeys, '--yes', '--out', 'sent.json', '--send')
    assert.equal(sent.code, 0, sent.stderr)
    assert.match(
      sent.stdout,
      /The root is accepted. Targets is to be signed.*\n {2}tuffet delegation sign targets --key/,
    )
    assert.match((await cli('status')).stdout, /Waits for signatures/)
    assert.match((await cli('refresh')).stderr, /State: signing\. .*tuffet status, says who has to sign still/)
    const { metadata } = JSON.parse(await readFile(path('sent.json'), 'utf8'))
    await writeFile(path('root.json'), JSON.stringify(metadata.root))
    // Clients read nothing yet, whatever root the holder goes by.
    for (const more of [['erin.pem'], ['dave.pem', '--root', 'root.json']])
      assert.equal((await cli('delegation', 'sign', 'targets', '-y', '--key', ...more)).code, 0)
    const added = await post(served, 'artifacts', { artifacts: [] }, { prefer: 'wait=20' })
    assert.equal(added.body.data.state, 'SUCCESS')
    const checked = await cli('check')
    assert.equal(checked.code, 0, checked.stderr)
    assert.match((await cli('delegation', 'list')).stdout, /targets +version 1 .* 2 of 2, its holders/)
  })

  it('lets the holders of targets change, one after the other', async () => {
    const update = (...args: string[]) => cli('root', 'update', ...rootKeys, ...args, '-y')
    const early = await update('--add-targets-key', 'frank.json', '--remove-targets-key', dave.keyid.slice(0, 8))
    assert.match(early.stderr, /asks for signatures of targets that the published targets does not have/)
    const wrong = await update('--remove-targets-key', dave.keyid)
    assert.match(wrong.stderr, /Targets would have 1 key and a threshold of 2. Change --targets-threshold too/)
    assert.match((await update('--remove-targets-key', 'ffffffff')).stderr, /is none of the keys of targets/)

    assert.equal((await update('--add-targets-key', 'frank.json')).code, 0)
    assert.equal((await cli('delegation', 'renew', 'targets')).code, 0)
    for (const key of ['erin.pem', 'frank.pem'])
      assert.equal((await cli('delegation', 'sign', 'targets', '--key', key, '-y')).code, 0)
    // Clients may be between the root of before and targets; whoever changes keys again waits for them.
    await setTimeout(1100)
    assert.equal((await cli('refresh')).code, 0)
    const left = await update('--remove-targets-key', dave.keyid.slice(0, 8))
    assert.equal(left.code, 0, left.stderr)
    assert.match(left.stderr, new RegExp(`key of targets +- ${dave.keyid}`))
    const checked = await cli('check')
    assert.equal(checked.code, 0, checked.stderr)
  })
})
