/**
 * Repositories that python-tuf's own code has made, by the commands of docs/moving.md, while clients that know them go on refreshing: none
 * may fail but one that is under way when the address moves, and all of them end up here with every artifact.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { tuffet } from '../support/tuffet.ts'
import { clientsFor, type RunningClient, startClient } from './clients.ts'
import { type Listening, listening } from './listening.ts'
import { sha256 } from './scenario.ts'
import { type Flavour, type Service, serve } from './service.ts'

const python = join(import.meta.dirname, '../../.cache/interop/venv/bin/python')
const maker = join(import.meta.dirname, 'old_repository.py')
const paths = ['top.txt', 'team/a;b.txt', "deep/er/c&'d.txt"]

const shapes = [
  ['rstuf', 'succinct_roles'],
  ['early', 'path_hash_prefixes'],
] as const
for (const [shape, flavour] of shapes) describe(`${shape}, to ${flavour}`, () => move(shape, flavour))

function move(shape: string, flavour: Flavour): void {
  const directory = mkdtempSync(join(tmpdir(), 'tuffet-move-commands-'))
  const at = (name: string) => join(directory, name)
  // tough refuses keyids that it has not computed, and early ones are others.
  const running = clientsFor(flavour)
    .filter(({ name }) => name !== 'tough')
    .map(startClient)
  const files = new Map<string, Buffer>()
  const rounds: { client: string; root: number; timestamp: number }[] = []
  let service: Service
  let address: Listening
  let moved = false
  let ended = false

  before(async () => {
    execFileSync(python, [maker, shape, at('old')])
    for (const name of readdirSync(at('old/metadata')))
      files.set(`/metadata/${name}`, readFileSync(at(`old/metadata/${name}`)))
    for (const path of paths) {
      const bytes = readFileSync(at(`old/artifacts/${path}`))
      for (const name of namesOf(path, bytes)) files.set(`/artifacts/${name}`, bytes)
    }
    service = await serve(directory, [])
    address = await listening(createServer((request, response) => answer(request.url ?? '/', response)))
  })
  after(async () => {
    for (const client of running) client.stop()
    await address?.[Symbol.asyncDispose]()
    await service?.stop()
    rmSync(directory, { recursive: true })
  })

  /** As the old web server, and once that is switched off as the new service. */
  async function answer(path: string, response: ServerResponse): Promise<void> {
    if (!moved) {
      const bytes = files.get(decodeURIComponent(path))
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
      return
    }
    const passed = await fetch(new URL(path, service.url))
    response.writeHead(passed.status).end(Buffer.from(await passed.arrayBuffer()))
  }

  async function look(client: RunningClient, root: number, name: string) {
    const state = at(`${client.name} ${name}`)
    mkdirSync(state, { recursive: true, mode: 0o700 })
    const [metadataUrl, targetsUrl] = ['metadata/', 'artifacts/'].map((path) => new URL(path, address.url).href)
    assert.ok(metadataUrl && targetsUrl)
    const file = at(`old/metadata/${root}.root.json`)
    const before = moved
    const answer = await client.ask({ metadataUrl, targetsUrl, root: file, state, targets: paths })
    if (before !== moved) return undefined
    if (!answer.ok) assert.fail(`the refresh of ${client.name} failed: ${answer.error}`)
    const expected = paths.map((path) => {
      return { path, outcome: 'verified', sha256: sha256(readFileSync(at(`old/artifacts/${path}`))) }
    })
    assert.deepEqual(answer.targets, expected, client.name)
    return answer.versions
  }

  /** With what it knows, and as one that begins at one of the old roots, until all is done. */
  async function refreshing(client: RunningClient): Promise<void> {
    for (let round = 0; !ended; round++) {
      const versions = await look(client, 1, 'from root 1')
      if (versions !== undefined) rounds.push({ client: client.name, ...versions })
      await look(client, 1 + (round % 2), `afresh ${round}`)
      await setTimeout(50)
    }
  }

  const roundsOf = (client: RunningClient, root: number) =>
    rounds.filter((round) => round.client === client.name && round.root === root).length

  async function run(...args: readonly string[]): Promise<string> {
    const env = { TUFFET_API: service.url.href }
    const { code, stdout, stderr } = await tuffet(args, '', { cwd: directory, env })
    assert.equal(code, 0, `tuffet ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  it('moves, and nobody fails', async () => {
    const all = running.map(refreshing)
    try {
      await Promise.race([moveThere(), Promise.all(all)])
    } finally {
      ended = true
    }
    await Promise.all(all)
    for (const client of running) {
      const versions = rounds.filter((round) => round.client === client.name).map(({ timestamp }) => timestamp)
      assert.deepEqual(
        versions,
        versions.toSorted((one, other) => one - other),
      )
    }
  })

  async function moveThere(): Promise<void> {
    const old = new URL('metadata/', address.url).href
    const bins = ['--bins', '4', '--delegation', flavour]
    const begin = ['--predecessor', old, '--above', '1000', '--key', 'old/one.pem', '--later', '--out', 'payload.json']
    await run('ceremony', '--yes', ...bins, ...begin)
    await run('ceremony', '--yes', '--continue', 'payload.json', '--key', 'old/two.pem', '--send')
    writeFileSync(at('artifacts.jsonl'), await run('export', old))
    await run('import', 'artifacts.jsonl')
    cpSync(at('old/artifacts'), service.artifacts, { recursive: true })
    await until(() => running.every((client) => roundsOf(client, 2) >= 2))
    moved = true
    await until(() => running.every((client) => roundsOf(client, 3) >= 2))
    const artifacts = (await run('export')).split('\n').toSorted()
    assert.deepEqual(artifacts, readFileSync(at('artifacts.jsonl'), 'utf8').split('\n').toSorted())
    await run('root', 'update', '--key', 'old/one.pem', '--key', 'old/two.pem', '--yes')
    await until(() => running.every((client) => roundsOf(client, 4) >= 2))
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds() && !ended) await setTimeout(20)
  }
}

/** As clients ask for it: with a hash in front of the last name where there are consistent snapshots. */
function namesOf(path: string, bytes: Buffer): string[] {
  const digests = ['sha256', 'sha512'].map((algorithm) => hash(algorithm, bytes))
  return [path, ...digests.map((digest) => path.replace(/[^/]+$/, (name) => `${digest}.${name}`))]
}
