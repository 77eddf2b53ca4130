/** `npm start`: a newcomer's first minute. Serves a trial repository, and shows on a real file what it is for. */

import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { apiClient } from './api-client.ts'
import { artifactsFrom } from './artifacts.ts'
import { CliError, paint, reportFailure } from './output.ts'
import { evidence } from './start/evidence.ts'
import { nextSteps } from './start/next-steps.ts'
import { startTrialService, type TrialService } from './start/service.ts'
import { tamperingMirror } from './start/tampering-mirror.ts'
import { plural, short, table } from './table.ts'
import { openTufClient } from './tuf-client.ts'

const checkout = resolve(import.meta.dirname, '..')
const data = join(checkout, 'tuffet-data')
const trial = join(data, 'trial')
const artifacts = join(data, 'artifacts')
const log = join(trial, 'service.log')
const root = join(data, 'metadata', '1.root.json')
const name = ['README.md', 'package.json'].find((name) => existsSync(join(checkout, name))) ?? 'package.json'

async function main(): Promise<void> {
  say(`\n${paint('bold', 'Tuffet')}: a serverless Repository Service for TUF\n`)
  const isNew = !existsSync(root)
  await mkdir(trial, { recursive: true, mode: 0o700 })
  await mkdir(artifacts, { recursive: true })
  const service = await startTrialService(data, artifacts, log)
  const stopped = stopOnSignal(service)
  try {
    const what = isNew
      ? 'A repository is founded, with root keys that are for trying only'
      : 'The trial repository is there'
    step(1, what, [
      ['service', service.url.href],
      ['data', shown(data)],
      ['root keys', `${shown(trial)}   ${paint('yellow', 'not for real use: they lie here unprotected')}`],
    ])
    await publish(service.url)
    await downloadAndVerify(service.url)
    say(nextSteps({ url: service.url, name, artifacts: shown(artifacts), root: shown(root), log: shown(log) }))
  } catch (error) {
    service.stop()
    await service.ended
    throw error
  }
  await stopped
}

/** Like a build that has made a file: hashes it, and posts path, length and hash. */
async function publish(url: URL): Promise<void> {
  const file = join(checkout, name)
  await copyFile(file, join(artifacts, name))
  const [artifact] = await artifactsFrom([file], { base: checkout })
  if (artifact === undefined) throw new CliError('refused', `${file} is gone.`)
  const began = performance.now()
  const task = await apiClient(url).submit('POST', 'artifacts', { artifacts: [artifact] })
  const milliseconds = Math.round(performance.now() - began)
  step(2, `A build publishes ${name}`, [
    [
      'posted',
      `path, length and hash: ${plural(artifact.info.length, 'byte')}, sha256 ${short(artifact.info.hashes.sha256)}`,
    ],
    ['visible', `after ${milliseconds} ms (task ${short(task.task_id)} ended as ${task.state})`],
  ])
}

async function downloadAndVerify(url: URL): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'tuffet-start-'))
  try {
    const options = { metadataUrl: new URL('metadata/', url), root, cache: join(scratch, 'cache') }
    const client = await openTufClient({ ...options, targetsUrl: new URL('artifacts/', url) })
    await client.refresh()
    const { length, hashes } = await client.download(name, join(scratch, 'downloads'))
    const digest = `sha256 ${short(hashes['sha256'] ?? '')}`
    step(3, 'A client that trusts nothing but the root downloads it', [
      ...(await evidence(client.metadata, name, new Date())),
      [name, plural(length, 'byte'), `${paint('green', 'verified')}: ${digest}`],
    ])
    await showRefusal(options, await readFile(join(scratch, 'downloads', name)), join(scratch, 'tampered'))
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function showRefusal(
  options: { metadataUrl: URL; root: string; cache: string },
  bytes: Uint8Array,
  out: string,
): Promise<void> {
  await using mirror = await tamperingMirror(bytes)
  const client = await openTufClient({ ...options, targetsUrl: mirror.url })
  const outcome = await client.download(name, out).catch((error: unknown) => error)
  const refused = outcome instanceof CliError && outcome.code === 'not-verified' && !existsSync(join(out, name))
  if (!refused) throw new Error(`A tampered copy of ${name} was not refused. Please report this.`)
  step(4, 'The same client asks a mirror that changed one bit', [
    [name, `${paint('red', 'refused')}: another hash than trusted metadata vouches for; nothing was written`],
  ])
}

function step(number: number, title: string, rows: string[][]): void {
  const indented = rows.map(([first = '', ...rest]) => [`     ${first}`, ...rest])
  say(`  ${paint('cyan', String(number))}  ${paint('bold', title)}\n${table(indented)}\n`)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** A path as one would type it. */
function shown(path: string): string {
  const typed = relative(process.cwd(), path)
  return typed.startsWith('..') ? path : typed
}

/** Resolves when the service has ended because somebody wished so; rejects if it ended by itself. */
async function stopOnSignal(service: TrialService): Promise<void> {
  let asked = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      asked = true
      service.stop()
    })
  }
  const code = await service.ended
  if (!asked) throw new CliError('refused', `The service ended with ${code}. Its log is ${shown(log)}.`)
  say(`\nStopped. ${shown(data)} stays: npm start goes on with it, and removing it begins anew.`)
}

try {
  await main()
} catch (error) {
  process.exitCode = reportFailure(error, {})
}
