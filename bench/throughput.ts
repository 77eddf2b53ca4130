import { readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { writersBearing } from './bearings.ts'
import { writeSynced } from './floor.ts'
import { artifact, bootstrap, type Service, startService } from './service.ts'
import { quantile, table } from './statistics.ts'
import { type Visible, watchVisible } from './visible.ts'

const connections = 16

/** What arrives at once: how much of it becomes visible in a second, and how long a single post waits for that. */
export async function benchThroughput({ short, scratch }: { short: boolean; scratch: string }): Promise<string> {
  const directory = await mkdtemp(join(scratch, 'throughput-'))
  const service = await startService(join(directory, 'data'))
  try {
    await bootstrap(service, 256)
    const shrink = (count: number) => (short ? Math.ceil(count / 20) : count)
    await send(service, load(shrink(400), 1, 'warm-up'))
    const unloaded = await send(service, { ...load(shrink(100), 1, 'unloaded'), atOnce: 1 })
    const writers = shrink(4000)
    const one = await syncedWriters(directory, shrink(400), 1)
    const before = await syncedWriters(directory, writers, connections)
    const small = await send(service, load(shrink(8000), 1, 'small'))
    const after = await syncedWriters(directory, writers, connections)
    const patient = await send(service, { ...load(shrink(2000), 1, 'patient'), waits: true })
    const middle = await send(service, load(shrink(100), 100, 'middle'))
    const large = await send(service, load(shrink(10), 1000, 'large'))
    const measured = (before + after) / 2
    const bearing = writersBearing(1000 / one)
    const floor = Math.max(measured, bearing)
    const p50 = quantile(unloaded.waits, 0.5)
    const times = ({ waits }: Sent) => `p99 ${(quantile(waits, 0.99) / p50).toFixed(1)}x the p50 of one at a time`
    return table(
      ['posts, all visible', 'posts/s', 'artifacts/s', 'p50, ms', 'p99, ms', 'compared'],
      [
        row('1 artifact, one at a time', unloaded, ''),
        row('1 artifact, 16 at once, each waits', patient, times(patient)),
        row(
          '1 artifact, 16 at once',
          small,
          `${(small.rate / floor).toFixed(2)}x of ${measured.toFixed(0)} synced files/s (bearing: ${bearing.toFixed(0)}); ${times(small)}`,
        ),
        row('100 artifacts, 16 at once', middle, ''),
        row('1000 artifacts, 16 at once', large, ''),
      ],
    )
  } finally {
    await service.stop()
  }
}

interface Load {
  readonly posts: number
  /** In each post. */
  readonly artifacts: number
  /** Connections. */
  readonly atOnce: number
  /** The paths begin with it. */
  readonly name: string
  /** True: each connection sends the next post once the one before is visible; else once that is accepted. */
  readonly waits?: boolean
}

const load = (posts: number, artifacts: number, name: string): Load => ({ posts, artifacts, atOnce: connections, name })

interface Sent {
  /** Posts in a second, from the first one until all are visible. */
  readonly rate: number
  readonly artifacts: number
  /** Milliseconds from each post to its commit. */
  readonly waits: readonly number[]
}

function row(what: string, { rate, artifacts, waits }: Sent, compared: string): string[] {
  const times = [quantile(waits, 0.5), quantile(waits, 0.99)].map((value) => value.toFixed(1))
  return [what, rate.toFixed(0), (rate * artifacts).toFixed(0), ...times, compared]
}

async function send(service: Service, { posts, artifacts, atOnce, name, waits = false }: Load): Promise<Sent> {
  using visible = watchVisible(service)
  const first = visible.current()
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  const begun = new Map<string, number>()
  const bodies = Array.from({ length: posts }, (_, post) =>
    Buffer.from(
      JSON.stringify({
        artifacts: Array.from({ length: artifacts }, (_, index) => artifact(`${name}/${post}/${index}`)),
      }),
    ),
  )
  try {
    const start = performance.now()
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let body = bodies.pop(); body !== undefined; body = bodies.pop()) {
          const sent = performance.now()
          begun.set(await post(service, agent, body, waits), sent)
          // Alone, the next one is not to meet what this one leaves to be done.
          if (atOnce === 1) await settled(service, visible)
        }
      }),
    )
    await settled(service, visible)
    const taken: number[] = []
    for (const [task, shown] of tasksAfter(first, service, visible)) {
      const sent = begun.get(task)
      if (sent !== undefined) taken.push(shown - sent)
      begun.delete(task)
    }
    if (begun.size > 0) throw new Error(`${begun.size} tasks are in no commit.`)
    return { rate: (posts / ((visible.versions.at(-1)?.at ?? start) - start)) * 1000, artifacts, waits: taken }
  } finally {
    agent.destroy()
  }
}

/** Resolves with the task's id when it is accepted, or finished. Not `fetch`, which takes more of the processor than the service has left. */
function post(service: Service, agent: Agent, body: Buffer, waits: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      ...(waits && { prefer: 'wait=25' }),
    }
    const sent = request(`${service.url}/api/v1/artifacts`, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const task = response.headers['tuffet-task']
        if (response.statusCode === (waits ? 200 : 202) && typeof task === 'string') resolve(task)
        else
          reject(new Error(`POST artifacts: ${response.statusCode} ${Buffer.concat(chunks).toString('utf8', 0, 500)}`))
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Resolves when nothing waits any more, and what became visible by that is known. */
async function settled({ url, data }: Service, visible: Visible): Promise<void> {
  for (;;) {
    const answer = (await (await fetch(`${url}/api/v1/status`)).json()) as { data: { tasks: { waiting: number } } }
    if (answer.data.tasks.waiting === 0) break
    await setTimeout(5)
  }
  await visible.reached(JSON.parse(readFileSync(join(data, 'metadata/timestamp.json'), 'utf8')).signed.version)
}

/** Each task that was committed after version `first`, with when it became visible. */
function* tasksAfter(first: number, { data }: Service, { versions }: Visible): Generator<[string, number]> {
  let from = first
  for (const { version, at } of versions) {
    for (let number = from + 1; number <= version; number++) {
      const entry = JSON.parse(
        readFileSync(join(data, `state/commits/${String(number).padStart(12, '0')}.json`), 'utf8'),
      )
      for (const { id } of entry.tasks) yield [id, at]
    }
    from = version
  }
}

/** How many files so many writers create in a second that a power cut cannot take back: content and entry synced. */
async function syncedWriters(scratch: string, files: number, atOnce: number): Promise<number> {
  const directory = await mkdtemp(join(scratch, 'writers-'))
  const bytes = Buffer.alloc(400, 'r')
  let next = 0
  const start = performance.now()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < files) await writeSynced(join(directory, String(next++)), bytes)
    }),
  )
  return (files / (performance.now() - start)) * 1000
}
