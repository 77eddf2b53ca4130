import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { inParallel } from '../../shared/repository/parallel.ts'
import { tufClient } from '../support/client.ts'
import { tuffet } from '../support/tuffet.ts'
import { pythonTuf, type RefreshingClient, tufJs } from './kill/clients.ts'
import { makeVictim } from './kill/victim.ts'
import { makeWriter, post } from './kill/writer.ts'
import { seededRandom } from './world.ts'

/**
 * Kills the embedded service (SIGKILL) at random moments while several build systems write and TUF clients read.
 * `npm run test:kill`, or `npm run test:kill -- --kills 300 --seed 7`.
 */
const { values } = parseArgs({
  options: { kills: { type: 'string', default: '10' }, seed: { type: 'string' }, keep: { type: 'boolean' } },
})
const kills = Number(values.kills)
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6))
const random = seededRandom(seed)
const began = performance.now()
const directory = await mkdtemp(join(tmpdir(), 'tuffet-kill-'))
const data = join(directory, 'data')
const victim = await makeVictim(data, join(directory, 'service.log'))
console.log(`seed ${seed}, ${kills} kills, in ${directory}`)

let over = false
/** Tasks that were seen to have succeeded. */
const done = new Set<string>()
/** The first thing that went wrong in the background. */
const trouble = Promise.withResolvers<never>()
trouble.promise.catch(() => {})
const background = <Result>(work: Promise<Result>) => {
  work.catch((error) => trouble.reject(error))
  return work
}

await victim.start()
const root = join(directory, '1.root.json')
await copyFile(join(data, 'metadata', '1.root.json'), root)
const writers = Array.from({ length: 4 }, (_, at) => makeWriter(`writer-${at}`, victim.url, random))
const clients = await makeClients()
const working = writers.map((writer) => background(writer.run(() => over)))
const reading = clients.map((client) => background(client.run(() => over)))

await Promise.race([killAgainAndAgain(), trouble.promise])
over = true
await Promise.race([Promise.all([...working, ...reading]), trouble.promise])
await checkTheEnd()
await victim.stop()
if (values.keep !== true) await rm(directory, { recursive: true })

const seconds = ((performance.now() - began) / 1000).toFixed(0)
console.log(
  `${kills} kills in ${seconds} s: ${sum(writers.map(({ accepted }) => accepted.size))} tasks accepted, each applied once;`,
)
console.log(`${sum(writers.map(({ repeats }) => repeats()))} requests were sent again because nobody answered.`)
for (const { name, counts } of clients)
  console.log(`${name}: ${counts.refreshed} refreshes, ${counts.unreachable} times nobody there, no other failure.`)
process.exit(0)

async function makeClients(): Promise<RefreshingClient[]> {
  const python = await pythonTuf(victim.url, join(directory, 'python-tuf'), root)
  if (python === undefined)
    console.log('python-tuf is not installed here (bash test/interop/install.sh); going on without.')
  return [
    await tufJs(victim.url, join(directory, 'tuf-js'), root, true),
    await tufJs(victim.url, join(directory, 'tuf-js'), root, false),
    ...(python === undefined ? [] : [python]),
  ]
}

async function killAgainAndAgain(): Promise<void> {
  for (let kill = 1; kill <= kills; kill++) {
    await victim.kill(random() * 700)
    // Some die while they start.
    if (random() < 0.3 && kill < kills) {
      kill++
      await victim.startAndKill(random() * 600)
    }
    await victim.start()
    await allDone(writers.flatMap(({ accepted }) => [...accepted]))
    await isClean()
    if (kill % 20 === 0) console.log(`${kill} kills`)
  }
}

/** Whatever was answered 202 before this moment ends as SUCCESS. */
async function allDone(accepted: Iterable<string>): Promise<void> {
  const left = [...accepted].filter((id) => !done.has(id))
  await inParallel(left, 16, async (id) => {
    for (let patience = 30; ; patience--) {
      const response = await fetch(new URL(`api/v1/task?task_id=${id}`, victim.url))
      const text = await response.text()
      assert.equal(response.status, 200, `task ${id} was accepted: ${text}`)
      const { data } = JSON.parse(text) as { data: { state: string } }
      if (data.state === 'SUCCESS') break
      assert.equal(data.state, 'PENDING', text)
      assert.ok(patience > 0, `task ${id} is not done after half a minute`)
    }
    done.add(id)
  })
}

async function isClean(): Promise<void> {
  const { code, stdout, stderr } = await tuffet(['check', data, '--json'])
  assert.equal(code, 0, `tuffet check: ${stdout} ${stderr}`)
}

interface Commits {
  readonly commits: readonly {
    readonly number: number
    readonly tasks: readonly { task_id: string; state: string }[]
  }[]
  readonly next?: number
}

async function checkTheEnd(): Promise<void> {
  const published = await post(victim.url, 'artifacts/publish', {}, 'the end')
  assert.ok(published)
  await allDone([...writers.flatMap(({ accepted }) => [...accepted]), published])
  await isClean()
  await eachOnce()
  const read = async (file: string) => {
    const response = await fetch(new URL(`metadata/${file}`, victim.url))
    return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined
  }
  const client = tufClient(read, () => new Date())
  await client.refresh()
  const seen = new Map([...(await client.everything())].map(([path, { length }]) => [path, length]))
  for (const { expected } of writers) {
    for (const [path, length] of expected) {
      assert.equal(seen.get(path), length, path)
      seen.delete(path)
    }
  }
  assert.deepEqual([...seen], [], 'targets that nobody asked for')
  const status = await fetch(new URL('api/v1/status', victim.url))
  assert.equal(((await status.json()) as { data: { tasks: { waiting: number } } }).data.tasks.waiting, 0)
}

/** The journal has each accepted task once, and no other. */
async function eachOnce(): Promise<void> {
  const times = new Map<string, number>()
  for (let newest: number | undefined; ; ) {
    const query = newest === undefined ? '' : `&newest=${newest}`
    const response = await fetch(new URL(`api/v1/commits?limit=100${query}`, victim.url))
    const { data } = (await response.json()) as { data: Commits }
    for (const { tasks } of data.commits)
      for (const { task_id } of tasks) times.set(task_id, (times.get(task_id) ?? 0) + 1)
    newest = data.next
    if (newest === undefined) break
  }
  for (const { accepted } of writers)
    for (const id of accepted) assert.equal(times.get(id), 1, `task ${id} in the journal`)
  // The bootstrap and the last one.
  assert.equal(times.size, sum(writers.map(({ accepted }) => accepted.size)) + 2, 'tasks that nobody sent')
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
