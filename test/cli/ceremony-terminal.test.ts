import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { tokenAccess } from '../../cli/access.ts'
import { apiClient } from '../../cli/api-client.ts'
import { decide } from '../../cli/ceremony/ask.ts'
import type { Given } from '../../cli/ceremony/decisions.ts'
import { beginCeremony } from '../../cli/ceremony/hold.ts'
import { gatherRootKeys } from '../../cli/ceremony/root-keys.ts'
import { createKeyFiles } from '../../cli/key-file.ts'
import { createOutput } from '../../cli/output.ts'
import { passwords, prompter } from '../../cli/prompt.ts'

const enter = '\r'
const down = '\u001B[B'

/** Somebody at a terminal: to each question, recognised by its words, the answer as it is typed. */
function person(answers: readonly (readonly [question: string, typed: string])[]) {
  const input = new PassThrough()
  const output = new PassThrough()
  // A terminal does not go away after the first question.
  output.end = () => output
  const left = [...answers]
  let screen = ''
  output.on('data', (bytes) => {
    screen += stripVTControlCharacters(String(bytes))
    const [question, typed] = left[0] ?? []
    if (question === undefined || !screen.includes(question)) return
    left.shift()
    screen = ''
    // Not while the question is still being drawn.
    setImmediate(() => input.write(typed))
  })
  return { prompter: prompter({ input, output }), left }
}

const asking = { assumeDefaults: false, trial: false }

describe('a ceremony at a terminal', { timeout: 30_000 }, () => {
  it('takes the defaults of whoever presses enter', async () => {
    const { prompter, left } = person([
      ['Days until targets', enter],
      ['Days until snapshot', enter],
      ['Days until timestamp', enter],
      ['How does targets delegate?', enter],
      ['Number of hash bins', enter],
      ['Days until bins', enter],
      ['TUF clients to serve', enter],
      ['Days until root', enter],
      ['Signatures that a root needs', enter],
    ])
    assert.deepEqual(await decide({}, { ...asking, prompter }), {
      expiration: { root: 365, targets: 90, snapshot: 7, timestamp: 1 },
      delegations: { number: 256, delegation: 'succinct_roles', expiration: 30 },
      threshold: 2,
      clients: ['python-tuf', 'tuf-js', 'go-tuf'],
    })
    assert.deepEqual(left, [])
  })

  it('says whom each way of delegating reaches, and asks again for what cannot be', async () => {
    const given: Given = { expiration: { root: 1, targets: 1, snapshot: 1, timestamp: 1, bins: 1 } }
    const { prompter } = person([
      ['not go-tuf 0.7, tough 0.24', down],
      ['reaches python-tuf 7, tuf-js 6, go-tuf 0.7, tough 0.24; not go-tuf 2.4', enter],
      ['Number of hash bins', `100${enter}`],
      ['power of two', `${'\b'.repeat(3)}64${enter}`],
      ['TUF clients to serve', `tough,go-tuf${enter}`],
      ['go-tuf follows paths and succinct_roles', `${'\b'.repeat(7)}${enter}`],
      ['Signatures that a root needs', `1${enter}`],
      ['A whole number from 2', `\b3${enter}`],
    ])
    const { delegations, threshold, clients } = await decide(given, { ...asking, prompter })
    assert.deepEqual(clients, ['tough'])
    assert.deepEqual(delegations, { number: 64, delegation: 'path_hash_prefixes', expiration: 1 })
    assert.equal(threshold, 3)
  })

  it('asks for custom roles until there are no more', async () => {
    const given: Given = { expiration: { root: 1, targets: 1, snapshot: 1, timestamp: 1 }, threshold: 2 }
    const { prompter } = person([
      ['How does targets delegate?', `${down}${down}${enter}`],
      ['Name of the role', `docs${enter}`],
      ['Its paths', enter],
      ['Days until docs expires', enter],
      ['terminating', `y${enter}`],
      ['Another role?', enter],
      ['TUF clients to serve', enter],
    ])
    const { delegations } = await decide(given, { ...asking, prompter })
    assert.deepEqual(delegations, { roles: [{ name: 'docs', paths: ['docs/*'], expiration: 30, terminating: true }] })
  })

  it('ends where the input ends, or somebody interrupts it', async () => {
    for (const key of ['\u0004', '\u0003']) {
      const { prompter } = person([
        ['Days until targets', enter],
        ['Days until snapshot', key],
      ])
      await assert.rejects(decide({}, { ...asking, prompter }), {
        name: 'CliError',
        code: 'refused',
        message: 'Interrupted. Nothing was done.',
      })
    }
  })

  describe('with key files', () => {
    let directory: string
    const file = (name: string) => join(directory, name)

    it('asks nothing where there is no service, or no place for the payload', async () => {
      const url = new URL('http://127.0.0.1:9')
      const { prompter } = person([])
      const unasked = () => assert.fail('Somebody was asked.')
      const hands = {
        ...{
          output: createOutput({}),
          api: apiClient(url),
          access: tokenAccess(undefined),
          apiBase: url,
          metadataUrl: url,
        },
        prompter: { ...prompter, text: unasked, choose: unasked },
        passwords: passwords(undefined, prompter),
      }
      const course = { ...asking, later: true, send: false }
      const begin = (out: string) => beginCeremony({}, { ...course, out: file(out) }, hands)
      await assert.rejects(begin('payload.json'), { name: 'CliError', code: 'unreachable' })
      await assert.rejects(begin('alice'), { name: 'CliError', code: 'refused', message: /is not overwritten/ })
    })

    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'tuffet-'))
      for (const name of ['alice', 'bob'])
        await createKeyFiles({ privateKey: file(name), publicKey: file(`${name}.pub`) }, 'p256', `password of ${name}`)
    })
    after(() => rm(directory, { recursive: true }))

    it('proves a key at hand, goes on after a wrong password, and takes a public key for one that is not', async () => {
      const { prompter } = person([
        ['Root key 1', enter],
        ['File', `${file('alice')}${enter}`],
        ['Password for', `wrong${enter}`],
        ['Root key 1', enter],
        ['File', `${file('alice')}${enter}`],
        ['Password for', `password of alice${enter}`],
        ['Root key 2', `${down}${enter}`],
        ['File', `${file('bob.pub')}${enter}`],
        ['Another root key?', enter],
      ])
      const hands = { prompter, passwords: passwords(undefined, prompter), output: createOutput({ quiet: true }) }
      const keys = await gatherRootKeys(undefined, 2, hands)
      assert.deepEqual(
        keys.map(({ source, signer }) => [source, signer !== undefined]),
        [
          [file('alice'), true],
          [file('bob.pub'), false],
        ],
      )
    })
  })
})
