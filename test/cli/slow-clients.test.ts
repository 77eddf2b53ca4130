import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { decide } from '../../cli/ceremony/ask.ts'
import { review } from '../../cli/ceremony/review.ts'
import type { Prompter } from '../../cli/prompt.ts'
import { slowness } from '../../cli/tuf-slowness.ts'
import type { ClientId } from '../../shared/repository/clients.ts'
import { signedFromJson } from '../../shared/tuf/signed.ts'
import { addRequest, bootstrapped, bootstrapRequest, run, testRepository } from '../support/repository.ts'
import { tuffet } from '../support/tuffet.ts'

describe('A ceremony', () => {
  /** What it asks somebody who takes every default. */
  async function questions(clients?: readonly ClientId[]): Promise<string[]> {
    const asked: string[] = []
    const prompter: Prompter = {
      async text(message, { default: assumed = '' } = {}) {
        asked.push(message)
        return assumed
      },
      async choose(_, [first]) {
        assert.ok(first)
        return first.value
      },
      confirm: async (_, assumed) => assumed,
      secret: () => assert.fail('it asked for a secret'),
    }
    await decide({ clients }, { prompter, assumeDefaults: false, trial: false })
    return asked
  }

  it('says where it asks for the number of bins from which on tuf-js is slow, unless that is not served', async () => {
    const sentence = /^Number of hash bins \(from 4096 on each refresh of tuf-js 6 takes 4 seconds or more\)$/
    assert.equal((await questions()).filter((question) => sentence.test(question)).length, 1)
    assert.ok((await questions(['python-tuf'])).includes('Number of hash bins'))
  })

  it('shows it in the review, before anything is signed', () => {
    const shown = (number: number, clients?: readonly ClientId[]) => {
      const request = bootstrapRequest(testRepository(), { delegation: 'succinct_roles', number })
      return review(signedFromJson('root', request.root).signed, { ...request, ...(clients && { clients }) }, new Map())
    }
    assert.match(shown(16_384), /of which slow with so many roles: tuf-js 6, 76 seconds or more for each refresh/)
    assert.doesNotMatch(shown(16_384, ['python-tuf']), /slow/)
    assert.doesNotMatch(shown(2048), /slow/)
  })
})

describe('tuffet with a repository of 4096 bins', () => {
  it('says before it begins that it takes a while, for a snapshot that it has as for one that comes; and check warns', async (test) => {
    const repository = await bootstrapped({ delegations: { delegation: 'succinct_roles', number: 4096 } })
    await run(repository, addRequest(['file']))
    const directory = await mkdtemp(join(tmpdir(), 'tuffet-slow-'))
    test.after(() => rm(directory, { recursive: true }))
    const server = createServer((request, response) => {
      void repository.ports.metadata.read((request.url ?? '').replace('/metadata/', '')).then((stored) => {
        response.writeHead(stored === undefined ? 404 : 200).end(stored?.bytes)
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    test.after(() => server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const command = (...args: string[]) =>
      tuffet(['--metadata-url', `${url}/metadata/`, '--api', `${url}/`, ...args], '', {
        env: { XDG_CACHE_HOME: directory },
      })
    const first = await command('download', 'file')
    // The metadata is verified; the target itself is nowhere.
    assert.match(first.stderr, /artifacts\/.*\.file cannot be had: the server answered 404/)
    assert.match(first.stderr, /^\d\.snapshot\.json has 4097 entries: tuf-js, .* about 4 seconds or more to verify it/m)
    assert.doesNotMatch(first.stderr, /kept from last time/)
    const second = await command('download', 'file')
    assert.match(second.stderr, /^The snapshot kept from last time has 4097 entries/m)
    assert.doesNotMatch(second.stderr, /^\d\.snapshot\.json/m)
    const checked = await command('check', '--clients')
    assert.match(checked.stdout, /^ {2}tuf-js 6 +reads it +4 s or more for a refresh: the snapshot names 4097 roles$/m)
    assert.match(checked.stdout, /^warning: tuf-js 6 takes about 4 seconds or more/m)
  })
})

describe('What tuf-js takes long over', () => {
  const bytes = (signed: unknown) => Buffer.from(JSON.stringify({ signed }))
  const many = Object.fromEntries(Array.from({ length: 8192 }, (_, at) => [`entry-${at}`, {}]))

  it('is a file of many roles or targets, and nothing else', () => {
    for (const signed of [{ meta: many }, { targets: many }, { delegations: { roles: Object.values(many) } }])
      assert.match(slowness('a.json', bytes(signed)) ?? '', /^a\.json has 8192 entries: .* about 16 seconds or more/)
    for (const signed of [{ meta: {} }, { targets: null, delegations: 7 }, null, undefined, 'text'])
      assert.equal(slowness('a.json', bytes(signed)), undefined)
    assert.equal(slowness('a.json', Buffer.from('no JSON')), undefined)
  })
})
